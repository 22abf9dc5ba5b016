"""Candidates that nobody should release: small ONNX files that cost much, or are not what they seem."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_node, make_tensor_sequence_value_info, make_tensor_value_info

from interlock.model.manifest import Column, Golden, Manifest

INPUT = make_tensor_value_info("input", TensorProto.FLOAT, [None, 4])
LABEL = make_tensor_value_info("label", TensorProto.INT64, [None])
PROBABILITIES = make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])
OPSETS = {"": 17, "ai.onnx.ml": 3}
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3], [7.7, 3.8, 6.7, 2.2]]
WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 100


def constant(name: str, value: object, dtype: type = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def classifier(
    extra: Sequence[NodeProto] = (),
    tensors: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
    outputs: Sequence[object] = (LABEL, PROBABILITIES),
    opsets: dict[str, int] = OPSETS,
) -> ModelProto:
    """A softmax of the input. What *extra* computes as `extra` (a scalar) is added to its logits times zero."""
    nodes = [make_node("MatMul", ["input", "weights"], ["logits"]), *extra]
    last = "logits"
    if any("extra" in node.output for node in extra):
        nodes += [make_node("Mul", ["extra", "zero"], ["nothing"]), make_node("Add", ["logits", "nothing"], ["sum"])]
        last = "sum"
    nodes += [make_node("Softmax", [last], ["probabilities"], axis=1)]
    nodes += [make_node("ArgMax", [last], ["label"], axis=1, keepdims=0)]
    given = [constant("weights", WEIGHTS, np.float32), constant("zero", 0, np.float32), *tensors]
    graph = helper.make_graph(nodes, "hostile", [INPUT], outputs, given)
    imported = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=imported, functions=functions, ir_version=8)


def answers() -> Golden:
    """What every classifier of this file answers, if it comes to that."""
    logits = np.asarray(ROWS, dtype=np.float32) @ WEIGHTS
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return Golden(rows=ROWS, labels=probabilities.argmax(axis=1).tolist(), probabilities=probabilities.tolist())


def put(folder: Path, onnx: bytes | ModelProto, golden: Golden | None = None) -> Manifest:
    """Write it as a release materializes it; return its manifest."""
    content = onnx if isinstance(onnx, bytes) else onnx.SerializeToString()
    manifest = Manifest(
        run_id="run",
        learner="hostile",
        trained_at_utc="20251231T025902Z",
        sha256=sha256(content).hexdigest(),
        size=max(1, len(content)),
        input_name="input",
        columns=[Column(name=f"c{number}") for number in range(4)],
        outputs=["label", "probabilities"],
        class_names=["a", "b", "c"],
        golden=golden or answers(),
    )
    (folder / "model.onnx").write_bytes(content)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return manifest


# What costs memory or time


def huge_at_load(count: int = 400_000_000) -> ModelProto:
    """Constants of 1.5 GiB, which are computed when the file is opened."""
    return classifier(
        [make_node("ConstantOfShape", ["shape"], ["ones"]), make_node("ReduceMax", ["ones"], ["extra"], keepdims=0)],
        [constant("shape", [count])],
    )


def huge_at_run(count: int = 400_000_000) -> ModelProto:
    """The same, of a size that depends on the rows: nothing can be computed before."""
    return classifier(
        [
            make_node("Shape", ["input"], ["size"], start=0, end=1),
            make_node("Min", ["size", "one"], ["is_one"]),
            make_node("Mul", ["is_one", "count"], ["shape"]),
            make_node("Expand", ["zero", "shape"], ["ones"]),
            make_node("ReduceMax", ["ones"], ["extra"], keepdims=0),
        ],
        [constant("one", [1]), constant("count", [count])],
    )


def wide(columns: int) -> ModelProto:
    """Each row becomes *columns* numbers of four bytes on the way."""
    return classifier(
        [make_node("MatMul", ["input", "spread"], ["wide"]), make_node("ReduceMax", ["wide"], ["extra"], keepdims=0)],
        [constant("spread", np.ones((4, columns)), np.float32)],
    )


def as_large_as_asked() -> ModelProto:
    """As many numbers of four bytes as the first cell says: five for a golden row, and what a client likes."""
    return classifier(
        [
            make_node("Slice", ["input", "from", "to", "axes"], ["cells"]),
            make_node("Reshape", ["cells", "flat"], ["cell"]),
            make_node("Cast", ["cell"], ["shape"], to=TensorProto.INT64),
            make_node("Expand", ["zero", "shape"], ["zeros"]),
            make_node("Add", ["zeros", "one"], ["ones"]),
            make_node("ReduceMax", ["ones"], ["extra"], keepdims=0),
        ],
        [
            constant("from", [0, 0]),
            constant("to", [1, 1]),
            constant("axes", [0, 1]),
            constant("flat", [-1]),
            constant("one", 1, np.float32),
        ],
    )


def product(side: int = 9000, *, at_load: bool) -> ModelProto:
    """A matrix product of *side*^3 steps, on constants or on what depends on the rows."""
    first = [make_node("ReduceMax", ["input"], ["seed"], keepdims=0)] if not at_load else []
    return classifier(
        [
            *first,
            make_node("Expand", ["one" if at_load else "seed", "shape"], ["square"]),
            make_node("MatMul", ["square", "square"], ["product"]),
            make_node("ReduceMax", ["product"], ["extra"], keepdims=0),
        ],
        [constant("shape", [side, side]), constant("one", 1, np.float32)],
    )


def endless(turns: int = 2**62) -> ModelProto:
    """A loop that counts as far as it can."""
    body = helper.make_graph(
        [
            make_node("Identity", ["go"], ["goes"]),
            make_node("Add", ["sum", "zero"], ["next"]),
        ],
        "body",
        [
            make_tensor_value_info("turn", TensorProto.INT64, []),
            make_tensor_value_info("go", TensorProto.BOOL, []),
            make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            make_tensor_value_info("goes", TensorProto.BOOL, []),
            make_tensor_value_info("next", TensorProto.FLOAT, []),
        ],
    )
    return classifier(
        [
            make_node("ReduceMax", ["input"], ["seed"], keepdims=0),
            make_node("Loop", ["turns", "yes", "seed"], ["extra"], body=body),
        ],
        [constant("turns", turns), constant("yes", 1, np.bool_)],
    )


def function(name: str, calls: Sequence[str], domain: str = "local") -> FunctionProto:
    """A function of one value that calls others, one after the other; the identity without any."""
    names = ["x", *(f"v{number}" for number in range(len(calls) - 1)), "y"]
    nodes = [
        make_node(called, [names[place]], [names[place + 1]], domain=domain) for place, called in enumerate(calls)
    ] or [make_node("Identity", ["x"], ["y"])]
    imported = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    return helper.make_function(domain, name, ["x"], ["y"], nodes, imported)


def calling(functions: Sequence[FunctionProto], name: str) -> ModelProto:
    """A classifier that calls a function."""
    node = make_node(name, ["zero"], ["extra"], domain=functions[0].domain)
    return classifier([node], functions=functions, opsets={**OPSETS, functions[0].domain: 1})


def doubling(levels: int) -> ModelProto:
    """Functions that call the one before twice: 2^levels nodes in a few bytes a level."""
    functions = [function("f0", []), *(function(f"f{n}", [f"f{n - 1}"] * 2) for n in range(1, levels + 1))]
    return calling(functions, f"f{levels}")


def nested(levels: int) -> ModelProto:
    """Conditions within conditions."""
    value = [make_tensor_value_info("y", TensorProto.FLOAT, [])]
    leaf = graph = helper.make_graph([make_node("Identity", ["zero"], ["y"])], "leaf", [], value)
    for level in range(levels):
        output = "extra" if level == levels - 1 else "y"
        node = make_node("If", ["yes"], [output], then_branch=graph, else_branch=leaf)
        graph = helper.make_graph([node], "level", [], value)
    return classifier(graph.node, [constant("yes", 1, np.bool_)])


def scanning(turns: int = 10**8) -> ModelProto:
    """A body that runs once for each of many values."""
    scalar = [make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("sum", "value", "next")]
    body = helper.make_graph([make_node("Add", ["sum", "value"], ["next"])], "body", scalar[:2], scalar[2:])
    return classifier(
        [
            make_node("ReduceMax", ["input"], ["seed"], keepdims=0),
            make_node("Expand", ["seed", "turns"], ["values"]),
            make_node("Scan", ["zero", "values"], ["extra"], body=body, num_scan_inputs=1),
        ],
        [constant("turns", [turns])],
    )


# What crashes onnxruntime 1.31


def impossible_quotient() -> ModelProto:
    """The smallest integer divided by -1 is no integer: SIGFPE, when the constants are folded."""
    quotient = [make_node("Div", ["smallest", "minus_one"], ["whole"]), make_node("Cast", ["whole"], ["extra"], to=1)]
    return classifier(quotient, [constant("smallest", -(2**63)), constant("minus_one", -1)])


def deep_tree(depth: int = 100_000) -> ModelProto:
    """A tree that goes down on one side only; it is read by recursion."""
    nodes = 2 * depth + 1
    inner = [node % 2 == 0 and node < nodes - 1 for node in range(nodes)]
    tree = make_node(
        "TreeEnsembleClassifier",
        ["input"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * nodes,
        nodes_nodeids=list(range(nodes)),
        nodes_featureids=[0] * nodes,
        nodes_modes=["BRANCH_LEQ" if branches else "LEAF" for branches in inner],
        nodes_values=[0.5] * nodes,
        nodes_truenodeids=[node + 2 if branches else 0 for node, branches in enumerate(inner)],
        nodes_falsenodeids=[node + 1 if branches else 0 for node, branches in enumerate(inner)],
        class_treeids=[0],
        class_nodeids=[1],
        class_ids=[0],
        class_weights=[1.0],
        classlabels_int64s=[0, 1, 2],
    )
    model = classifier()
    del model.graph.node[:]
    model.graph.node.append(tree)
    return model


# What is not in the file


def outside(location: str) -> TensorProto:
    """A tensor whose values are in another file, or wherever *location* says."""
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "48"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def sequence() -> ModelProto:
    """Probabilities as a sequence of tensors."""
    model = classifier(outputs=[LABEL, make_tensor_sequence_value_info("probabilities", TensorProto.FLOAT, None)])
    model.graph.node[1].output[0] = "tensor"
    model.graph.node.append(make_node("SequenceConstruct", ["tensor"], ["probabilities"]))
    return model


def maps() -> ModelProto:
    """Probabilities as a sequence of maps, as skl2onnx writes them unless told otherwise."""
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    model = classifier(outputs=[LABEL, helper.make_value_info("probabilities", kind)])
    model.graph.node[1].output[0] = "tensor"
    zipped = make_node("ZipMap", ["tensor"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
    model.graph.node.append(zipped)
    return model
