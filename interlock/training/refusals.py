"""Why a model cannot be converted: the step by its name, the reason, and what can be done instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from interlock.model.signature import Column, Dtype
from interlock.training.converters import PACKAGES, parts_of

OWN = "or let the learner's `onnx(fitted)` return an ONNX of your own"


@dataclass(frozen=True)
class Advice:
    """For a kind of step: how it is recognised, why it does not convert, and what can be done instead."""

    fits: Callable[[Any], bool]
    why: str
    instead: str


ADVICE = (
    Advice(
        lambda part: isinstance(part, FunctionTransformer) and part.func is not None,
        "it runs a Python function",
        "compute that into the data before training, or use a transformer such as PowerTransformer",
    ),
    Advice(
        lambda part: (
            isinstance(part, OneHotEncoder | OrdinalEncoder)
            and (part.min_frequency is not None or part.max_categories is not None)
        ),
        "infrequent categories get lost in the conversion",
        "group rare categories in the data, and leave out min_frequency and max_categories",
    ),
    Advice(
        lambda part: (
            isinstance(part, SimpleImputer)
            and not isinstance(part.missing_values, str)
            and any(isinstance(found, str) for found in getattr(part, "statistics_", ()))
        ),
        "missing texts are empty texts here, and in ONNX",
        "write SimpleImputer(missing_values='', strategy='most_frequent') for columns of texts",
    ),
    Advice(
        lambda part: isinstance(part, KNNImputer),
        "the converted one also takes neighbours that have no value themselves",
        "impute by SimpleImputer",
    ),
    Advice(
        lambda part: isinstance(part, CalibratedClassifierCV) and isinstance(part.estimator, Pipeline),
        "a calibrated pipeline answers otherwise when it is converted",
        "calibrate the classifier inside of the pipeline: make_pipeline(scaler, CalibratedClassifierCV(classifier))",
    ),
)


def why_not(fitted: Any, error: Exception, culprit: str | None) -> str:
    """Return a sentence for people; *error* is what the converter met, *culprit* the step of a pipeline that it was."""
    known = suspected(fitted)
    if known:
        return known
    for path, part in parts_of(fitted):
        kind = type(part)
        if kind.__module__.startswith("sklearn.") and kind not in sklearn_operator_name_map and kind is not Pipeline:
            return f"{_step(path, part)} cannot be converted: skl2onnx has no converter for it; use another step, {OWN}"
        if not kind.__module__.startswith("sklearn.") and kind.__module__.partition(".")[0] not in PACKAGES:
            return f"{_step(path, part)} cannot be converted: it is not one of scikit-learn; use another step, {OWN}"
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    path, part = next((found for found in parts_of(fitted) if found[0] == culprit), ("", fitted))
    return f"{_step(path, part)} cannot be converted: {first}; use another step, {OWN}"


def suspected(fitted: Any) -> str | None:
    """Return a sentence about the first step that is known for it; None if there is none."""
    for path, part in parts_of(fitted):
        for advice in ADVICE:
            if advice.fits(part):
                return f"{_step(path, part)} cannot be converted: {advice.why}; {advice.instead}, {OWN}"
    return None


def of_precision(columns: Sequence[Column]) -> str:
    """Return what can be done about columns that float32 does not hold; nothing if there are none."""
    wide = [column.name for column in columns if column.dtype in {Dtype.FLOAT64, Dtype.INT64}]
    if not wide:
        return ""
    return (
        f". float32 does not hold the values of {', '.join(wide[:5])}, and trees in ONNX compare with 32 bits: make "
        "them smaller, such as seconds since midnight, or accept the rounding by columns=[Column(name=...)]"
    )


def _step(path: str, part: Any) -> str:
    return f"{type(part).__name__} (step {path})" if path else type(part).__name__
