"""
The child process in which somebody else's model is loaded, converted and proven; `adopting` starts it.

    request.json   what is asked, in the folder that is named
    model.onnx     and answer.json: what was made, or why nothing was

It has none of the project's secrets in its environment; what it answers is data.
"""

import json
import pickle
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from interlock.errors import DeliveryError, InvalidTraining, NotConvertible, Refused
from interlock.model.signature import Task
from interlock.training import foreign_onnx
from interlock.training.columns import column_of
from interlock.training.dataset import Dataset, encoded_frame
from interlock.training.learner import Learner, ParityBounds
from interlock.training.parity import Onnx
from interlock.training.proof import golden_of, prove

REQUEST, ANSWER, MADE = "request.json", "answer.json", "model.onnx"
HARMLESS = {
    *Learner.skops_trusted_types,
    "collections.OrderedDict",
    "collections.defaultdict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
}
"""Types that hold numbers and trees, and run nothing when they are loaded."""
MATRIX = 2


@dataclass(frozen=True)
class Request:
    """
    What the child is asked.

    Args:
        flavour: Of the model.
        file: What the flavour loads.
        model_class: The class that the model says it is of.
        sample: A Parquet file of rows that it takes.
        task: What an ONNX answers; None where its outputs say it.
        class_names: Of its classes, by label; None for its own.
        trust: Whether whatever is in the file may be run.
    """

    flavour: str
    file: str
    model_class: str
    sample: str
    task: str | None
    class_names: list[str] | None
    trust: bool


def main(folder: Path) -> None:
    """Answer the request in *folder*; what is wrong with the model is an answer, too."""
    request = Request(**json.loads((folder / REQUEST).read_text()))
    try:
        answer = _adopted(request, folder)
    except DeliveryError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    (folder / ANSWER).write_text(json.dumps(answer))


def _adopted(request: Request, folder: Path) -> dict[str, Any]:
    sample = pd.read_parquet(request.sample)
    if request.flavour == "onnx":
        task = Task(request.task) if request.task else None
        converted, data = foreign_onnx.converted(Path(request.file).read_bytes(), sample, task, request.class_names)
        golden, metrics = golden_of(Onnx(converted.onnx, converted.signature), data, ()), dict[str, float]()
    else:
        fitted = loaded(request)
        data, classes = data_of(fitted, sample, request.class_names)
        proven = prove(fitted, data, data, ParityBounds(labels=1.0, numbers=1.0), classes=classes)
        converted, golden, metrics = proven.converted, proven.golden, proven.metrics
    (folder / MADE).write_bytes(converted.onnx)
    return {
        "signature": converted.signature.model_dump(mode="json"),
        "golden": golden.model_dump(mode="json"),
        "metrics": metrics,
    }


def loaded(request: Request) -> BaseEstimator:
    """
    Load the model.

    Raises:
        Refused: It holds types that nobody trusts, or cannot be loaded.
    """
    path = Path(request.file)
    try:
        return LOADERS[request.flavour](path, request)
    except DeliveryError:
        raise
    except Exception as error:
        msg = f"{path.name} cannot be loaded here: {type(error).__name__}: {error}"
        raise Refused(msg) from error


def data_of(fitted: Any, sample: pd.DataFrame, names: list[str] | None) -> tuple[Dataset, list[Any]]:
    """
    Return the sample as the model takes it, with what its answers mean, and the labels that the model itself answers.

    Raises:
        InvalidTraining: The sample does not fit, or nothing says what the classes are.
    """
    wanted = getattr(fitted, "feature_names_in_", None)
    if wanted is not None and [name.replace(" ", "_") for name in sample.columns] != list(wanted):  # LightGBM's names
        if missing := [str(name) for name in wanted if name not in sample.columns]:
            msg = f"the model takes the column {missing[0]}, which the sample does not have"
            raise InvalidTraining(msg)
        sample = sample[[str(name) for name in wanted]]
    count = getattr(fitted, "n_features_in_", 0) or len(sample.columns)  # CatBoost says 0 when it was loaded
    if count != len(sample.columns):
        msg = f"the model takes {count} columns, the sample has {len(sample.columns)}"
        raise InvalidTraining(msg)
    columns = [column_of(sample[name]) for name in sample.columns]
    frame = encoded_frame(sample, columns)
    made = Dataset(frame, columns, np.empty(len(frame)), Task.REGRESSION, [], None, [])
    return _with_answers(fitted, made, names)


def _with_answers(fitted: Any, data: Dataset, names: list[str] | None) -> tuple[Dataset, list[Any]]:
    try:
        found = np.asarray(fitted.predict(data.frame))
    except Exception as error:
        msg = f"the model does not take the rows of the sample: {error}"
        raise InvalidTraining(msg) from error
    if not is_classifier(fitted):
        if not is_regressor(fitted):
            msg = f"{type(fitted).__name__} is neither a classifier nor a regressor"
            raise NotConvertible(msg)
        width = found.size // len(found)
        targets = names or (["value"] if width == 1 else [f"value_{place}" for place in range(width)])
        return replace(data, targets=targets), []
    if found.ndim == MATRIX and found.shape[1] > 1:
        labels = names or [f"label_{place}" for place in range(found.shape[1])]
        return replace(data, task=Task.MULTILABEL, class_names=labels, labels=list(labels)), []
    own = [one.item() if isinstance(one, np.generic) else one for one in fitted.classes_]
    plain = [int(one) if isinstance(one, float) and one.is_integer() else one for one in own]
    if names is not None and len(names) != len(own):
        msg = f"the model has {len(own)} classes, and {len(names)} names were given"
        raise InvalidTraining(msg)
    made = replace(data, task=Task.CLASSIFICATION, class_names=names or [str(one) for one in plain])
    return replace(made, labels=None if names else plain), own


def _skops(path: Path, request: Request) -> BaseEstimator:
    if path.suffix != ".skops":
        with path.open("rb") as file:
            fitted: BaseEstimator = pickle.load(file)  # noqa: S301 - only with trust=True, in this process without secrets
        return fitted
    import skops.io

    unknown = skops.io.get_untrusted_types(file=path)
    strange = [name for name in unknown if name not in HARMLESS]
    if strange and not request.trust:
        msg = f"it holds the types {', '.join(strange[:5])}, which nobody knows to be harmless; trust=True loads them"
        raise Refused(msg)
    return skops.io.load(path, trusted=unknown)


def _xgboost(path: Path, request: Request) -> BaseEstimator:
    import xgboost

    booster = xgboost.Booster(model_file=str(path))
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    is_known = request.model_class.startswith("XGB")
    kind = (
        request.model_class
        if is_known
        else "XGBClassifier"
        if objective.startswith(("binary:", "multi:"))
        else "XGBRegressor"
    )
    fitted: BaseEstimator = getattr(xgboost, kind)()
    fitted.load_model(str(path))
    return fitted


def _lightgbm(path: Path, request: Request) -> BaseEstimator:
    if path.suffix != ".lgb":
        return _skops(path, request)
    msg = "a bare LightGBM booster does not say what its classes are: log the LGBMClassifier or LGBMRegressor itself"
    raise NotConvertible(msg)


def _catboost(path: Path, request: Request) -> BaseEstimator:
    import catboost

    fitted: BaseEstimator = getattr(catboost, request.model_class or "CatBoostClassifier")()
    return fitted.load_model(str(path))


LOADERS = {"sklearn": _skops, "xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
