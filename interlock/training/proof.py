"""From a fitted model to an ONNX that is proven to answer as it does, with the golden rows that prove it again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from interlock.errors import NotConvertible, ParityFailed
from interlock.model.answers import Answers
from interlock.model.manifest import MAX_BATCH, Golden
from interlock.model.signature import Dtype, Role, Task
from interlock.training.convert import Converted, convert, finished, role_of
from interlock.training.converters import known_texts
from interlock.training.dataset import Dataset, cells_of
from interlock.training.edges import Edge, edges, unknown_text
from interlock.training.graph import Graph
from interlock.training.learner import ParityBounds
from interlock.training.parity import Fitted, Onnx, check_edges, check_parity
from interlock.training.refusals import of_precision, suspected

GOLDEN_ROWS = 32
MOST_CELLS = 40_000
"""Cells of all golden rows: a manifest with more of them would be too large."""


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
    failed: ParityFailed | None = None
    for attempt in _attempts(converted):
        try:
            return _proven(fitted, attempt, data, held_out, bounds, classes)
        except ParityFailed as error:
            failed = failed or error
    known = suspected(fitted)
    raise ParityFailed(f"{failed}{f'. {known}' if known else ''}{of_precision(data.columns)}") from failed


def _attempts(converted: Converted) -> Iterator[Converted]:
    """Yield the model; and a classifier whose scores need not be given without them: the labels alone may agree."""
    yield converted
    numbers = converted.signature.numbers
    if numbers is not None and numbers.role is Role.SCORES:
        yield converted.without_numbers()


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
