"""
Changes at the ends of an ONNX graph, so that every model takes and gives tensors of the same kinds.

    labels          int64, the place of each class: shape (n,), or (n, classes) for multilabel
    probabilities   and scores, values: one tensor of floats, shape (n, width)
    no ZipMap       which gives a sequence of maps that no engine can send

Source of the operators: onnx.ai, ai.onnx 13 to 21 and ai.onnx.ml 3.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from interlock.model.signature import Dtype, Input, Output

TYPES = {
    Dtype.FLOAT32: TensorProto.FLOAT,
    Dtype.FLOAT64: TensorProto.DOUBLE,
    Dtype.INT64: TensorProto.INT64,
    Dtype.BOOL: TensorProto.BOOL,
    Dtype.STRING: TensorProto.STRING,
}
ML = "ai.onnx.ml"
LOCALE = "C.UTF-8"


class Graph:
    """An ONNX file whose ends are changed in place."""

    def __init__(self, model: ModelProto) -> None:
        """Take the parsed file."""
        self.model = model
        self._graph: GraphProto = model.graph
        self._made = 0

    @property
    def outputs(self) -> list[ValueInfoProto]:
        """What it gives, in its order."""
        return list(self._graph.output)

    @property
    def input_names(self) -> list[str]:
        """The names of what it takes, in its order."""
        return [value.name for value in self._graph.input]

    @property
    def bytes(self) -> bytes:
        """The file."""
        return bytes(self.model.SerializeToString())

    def class_labels(self) -> list[Any] | None:
        """Return the classes that a node of a classifier carries, as the graph answers them; None if none does."""
        for node in reversed(self._graph.node):
            for attribute in node.attribute:
                if attribute.name in {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}:
                    found = helper.get_attribute_value(attribute)
                    return [one.decode() if isinstance(one, bytes) else int(one) for one in found] or None
        return None

    def without_zipmaps(self) -> "Graph":
        """Let outputs of a ZipMap be the tensor that it takes."""
        zipmaps = {node.output[0]: node for node in self._graph.node if node.op_type == "ZipMap"}
        for value in list(self._graph.output):
            if value.name in zipmaps:
                source = zipmaps[value.name].input[0]
                value.CopyFrom(helper.make_tensor_value_info(source, TensorProto.FLOAT, None))
        for node in zipmaps.values():
            self._graph.node.remove(node)
        return self

    def anywhere(self) -> "Graph":
        """Let texts become lower case by the locale that every glibc has, not by one that may not be installed."""
        for node in self._graph.node:
            if node.op_type == "StringNormalizer":
                kept = [one for one in node.attribute if one.name != "locale"]
                del node.attribute[:]
                node.attribute.extend([*kept, helper.make_attribute("locale", LOCALE)])
        return self

    def one_tensor(self, tensor: Input) -> None:
        """Take the columns as one tensor, in place of one input for each, in their order, of shape (n, 1)."""
        other = self._free(tensor.name)
        columns = [other if name == tensor.name else name for name in self.input_names]
        del self._graph.input[:]
        shape = [None, len(tensor.columns)]
        self._graph.input.append(helper.make_tensor_value_info(tensor.name, TYPES[tensor.dtype], shape))
        ones = numpy_helper.from_array(np.ones(len(tensor.columns), dtype=np.int64), self._name("ones"))
        self._graph.initializer.append(ones)
        split = helper.make_node("Split", [tensor.name, ones.name], columns, axis=1)
        self._graph.node.insert(0, split)

    def give(self, wanted: Sequence[tuple[Output, str]]) -> None:
        """Give exactly these outputs, each of them the tensor of the name beside it."""
        for output, source in wanted:
            if output.name == source:
                continue
            self._free(output.name)
            self.node("Identity", [source], output=output.name)
        del self._graph.output[:]
        for output, _ in wanted:
            shape = [None] if output.width is None else [None, output.width]
            self._graph.output.append(helper.make_tensor_value_info(output.name, TYPES[output.dtype], shape))

    def node(
        self, kind: str, inputs: Sequence[str], *, output: str | None = None, domain: str = "", **more: Any
    ) -> str:
        """Add a node with one output; return its name."""
        made = output or self._name(kind.lower())
        self._graph.node.append(helper.make_node(kind, list(inputs), [made], domain=domain, **more))
        if domain:
            self._import(domain, 3)
        return made

    def _import(self, domain: str, version: int) -> None:
        """Import at least this version of a domain's operators."""
        known = next((opset for opset in self.model.opset_import if opset.domain == domain), None)
        if known is None:
            self.model.opset_import.append(helper.make_opsetid(domain, version))
        else:
            known.version = max(known.version, version)

    def constant(self, values: Any) -> str:
        """Add a constant; return its name."""
        tensor = numpy_helper.from_array(np.asarray(values), self._name("constant"))
        self._graph.initializer.append(tensor)
        return str(tensor.name)

    def reshaped(self, source: str, shape: Sequence[int]) -> str:
        """Return the name of *source* in another shape; -1 is the number of rows."""
        return self.node("Reshape", [source, self.constant(np.asarray(shape, dtype=np.int64))])

    def cast(self, source: str, dtype: Dtype) -> str:
        """Return the name of *source* as another type."""
        return self.node("Cast", [source], to=TYPES[dtype])

    def placed(self, source: str, labels: Sequence[Any]) -> str:
        """Return the name of *source*, whose values are *labels*, as the place of each; -1 for what is none."""
        is_text = isinstance(labels[0], str)
        keys = "keys_strings" if is_text else "keys_int64s"
        given: dict[str, Any] = {
            keys: [label if is_text else int(label) for label in labels],
            "values_int64s": list(range(len(labels))),
            "default_int64": -1,
        }
        return self.node("LabelEncoder", [source], domain=ML, **given)

    def second_of_pairs(self, source: str, *, from_sequence: bool) -> str:
        """Return probabilities of several labels, (labels, n, 2) or a sequence of (n, 2), as (n, labels)."""
        if from_sequence:
            source = self.node("ConcatFromSequence", [source], axis=0, new_axis=1)
        seconds = self.node("Gather", [source, self.constant(np.int64(1))], axis=2)
        return self.node("Transpose", [seconds], perm=[1, 0])

    def label_by_largest(self) -> None:
        """Give the place of the largest number of the only output first, as the label of a model without one."""
        source = self.outputs[0]
        label = self.node("ArgMax", [source.name], axis=1, keepdims=0)
        numbers = ValueInfoProto()
        numbers.CopyFrom(source)
        del self._graph.output[:]
        self._graph.output.extend([helper.make_tensor_value_info(label, TensorProto.INT64, [None]), numbers])

    def _free(self, name: str) -> str:
        """Give whatever has the name *name* another one; return that."""
        other = self._name(name)
        for node in _nodes(self._graph):
            for names in (node.input, node.output):
                names[:] = [other if one == name else one for one in names]
        return other

    def _name(self, what: str) -> str:
        self._made += 1
        return f"interlock_{what}_{self._made}"


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _nodes(inner)
