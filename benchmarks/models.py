"""Models that benchmarks release: iris, and one that is large."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from interlock.model.manifest import Golden, Manifest
from interlock.training.parity import Onnx
from interlock.training.train import train
from learners.iris import Iris, IrisParams

MIB = 2**20


def iris(c: float) -> tuple[bytes, Manifest]:
    """Train iris."""
    trained = train("iris", Iris(), IrisParams(C=c))
    return trained.onnx, trained.manifest("benchmark")


def large(megabytes: int) -> tuple[bytes, Manifest]:
    """Return iris with a weight that is multiplied by nothing: large, and the same answers."""
    content, manifest = iris(1.0)
    model = onnx.load_from_string(content)
    weight = np.zeros((4, megabytes * MIB // 16), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "ballast"))
    name = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["ballasted" if given == name else given for given in node.input]
    axes = helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1])
    model.graph.initializer.append(axes)
    nodes = [
        helper.make_node("MatMul", [name, "ballast"], ["wide"]),
        helper.make_node("ReduceSum", ["wide", "axes"], ["nothing"], keepdims=1),
        helper.make_node("Add", [name, "nothing"], ["ballasted"]),
    ]
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    made = bytes(model.SerializeToString())
    golden = manifest.golden.rows[:2]
    given = Onnx(made, manifest.signature).asked(golden)
    answers = Golden(rows=golden, labels=given.labels.tolist(), probabilities=given.numbers.tolist())
    return made, manifest.model_copy(update={"golden": answers})
