"""
What the file of a candidate may contain. Checked before onnxruntime sees it, because there it would cost first.

    domains     the standard operators, and functions that the file itself defines; no custom code
    nodes       counted with every subgraph and every function call expanded, as onnxruntime expands them: 2 KiB of
                functions that call each other twice are 2^60 nodes
    depth       of subgraphs and calls
    tensors     inside the file: its digest covers no other file, and a location may be an address in memory
    signature   the input and the outputs that the manifest names
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.message import DecodeError, Message
from onnx import (
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    load_model_from_string,
)

from interlock.model.confined.protocol import Failed, Feed, Forbidden, Given, Question

OPSETS = {"": range(7, 22), "ai.onnx.ml": range(1, 6), "com.microsoft": range(1, 2)}
"""Domains with their versions, up to those of Triton 24.10; `interlock.training.convert` begins with 17 and 3."""
CONTRIBUTED = {"Tokenizer"}
"""Operators of com.microsoft that are taken: every onnxruntime has them, and scikit-learn's texts need this one."""

TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
"""Element types by what a signature calls them."""
MAX_DEPTH = 16
FLATBUFFER = b"ORTM"
"""At the fifth byte, it makes onnxruntime read a file in its other format, whatever it says as protobuf."""

Key = tuple[str, str, str]


def examined(onnx: bytes, question: Question) -> dict[str, Any]:
    """
    Return what the file contains; what it was parsed into is let go of.

    Raises:
        Forbidden: Something that no candidate may contain.
        Failed: It is no ONNX.
    """
    if onnx[4:8] == FLATBUFFER:
        raise Forbidden("onnxruntime would not read it as ONNX, but in its own format")
    try:
        content = Content(load_model_from_string(onnx), question.max_nodes)
    except DecodeError as error:
        raise Failed(f"it is no ONNX file: {error}") from error
    nodes = content.nodes  # first: looking at each of millions would take a while
    content.check(question.inputs, question.outputs)
    return {"nodes": nodes, "domains": content.domains}


@dataclass(frozen=True)
class Content:
    """
    What a file contains, whichever way it is asked for.

    Raises:
        Forbidden: By every method, for what no candidate may contain.
    """

    model: ModelProto
    max_nodes: int

    def check(self, inputs: list[Feed], outputs: list[Given]) -> None:
        """Look at all of it."""
        if self.model.training_info:
            raise Forbidden("it has a training graph")
        _check_opsets(self.model.opset_import, self._known)
        for message in messages(self.model):
            self._check_message(message)
        _check_signature(self.model.graph, inputs, outputs)

    @property
    def nodes(self) -> int:
        """Return the number of nodes with every function call expanded."""
        return self._count(self.model.graph.node, 0, {})

    @property
    def domains(self) -> list[str]:
        """Return the domains of its operators; the standard one as `ai.onnx`."""
        nodes = (message for message in messages(self.model) if isinstance(message, NodeProto))
        return sorted({plain(node.domain) or "ai.onnx" for node in nodes})

    @cached_property
    def _functions(self) -> dict[Key, FunctionProto]:
        return {(plain(f.domain), f.name, f.overload): f for f in self.model.functions}

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(OPSETS) | {domain for domain, _, _ in self._functions}

    def _check_message(self, message: Message) -> None:
        if isinstance(message, TensorProto):
            _check_inside(message)
        elif isinstance(message, FunctionProto):
            _check_opsets(message.opset_import, self._known)
        elif isinstance(message, NodeProto) and plain(message.domain) not in self._known:
            raise Forbidden(f"an operator of the domain {shown(message.domain)}: no candidate brings code of its own")
        elif (
            isinstance(message, NodeProto) and message.domain == "com.microsoft" and message.op_type not in CONTRIBUTED
        ):
            raise Forbidden(
                f"the operator {shown(message.op_type)} of the domain com.microsoft, which few engines have"
            )

    def _count(self, nodes: Iterable[NodeProto], depth: int, counted: dict[tuple[Key, int], int]) -> int:
        """Count expanded nodes; *counted* holds what a function costs at a depth, so that each is looked at once."""
        if depth > MAX_DEPTH:
            raise Forbidden(f"subgraphs or functions are nested more than {MAX_DEPTH} deep, or call themselves")
        total = 0
        for node in nodes:
            inner = sum(self._count(graph.node, depth + 1, counted) for graph in subgraphs(node))
            total += 1 + inner + self._called(node, depth + 1, counted)
            if total > self.max_nodes:
                raise Forbidden(f"more than {self.max_nodes} nodes, with every function call expanded")
        return total

    def _called(self, node: NodeProto, depth: int, counted: dict[tuple[Key, int], int]) -> int:
        key = (plain(node.domain), node.op_type, node.overload)
        if key not in self._functions:
            return 0
        if (key, depth) not in counted:
            counted[key, depth] = self._count(self._functions[key].node, depth, counted)
        return counted[key, depth]


def messages(message: Message) -> Iterator[Message]:
    """Yield *message* and everything in it, also what a later version of ONNX put there."""
    waiting = [message]
    while waiting:
        found = waiting.pop()
        yield found
        for field, value in found.ListFields():
            if field.type == field.TYPE_MESSAGE:
                waiting.extend(value if field.is_repeated else [value])


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs in a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def plain(domain: str) -> str:
    """Return the standard domain by its shorter name."""
    return "" if domain == "ai.onnx" else domain


def shown(name: str) -> str:
    """Return a name from the file as it may be printed."""
    return ascii(name[:60])


def _check_opsets(imported: Iterable[object], known: frozenset[str]) -> None:
    for opset in imported:
        domain, version = plain(opset.domain), opset.version  # type: ignore[attr-defined]
        if domain not in known:
            raise Forbidden(f"it asks for operators of the domain {shown(domain)}")
        if domain in OPSETS and version not in OPSETS[domain]:
            allowed = OPSETS[domain]
            raise Forbidden(f"version {version} of {domain or 'ai.onnx'}, not {allowed.start} to {allowed.stop - 1}")


def _check_inside(tensor: TensorProto) -> None:
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise Forbidden(f"the tensor {shown(tensor.name)} lies outside the file, which its digest does not cover")


def _check_signature(graph: GraphProto, inputs: list[Feed], outputs: list[Given]) -> None:
    constant = {one.name for one in graph.initializer} | {sparse.values.name for sparse in graph.sparse_initializer}
    taken = dict(_typed(value) for value in graph.input if value.name not in constant)
    found = dict(map(_typed, graph.output))
    wanted_in = {feed.name: TYPES[feed.dtype] for feed in inputs}
    wanted_out = {given.name: TYPES[given.dtype] for given in outputs}
    if taken != wanted_in:
        raise Forbidden(f"it takes {_listed(taken.items())}, not {_listed(wanted_in.items())}")
    if {name: found.get(name) for name in wanted_out} != wanted_out:
        raise Forbidden(f"it gives {_listed(found.items())}, not {_listed(wanted_out.items())}")


def _typed(value: ValueInfoProto) -> tuple[str, int]:
    """Return name and element type; 0 for what is no tensor: a sequence, a map, an optional."""
    kind: TypeProto = value.type
    return value.name, kind.tensor_type.elem_type if kind.HasField("tensor_type") else 0


def _listed(values: Iterable[tuple[str, int]]) -> str:
    names = {number: name.lower() for name, number in TensorProto.DataType.items()} | {0: "no tensor"}
    found = [f"{shown(name)} of {names.get(kind, f'an unknown type {kind}')}" for name, kind in values]
    return ", ".join(found[:5]) or "nothing"
