"""
CatBoost -> one node of a scikit-learn pipeline's ONNX.

CatBoost's own export has no scaler and answers with a sequence of maps, which Triton cannot give. Its trees are taken
from there and put into the pipeline, so that one file imputes, scales and classifies.
"""

from typing import Any

from catboost import CatBoostClassifier, CatBoostRegressor
from catboost.utils import convert_to_onnx_object
from onnx import helper
from skl2onnx import update_registered_converter
from skl2onnx._parse import _get_sklearn_operator_name
from skl2onnx.common.data_types import Int64TensorType, guess_tensor_type
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

CLASSES = "classlabels_strings"


def register() -> None:
    """Teach skl2onnx to convert CatBoost's classifier and regressor; doing it again changes nothing."""
    update_registered_converter(
        CatBoostClassifier,
        "CatBoostClassifier",
        _shapes,
        _convert,
        parser=_parse,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    update_registered_converter(
        CatBoostRegressor, "CatBoostRegressor", calculate_linear_regressor_output_shapes, _convert
    )


def _shapes(operator: Any) -> None:
    calculate_linear_classifier_output_shapes(operator)
    operator.outputs[0].type = Int64TensorType([None])  # whatever the classes are


def _parse(scope: Any, model: CatBoostClassifier, inputs: Any, custom_parsers: Any = None) -> Any:
    del custom_parsers
    operator = scope.declare_local_operator(_get_sklearn_operator_name(type(model)), model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    operator.outputs.append(scope.declare_local_variable("probabilities", guess_tensor_type(inputs[0].type)))
    scope.get_options(model, {"zipmap": True})  # marks the option as known
    return operator.outputs


def _convert(scope: Any, operator: Any, container: Any) -> None:
    exported = convert_to_onnx_object(operator.raw_operator).graph.node
    trees = next(node for node in exported if node.op_type.startswith("TreeEnsemble"))
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    attributes["name"] = scope.get_unique_operator_name(trees.op_type)
    if CLASSES in attributes:  # the label is the place of the class
        attributes["classlabels_int64s"] = list(range(len(attributes.pop(CLASSES))))
    outputs = [output.full_name for output in operator.outputs]
    container.add_node(
        trees.op_type, [operator.inputs[0].full_name], outputs, op_domain="ai.onnx.ml", op_version=1, **attributes
    )
