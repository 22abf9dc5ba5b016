"""Three ways in which a model is bad, made from one that is good: what a release must refuse."""

from typing import Any

import onnx
from onnx import helper


def corrupt(good: bytes) -> bytes:
    """Lose the end of the file."""
    return good[: len(good) // 2]


def failing(good: bytes) -> bytes:
    """Load, and then fail at the first inference: rows are reshaped into what they cannot be."""
    model = onnx.load_from_string(good)
    name = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["reshaped" if given == name else given for given in node.input]
    model.graph.initializer.append(helper.make_tensor("impossible", onnx.TensorProto.INT64, [2], [7, 11]))
    model.graph.node.insert(0, helper.make_node("Reshape", [name, "impossible"], ["reshaped"]))
    return bytes(model.SerializeToString())


def answering_wrongly(good: bytes) -> bytes:
    """Load, run and answer otherwise than in training: the signs of all coefficients are turned."""
    model = onnx.load_from_string(good)
    for attribute in _coefficients(model):
        attribute.floats[:] = [-value for value in attribute.floats]
    return bytes(model.SerializeToString())


def _coefficients(model: Any) -> list[Any]:
    return [a for node in model.graph.node for a in node.attribute if a.name == "coefficients"]


KINDS = {
    "a corrupt file": corrupt,
    "one that loads and fails at inference": failing,
    "one that answers wrongly": answering_wrongly,
}
