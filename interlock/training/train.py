"""Split, fit, measure, convert: from a learner and its parameters to a trained model with its proof."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, JsonValue
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.model_selection import train_test_split

from interlock.clock import utc_stamp
from interlock.errors import InvalidTraining
from interlock.model.answers import Answers
from interlock.model.manifest import Golden, Manifest
from interlock.model.signature import Signature, Task
from interlock.training.dataset import Dataset
from interlock.training.learner import Learner
from interlock.training.metrics import GATE
from interlock.training.proof import prove

LONGEST_PARAMS = 100_000
"""Characters of the parameters as JSON: a manifest with more of them would be too large."""


@dataclass(frozen=True)
class Trained:
    """A fitted model, its ONNX, and what was measured on rows that it never saw."""

    learner: str
    params: dict[str, JsonValue]
    fitted: BaseEstimator
    onnx: bytes
    signature: Signature
    held_out: Dataset
    answers: Answers
    metrics: dict[str, float]
    golden: Golden
    trained_at_utc: str
    skops_trusted_types: list[str]
    gate: tuple[str, float]

    @property
    def sha256(self) -> str:
        """The digest of the ONNX, which is what a release releases."""
        return sha256(self.onnx).hexdigest()

    @property
    def truth(self) -> npt.NDArray[Any]:
        """What the answers should be."""
        return self.held_out.target

    def manifest(self, run_id: str) -> Manifest:
        """Return the passport of the model as trained by the MLflow run *run_id*."""
        return Manifest(
            run_id=run_id,
            learner=self.learner,
            trained_at_utc=self.trained_at_utc,
            sha256=self.sha256,
            size=len(self.onnx),
            signature=self.signature,
            params=self.params,
            metrics=self.metrics,
            golden=self.golden,
        )


def train(name: str, learner: Learner, params: BaseModel, data: Dataset | None = None) -> Trained:
    """
    Train *learner* with *params*, an instance of its `Params`, on *data* or on what it brings itself.

    Raises:
        InvalidTraining: The data cannot be trained on; the message names the column.
        NotConvertible: No ONNX that says the same can be made; the message names the step.
    """
    written = params.model_dump(mode="json")
    if len(params.model_dump_json()) > LONGEST_PARAMS:
        msg = f"the parameters have more than {LONGEST_PARAMS} characters"
        raise InvalidTraining(msg)
    data = learner.data() if data is None else data
    check_data(data)
    seen, held_out = _split(data, learner)
    fitted = _fitted(learner, params, seen)
    proven = prove(fitted, data, held_out, learner.parity, learner.onnx(fitted))
    metrics = learner.metrics(data.task, held_out.target, proven.answers)
    default, threshold = GATE[data.task]
    return Trained(
        learner=name,
        params=written,
        fitted=fitted,
        onnx=proven.converted.onnx,
        signature=proven.converted.signature,
        held_out=held_out,
        answers=proven.answers,
        metrics=metrics | proven.metrics,
        golden=proven.golden,
        trained_at_utc=utc_stamp(),
        skops_trusted_types=learner.skops_trusted_types,
        gate=(learner.metric or default, threshold if learner.threshold is None else learner.threshold),
    )


def check_data(data: Dataset) -> None:
    """
    Refuse rows that cannot be trained on.

    Raises:
        InvalidTraining: There is one class only, or a class has fewer than two rows.
    """
    if data.task is not Task.CLASSIFICATION:
        return
    rows_of = np.bincount(data.target, minlength=len(data.class_names))
    if len(data.class_names) < 2:  # noqa: PLR2004
        msg = f"there is one class only, {data.class_names[0]}: nothing can be learned"
        raise InvalidTraining(msg)
    short = [name for name, rows in zip(data.class_names, rows_of, strict=True) if rows < 2]  # noqa: PLR2004
    if short:
        msg = f"every class needs two rows at least: {', '.join(short[:5])}"
        raise InvalidTraining(msg)


def _fitted(learner: Learner, params: BaseModel, seen: Dataset) -> BaseEstimator:
    fitted = learner.pipeline(params)
    try:
        fitted.fit(seen.frame, seen.fitting_target)
    except Exception as error:
        gone = [column.name for column in seen.columns if column.nullable]
        also = f" (cells are missing in {', '.join(gone[:5])})" if gone and type(error) is ValueError else ""
        msg = f"the pipeline cannot be fitted: {type(error).__name__}: {error}{also}"
        raise InvalidTraining(msg) from error
    kind = "regressor" if seen.task is Task.REGRESSION else "classifier"
    if not (is_regressor(fitted) if seen.task is Task.REGRESSION else is_classifier(fitted)):
        msg = f"{type(fitted).__name__} is no {kind}, and the target asks for a {seen.task}; say task= if it is another"
        raise InvalidTraining(msg)
    return fitted


def _split(data: Dataset, learner: Learner) -> tuple[Dataset, Dataset]:
    places = np.arange(len(data))
    by_class = data.target if data.task is Task.CLASSIFICATION else None
    try:
        seen, held = train_test_split(
            places, test_size=learner.test_share, random_state=learner.seed, stratify=by_class
        )
    except ValueError as error:
        msg = f"{len(data)} rows cannot be split: {error}"
        raise InvalidTraining(msg) from error
    return data.rows(seen), data.rows(held)
