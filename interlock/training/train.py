"""Split, fit, measure, convert: from a learner and its parameters to a trained model with its proof."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, JsonValue
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.model_selection import train_test_split

from interlock.clock import utc_stamp
from interlock.errors import InvalidTraining, NotConvertible, ParityFailed
from interlock.model.answers import Answers
from interlock.model.manifest import MAX_BATCH, Golden, Manifest
from interlock.model.signature import Dtype, Role, Signature, Task
from interlock.training.convert import Converted, convert, finished, role_of
from interlock.training.converters import known_texts
from interlock.training.dataset import Dataset, cells_of
from interlock.training.edges import Edge, edges, unknown_text
from interlock.training.graph import Graph
from interlock.training.learner import Learner, ParityBounds
from interlock.training.metrics import GATE
from interlock.training.parity import Fitted, Onnx, check_edges, check_parity
from interlock.training.refusals import of_precision, suspected

GOLDEN_ROWS = 32
MOST_CELLS = 40_000
"""Cells of all golden rows: a manifest with more of them would be too large."""
LONGEST_PARAMS = 100_000
"""Characters of the parameters as JSON, for the same reason."""


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


@dataclass(frozen=True)
class Proven:
    """An ONNX that says what the fitted model says, and its answers to the held-out rows."""

    converted: Converted
    answers: Answers
    metrics: dict[str, float]
    golden: Golden


def prove(
    fitted: BaseEstimator,
    data: Dataset,
    held_out: Dataset,
    bounds: ParityBounds,
    own: bytes | None = None,
    classes: Sequence[Any] = (),
) -> Proven:
    """
    Convert a fitted model, and look whether its ONNX says the same on held-out rows and at the edges of the data.

    Args:
        fitted: The model.
        data: What it takes, and what its answers mean.
        held_out: Rows that it was not fitted to.
        bounds: How far the two may differ.
        own: Its ONNX, if it was made elsewhere.
        classes: The labels that the model itself answers, in the order of the class names, if these are not 0, 1, ..

    Raises:
        NotConvertible: No ONNX that says the same can be made; the message names the step.
        InvalidTraining: The model does not take what its columns say.
    """
    data = _closed(fitted, data)
    converted = convert(fitted, data, classes) if own is None else _brought(own, fitted, data)
    try:
        return _proven(fitted, converted, data, held_out, bounds, classes)
    except ParityFailed as error:
        if converted.signature.numbers and converted.signature.numbers.role is Role.SCORES:
            return _proven(fitted, converted.without_numbers(), data, held_out, bounds, classes)
        more = "".join(f". {known}" for known in [suspected(fitted)] if known) + of_precision(data.columns)
        raise ParityFailed(f"{error}{more}") from error


def _proven(
    fitted: BaseEstimator,
    converted: Converted,
    data: Dataset,
    held_out: Dataset,
    bounds: ParityBounds,
    classes: Sequence[Any],
) -> Proven:
    onnx, task = Onnx(converted.onnx, converted.signature), data.task
    truth = Fitted(fitted, task, converted.signature.numbers, classes)
    parity = check_parity(truth, onnx, held_out.frame, bounds)
    at_edges = edges(data, truth.classes if task is Task.CLASSIFICATION else None)
    check_edges(truth, onnx, at_edges, bounds, held_out.frame)
    return Proven(converted, onnx.answers(held_out.frame), parity.as_metrics(), golden_of(onnx, held_out, at_edges))


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


def golden_of(onnx: Onnx, rows: Dataset, at_edges: Sequence[Edge]) -> Golden:
    """Return rows spread over the held-out ones, and one of each of the first edges, with the answers of the ONNX."""
    most = max(2, min(MAX_BATCH, MOST_CELLS // len(rows.columns)))
    spread = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, most, len(rows)), dtype=int)
    chosen = [rows.frame.iloc[spread], *(edge.rows.iloc[:1] for edge in at_edges)]
    frame = pd.concat(chosen, ignore_index=True).iloc[:most]
    answers = onnx.answers(frame)
    given: dict[str, Any] = {"rows": cells_of(frame, rows.columns)}
    if answers.labels is not None:
        given["labels"] = answers.labels.tolist()
    if answers.numbers is not None and answers.role is not None:
        given[answers.role] = answers.numbers.tolist()
    return Golden.model_validate(given)


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


def _brought(onnx: bytes, fitted: BaseEstimator, data: Dataset) -> Converted:
    from onnx import load_model_from_string

    try:
        return Converted(*finished(Graph(load_model_from_string(onnx)).without_zipmaps(), data, role_of(fitted)))
    except NotConvertible:
        raise
    except Exception as error:
        msg = f"the ONNX that the learner brings does not take and give what its data does: {error}"
        raise NotConvertible(msg) from error


def _closed(fitted: BaseEstimator, data: Dataset) -> Dataset:
    """
    Return the data with the texts of a column as its categories, where the model takes no others.

    The model itself refuses a text that it never saw, as `OneHotEncoder` does by default; its ONNX would not.
    """
    columns, known = [], known_texts(fitted)
    for column in data.columns:
        if column.dtype is Dtype.STRING and not column.categories and not _takes(fitted, unknown_text(data, column)):
            seen = known.get(column.name) or tuple(sorted({*data.frame[column.name]} - {""}))
            columns.append(column.model_copy(update={"categories": seen}))
        else:
            columns.append(column)
    return replace(data, columns=columns)


def _takes(fitted: Any, frame: pd.DataFrame) -> bool:
    try:
        fitted.predict(frame)
    except Exception:  # noqa: BLE001 - whatever it is, the model says no
        return False
    return True


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
