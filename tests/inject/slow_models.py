"""Models that hurt: small files that compute for minutes, that need much memory, or that read other files."""

from hashlib import sha256

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from world.fakes import RUN

from interlock.model.manifest import Column, Golden, Manifest
from interlock.records import Candidate
from interlock.store import Store, Writer

ROWS = [[1.0], [2.0]]


def model(*nodes, initializers=()) -> bytes:
    """A model of one column `x` and two classes: *nodes* make the tensor `extra`, shape (), which is added times 0."""
    answer = [
        helper.make_node("Mul", ["extra", "zero"], ["nothing"]),
        helper.make_node("Mul", ["x", "zero"], ["flat"]),
        helper.make_node("Add", ["flat", "nothing"], ["base"]),
        helper.make_node("Add", ["base", "quarters"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0.0), "zero"),
        numpy_helper.from_array(np.asarray([[0.25, 0.75]], dtype=np.float32), "quarters"),
        *initializers,
    ]
    graph = helper.make_graph(
        [*nodes, *answer],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def harmless() -> bytes:
    return model(helper.make_node("ReduceSum", ["zero"], ["extra"], keepdims=0))


def multiplying(side: int, *, at_load: bool) -> bytes:
    """A product of two matrices of *side* x *side*: at load if it depends on no input, so that it is folded."""
    seed = "zero" if at_load else "some"
    some = [] if at_load else [helper.make_node("ReduceSum", ["x"], ["some"], keepdims=0)]
    return model(
        *some,
        helper.make_node("Expand", [seed, "shape"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceMax", ["product"], ["extra"], keepdims=0),
        initializers=[numpy_helper.from_array(np.asarray([side, side], dtype=np.int64), "shape")],
    )


def external(location: str, *, hidden: bool = False) -> bytes:
    """A model whose tensor lies in the file *location*; *hidden* in an attribute of a node, not in the graph."""
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[16])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "64")):
        tensor.external_data.add(key=key, value=value)
    added = helper.make_node("Add", ["x", "outside"], ["sums"])
    total = helper.make_node("ReduceSum", ["sums"], ["extra"], keepdims=0)
    if not hidden:
        return model(added, total, initializers=[tensor])
    constant = helper.make_node("Constant", [], ["outside"])
    constant.attribute.append(AttributeProto(name="value", type=AttributeProto.TENSOR, t=tensor))
    return model(constant, added, total)


def put(store: Store, version: int, onnx: bytes, *, golden_rows: int = len(ROWS)) -> Candidate:
    """Put a model into the repository, as a release materializes it."""
    golden = Golden(
        rows=(ROWS * golden_rows)[:golden_rows],
        labels=[1] * golden_rows,
        probabilities=[[0.25, 0.75]] * golden_rows,
    )
    manifest = Manifest(
        run_id=f"run-{version}",
        learner="slow",
        trained_at_utc="20251231T025902Z",
        sha256=sha256(onnx).hexdigest(),
        size=len(onnx),
        input_name="x",
        columns=[Column(name="x")],
        outputs=["label", "probabilities"],
        class_names=["no", "yes"],
        golden=golden,
    )
    candidate = Candidate(
        model="best_model", alias="A", version=version, run_id=manifest.run_id, sha256=manifest.sha256
    )
    made = {"model.onnx": onnx, "manifest.json": manifest.model_dump_json().encode()}
    with Writer.locked(store, "best_model", RUN) as writer:
        writer.materialize(candidate, lambda name, path: path.write_bytes(made[name]) and None)
    return candidate


def failing() -> bytes:
    """A model that loads, and fails whenever it is asked: it has no room for what it makes."""
    return model(
        helper.make_node("ReduceSum", ["x"], ["some"], keepdims=0),
        helper.make_node("Expand", ["some", "shape"], ["matrix"]),
        helper.make_node("ReduceMax", ["matrix"], ["extra"], keepdims=0),
        initializers=[numpy_helper.from_array(np.asarray([2**40, 2**10], dtype=np.int64), "shape")],
    )
