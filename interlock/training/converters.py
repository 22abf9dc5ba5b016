"""Converters beyond scikit-learn's own, registered when a model needs them; and what a fitted model is made of."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from interlock.extras import extra

OPTIONS: dict[str, Any] = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


def register_for(fitted: BaseEstimator) -> None:
    """
    Teach skl2onnx to convert what *fitted* is made of; doing it again changes nothing.

    Raises:
        NotInstalled: Its converter is in an extra that is not installed; the message names it.
    """
    for _, part in parts_of(fitted):
        package = type(part).__module__.partition(".")[0]
        if package in PACKAGES:
            PACKAGES[package](part)


def parts_of(fitted: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the model and everything in it, each with its place, such as `columntransformer > words`."""
    yield path, fitted
    for name, part in _inner(fitted):
        yield from parts_of(part, f"{path} > {name}" if path else name)


def known_texts(fitted: BaseEstimator) -> dict[str, tuple[str, ...]]:
    """Return the texts that encoders learned, by the column that a `ColumnTransformer` gives them."""
    found: dict[str, Any] = {}
    for _, part in parts_of(fitted):
        if isinstance(part, ColumnTransformer):
            for _, branch, columns in part.transformers_:
                encoder = next((one for _, one in parts_of(branch) if hasattr(one, "categories_")), None)
                if encoder is not None and not isinstance(columns, str | slice):
                    found |= dict(zip(map(str, columns), encoder.categories_, strict=False))
    return {name: tuple(text for text in texts if isinstance(text, str) and text) for name, texts in found.items()}


def prepared(fitted: BaseEstimator) -> BaseEstimator:
    """
    Return a model that predicts the same and can be converted more often; *fitted* itself stays as it is.

    Samplers do nothing at prediction; how `VotingClassifier.transform` looks matters to nobody here; boosters of
    XGBoost keep the names of a frame, which their converter does not understand.
    """
    changes = [place for place, part in parts_of(fitted) if _change_for(part)]
    if not changes:
        return fitted
    made = deepcopy(fitted)
    for _, part in list(parts_of(made)):
        if change := _change_for(part):
            change(part)
    return made


def _change_for(part: Any) -> Callable[[Any], None] | None:
    if isinstance(part, Pipeline) and (type(part) is not Pipeline or any(_is_sampler(step) for _, step in part.steps)):
        return _without_samplers
    if getattr(part, "flatten_transform", False):
        return lambda voting: setattr(voting, "flatten_transform", False)
    if type(part).__module__.startswith("xgboost.") and getattr(part, "feature_names_in_", None) is not None:
        return _without_names
    return None


def _is_sampler(step: Any) -> bool:
    return hasattr(step, "fit_resample")


def _without_samplers(pipeline: Any) -> None:
    pipeline.steps = [(name, step) for name, step in pipeline.steps if not _is_sampler(step)]
    pipeline.__class__ = Pipeline


def _without_names(booster: Any) -> None:
    booster.get_booster().feature_names = None


def _inner(fitted: Any) -> Iterator[tuple[str, Any]]:
    for attribute in ("steps", "transformers_", "transformer_list"):
        named = getattr(fitted, attribute, ())
        yield from ((name, part) for name, part, *_ in named if isinstance(part, BaseEstimator))
    found = getattr(fitted, "estimators_", None)
    if isinstance(found, list) and all(isinstance(part, BaseEstimator) for part in found):
        kinds = {type(part): part for part in found}  # a forest has hundreds of the same kind
        yield from ((type(part).__name__.lower(), part) for part in kinds.values())
    for name in ("estimator", "estimator_", "best_estimator_", "final_estimator_", "regressor_"):
        part = getattr(fitted, name, None)
        if isinstance(part, BaseEstimator):
            yield name.strip("_"), part


def _xgboost(part: BaseEstimator) -> None:
    with extra("boosting"):
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    _register(part, "XGBoost", convert_xgboost)


def _lightgbm(part: BaseEstimator) -> None:
    with extra("boosting"):
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

    def convert(scope: Any, operator: Any, container: Any) -> None:
        convert_lightgbm(scope, operator, _RoundedDown(container))

    _register(part, "LightGbm", convert, split=None)


class _RoundedDown:
    """
    A container of skl2onnx that rounds the thresholds of trees down to float32.

    LightGBM compares `x <= threshold` in float64. For a float32 x that is `x <= the largest float32 below`; the nearest
    one, which would be written otherwise, may lie above the threshold and send x to the other side.
    """

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *node: Any, **more: Any) -> None:
        """Add a node, of whose thresholds none is rounded up."""
        if "nodes_values" in more:
            exact = np.asarray(more["nodes_values"], dtype=np.float64)
            near = exact.astype(np.float32)
            more["nodes_values"] = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near).tolist()
        self._container.add_node(*node, **more)


def _catboost(part: BaseEstimator) -> None:
    from interlock.training.catboost_onnx import register  # an extra

    del part
    register()


def _register(part: BaseEstimator, prefix: str, convert: Callable[..., None], **options: None) -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    kind = type(part)
    if is_classifier(part):
        shapes, known = calculate_linear_classifier_output_shapes, OPTIONS
    else:
        shapes, known = calculate_linear_regressor_output_shapes, options
    update_registered_converter(kind, f"{prefix}{kind.__name__}", shapes, convert, options=known)


PACKAGES: dict[str, Callable[[BaseEstimator], None]] = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
