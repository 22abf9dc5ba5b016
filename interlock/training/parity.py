"""
Whether the ONNX says what the fitted model says: on held-out rows, by shares; at the edges of the data, on every row.

A share hides rare rows: of a forest that was trained with one missing cell in 1,500, 99.94 % of the held-out rows
agreed, and every row with a missing cell was answered with the other class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from interlock.errors import InvalidTraining, ParityFailed
from interlock.model.answers import Answers
from interlock.model.golden import scale_of
from interlock.model.manifest import Cells, Labels
from interlock.model.rows import Tensors, encode_rows
from interlock.model.session import opened
from interlock.model.signature import Output, Role, Signature, Task
from interlock.training.dataset import tensors_of
from interlock.training.edges import Edge
from interlock.training.learner import ParityBounds

TIE = 1e-6
"""Probabilities that differ by less are those of a tie."""


class Onnx:
    """The answers of onnxruntime for the bytes of an ONNX file."""

    def __init__(self, onnx: bytes, signature: Signature) -> None:
        """Load as the engines do. Raises NotOpened."""
        self.signature = signature
        self._session = opened(onnx)

    def answers(self, frame: pd.DataFrame) -> Answers:
        """Answer the rows of an encoded frame."""
        return self._computed(tensors_of(frame, self.signature.inputs))

    def asked(self, rows: Cells) -> Answers:
        """Answer rows as clients send them. Raises InvalidRows."""
        return self._computed(encode_rows(rows, self.signature))

    def _computed(self, rows: Tensors) -> Answers:
        return Answers.of(self.signature, self._session.run(self.signature.output_names, rows.arrays))


class Fitted:
    """
    The answers of a fitted model itself, in the places of a signature's classes.

    Args:
        classes: The model's own labels in the order of the class names; 0, 1, .. without them.
    """

    def __init__(self, model: BaseEstimator, task: Task, numbers: Output | None, classes: Sequence[Any] = ()) -> None:
        """Nothing is computed yet."""
        self._model = model
        self._task = task
        self._numbers = numbers
        self._places = {label: place for place, label in enumerate(classes)}

    def answers(self, frame: pd.DataFrame) -> Answers:
        """
        Answer the rows of an encoded frame.

        Raises:
            Exception: Whatever the model raises for rows that it does not take.
        """
        predicted: Any = np.asarray(self._model.predict(frame))
        if self._task is Task.REGRESSION:
            return Answers(None, predicted.reshape(len(frame), -1).astype(np.float64), Role.VALUE)
        if self._task is Task.MULTILABEL:
            labels = np.asarray(predicted).reshape(len(frame), -1).astype(np.int64)
        else:
            flat = predicted.reshape(len(frame)).tolist()  # CatBoost gives a column
            labels = np.array([self._places[one] for one in flat] if self._places else flat, dtype=np.int64)
        if self._numbers is None:
            return Answers(labels, None, None)
        return Answers(labels, self._scored(frame, self._numbers), self._numbers.role)

    def classes(self, frame: pd.DataFrame) -> Labels:
        """Return the places of the classes of the rows, shape (n,). Raises as `answers`."""
        return np.asarray(self.answers(frame).labels)

    def _scored(self, frame: pd.DataFrame, output: Output) -> npt.NDArray[np.float64]:
        if output.role is Role.SCORES:
            scores = np.asarray(self._model.decision_function(frame), dtype=np.float64)
            if scores.ndim == 2:  # noqa: PLR2004
                return scores
            return scores[:, np.newaxis] if output.width == 1 else np.stack([-scores, scores], axis=1)
        found = self._model.predict_proba(frame)
        if isinstance(found, list):  # one for each label, each of shape (n, 2)
            return np.stack([pair[:, 1] for pair in found], axis=1)
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class Parity:
    """How far the ONNX is from the fitted model on held-out rows; differences as `compare` of golden rows has them."""

    same_labels: float
    close_numbers: float
    worst_row: int
    worst_difference: float

    def as_metrics(self) -> dict[str, float]:
        """Return the numbers under the names that MLflow shows."""
        return {
            "parity_same_labels": self.same_labels,
            "parity_close_numbers": self.close_numbers,
            "parity_worst_row": float(self.worst_row),
            "parity_worst_difference": self.worst_difference,
        }


def check_parity(fitted: Fitted, onnx: Onnx, frame: pd.DataFrame, bounds: ParityBounds) -> Parity:
    """
    Measure how far the ONNX is from the fitted model on the rows of *frame*.

    Raises:
        InvalidTraining: The model itself does not take a row.
        ParityFailed: Further than *bounds* allow; the message names the worst row.
    """
    gone = [str(name) for name in frame.columns if frame[name].isna().any()]
    expected = _expected(fitted, frame, f"a cell is missing in {', '.join(gone[:5])}" if gone else "they were held out")
    same, difference = differences(expected, _answered(onnx, frame, "it was held out"), _scale(expected))
    parity = Parity(
        same_labels=float(np.mean(same)),
        close_numbers=float(np.mean(difference <= bounds.tolerance)),
        worst_row=int(difference.argmax()),
        worst_difference=float(difference.max()),
    )
    if parity.same_labels < bounds.labels or parity.close_numbers < bounds.numbers:
        msg = (
            f"the ONNX answers otherwise than the fitted model: same labels {parity.same_labels:.4%}, at least "
            f"{bounds.labels:.4%}; numbers within {bounds.tolerance:g} {parity.close_numbers:.4%}, at least "
            f"{bounds.numbers:.4%}; worst is held-out row {parity.worst_row}, off by {parity.worst_difference:.3g}"
        )
        raise ParityFailed(msg)
    return parity


def check_edges(fitted: Fitted, onnx: Onnx, edges: Sequence[Edge], bounds: ParityBounds, frame: pd.DataFrame) -> None:
    """
    Look whether the ONNX says what the fitted model says on every row of every edge.

    A row on which they differ passes where the model itself gives the answer of the ONNX one rounding step beside it:
    the row lies on the threshold of a tree, and float32 falls on the other side.

    Args:
        fitted: The model itself.
        onnx: What was made of it.
        edges: Rows on which they must agree.
        bounds: How far a number may be off.
        frame: Held-out rows, whose largest values a difference of scores or values is measured by.

    Raises:
        InvalidTraining: The model itself does not take a row of an edge, such as one with a missing cell.
        ParityFailed: They differ on a row; the message names the edge.
    """
    scale = _scale(fitted.answers(frame))
    for edge in edges:
        expected = _expected(fitted, edge.rows, edge.what)
        answers = _answered(onnx, edge.rows, edge.what)
        same, difference = differences(expected, answers, scale)
        differing = np.flatnonzero(~same | (difference > bounds.tolerance)).tolist()
        wrong = [row for row in differing if not _is_beside(fitted, edge, row, answers, scale, bounds.tolerance)]
        if wrong:
            msg = (
                f"the ONNX answers otherwise than the fitted model where {edge.what}: {len(wrong)} of "
                f"{len(edge.rows)} rows, numbers by {difference[wrong].max():.3g}"
            )
            raise ParityFailed(msg)


def _expected(fitted: Fitted, frame: pd.DataFrame, what: str) -> Answers:
    """Return what the model itself answers. Raises InvalidTraining where it does not take the rows."""
    try:
        return fitted.answers(frame)
    except Exception as error:
        msg = f"the model does not take rows in which {what}, although the columns do: {error}"
        raise InvalidTraining(msg) from error


def _answered(onnx: Onnx, frame: pd.DataFrame, what: str) -> Answers:
    """Return what the ONNX answers to rows that the model itself answered."""
    try:
        answers = onnx.answers(frame)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        msg = f"the ONNX answers otherwise than the fitted model: it does not compute a row where {what}: {first}"
        raise ParityFailed(msg) from error
    if len(answers) != len(frame):
        msg = f"the ONNX answers otherwise than the fitted model: {len(answers)} answers to {len(frame)} rows"
        raise ParityFailed(msg)
    return answers


def differences(
    expected: Answers, answers: Answers, scale: npt.NDArray[np.float64] | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """
    Return which rows have the same label, and how far the worst number of each is off; infinitely for NaN.

    Two labels count as the same where the model itself finds them equally probable, as half of a forest's trees may
    say each: there the last digit of a sum decides.
    """
    difference, same = np.zeros(len(expected)), np.ones(len(expected), dtype=bool)
    if expected.numbers is not None and answers.numbers is not None and scale is not None:
        with np.errstate(invalid="ignore"):
            difference = (np.abs(expected.numbers - answers.numbers) / scale).max(axis=1)
        both_missing = (np.isnan(expected.numbers) & np.isnan(answers.numbers)).any(axis=1)
        difference[~np.isfinite(difference) | both_missing] = np.inf
    if expected.labels is None or answers.labels is None:
        return same, difference
    same = (expected.labels == answers.labels) | _tied(expected, answers.labels, scale)
    return same if same.ndim == 1 else same.all(axis=1), difference


def _tied(expected: Answers, theirs: Labels, scale: npt.NDArray[np.float64] | None) -> npt.NDArray[np.bool_]:
    """Return where the model finds its own label and *theirs* equally probable, of their shape."""
    own, numbers = np.asarray(expected.labels), expected.numbers
    if numbers is None or scale is None:
        return np.zeros(own.shape, dtype=bool)
    if own.ndim > 1:  # each label by itself is as likely as not
        return np.asarray(np.abs(numbers - (0.5 if expected.role is Role.PROBABILITIES else 0)) <= TIE * scale)
    if numbers.shape[1] == 1:
        return np.asarray(np.abs(numbers[:, 0]) <= TIE * scale[0])
    rows, last = np.arange(len(own)), numbers.shape[1] - 1
    apart = numbers[rows, np.clip(theirs, 0, last)] - numbers[rows, np.clip(own, 0, last)]
    return np.asarray(np.abs(apart) <= TIE * scale.max())


def _is_beside(
    fitted: Fitted, edge: Edge, row: int, answers: Answers, scale: npt.NDArray[np.float64] | None, tolerance: float
) -> bool:
    """Whether the model gives the ONNX's answer to a row that only float32's rounding sets apart."""
    near = fitted.answers(edge.beside(row))
    one = np.full(len(near), row)
    repeated = Answers(
        None if answers.labels is None else answers.labels[one],
        None if answers.numbers is None else answers.numbers[one],
        answers.role,
    )
    same, difference = differences(near, repeated, scale)
    return bool((same & (difference <= tolerance)).any())


def _scale(expected: Answers) -> npt.NDArray[np.float64] | None:
    if expected.numbers is None or expected.role is None:
        return None
    return scale_of(expected.numbers, expected.role)
