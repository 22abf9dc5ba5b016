"""
scikit-learn -> ONNX: one float tensor in, `label` and `probabilities` out; and whether both say the same.

The opset is one that the onnxruntime of Triton's older images knows too. A model whose values are large beside their
spread (ids, epoch seconds) loses digits in float32: parity finds that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator

from interlock.errors import InvalidTraining, ParityFailed
from interlock.model.answers import Answers
from interlock.model.manifest import Labels, Rows
from interlock.model.session import opened
from interlock.training.edges import Edge
from interlock.training.learner import ParityBounds

INPUT = "input"
OUTPUTS = ["label", "probabilities"]
OPSET = {"": 17, "ai.onnx.ml": 3}

TIE = 1e-6
"""Probabilities that differ by less are those of a tie."""


def convert(fitted: BaseEstimator, features: int) -> bytes:
    """Return the fitted classifier as the bytes of an ONNX file: `input` (n, features) float32."""
    model = to_onnx(
        fitted,
        initial_types=[(INPUT, FloatTensorType([None, features]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    return bytes(model.SerializeToString())


class OnnxClassifier:
    """The answers of onnxruntime for the bytes of an ONNX file."""

    def __init__(self, onnx: bytes) -> None:
        """Load as the engines do. Raises NotOpened."""
        self._session = opened(onnx)

    def predict(self, rows: Rows) -> tuple[Labels, npt.NDArray[np.float32]]:
        """Return labels, shape (n,), and probabilities, shape (n, classes), of *rows*, shape (n, features)."""
        answers = Answers.of(*self._session.run(OUTPUTS, {INPUT: rows}))
        return answers.labels, answers.probabilities


@dataclass(frozen=True)
class Parity:
    """How far the ONNX is from scikit-learn on held-out rows."""

    same_labels: float
    close_probabilities: float
    worst_row: int
    worst_difference: float

    def as_metrics(self) -> dict[str, float]:
        """Return the numbers under the names that MLflow shows."""
        return {
            "parity_same_labels": self.same_labels,
            "parity_close_probabilities": self.close_probabilities,
            "parity_worst_row": float(self.worst_row),
            "parity_worst_difference": self.worst_difference,
        }


def _differences(
    fitted: BaseEstimator, onnx: OnnxClassifier, rows: Rows
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """
    Return which rows have the same label, and how far the worst probability of each is off; infinitely for NaN.

    Two labels count as the same where the classifier itself finds them equally probable, as half of a forest's trees
    may say each: there the last digit of a sum decides.
    """
    labels, probabilities = onnx.predict(rows)
    expected, theirs = fitted.predict_proba(rows), np.ravel(fitted.predict(rows)).astype(int)  # CatBoost gives a column
    difference = np.abs(expected - probabilities).max(axis=1)
    difference[~np.isfinite(difference)] = np.inf
    each = np.arange(len(rows))
    tied = np.abs(expected[each, np.clip(labels, 0, expected.shape[1] - 1)] - expected[each, theirs]) <= TIE
    return (labels == theirs) | tied, difference


def check_edges(fitted: BaseEstimator, onnx: OnnxClassifier, edges: Sequence[Edge], bounds: ParityBounds) -> None:
    """
    Look whether the ONNX says what the fitted classifier says on every row of every edge.

    A row on which they differ passes where the classifier itself gives the answer of the ONNX one rounding step beside
    it: the row lies on the threshold of a tree, and float32 falls on the other side.

    Raises:
        InvalidTraining: The classifier itself does not take a row of an edge, such as one with a missing cell.
        ParityFailed: They differ on a row; the message names the edge.
    """
    for edge in edges:
        try:
            same, difference = _differences(fitted, onnx, edge.rows)
        except ValueError as error:
            msg = f"the model does not take rows in which {edge.what}, although the columns do: {error}"
            raise InvalidTraining(msg) from error
        differing = np.flatnonzero(~same | (difference > bounds.tolerance)).tolist()
        answers = onnx.predict(edge.rows)[1]
        wrong = [row for row in differing if not _is_beside(fitted, edge, row, answers[row], bounds.tolerance)]
        if wrong:
            msg = (
                f"the ONNX differs from scikit-learn where {edge.what}: {len(wrong)} of {len(edge.rows)} rows, "
                f"probabilities by {difference[wrong].max():.3g}"
            )
            raise ParityFailed(msg)


def _is_beside(fitted: BaseEstimator, edge: Edge, row: int, answer: npt.NDArray[np.float32], tolerance: float) -> bool:
    """Whether the classifier gives *answer*, shape (classes,), to a row that only float32's rounding sets apart."""
    expected = fitted.predict_proba(edge.beside(row))
    return bool(np.abs(expected - answer).max(axis=1).min() <= tolerance)


def check_parity(fitted: BaseEstimator, onnx: OnnxClassifier, rows: Rows, bounds: ParityBounds) -> Parity:
    """
    Measure how far the ONNX is from the fitted classifier on *rows*.

    Raises:
        ParityFailed: Further than *bounds* allow; the message names the worst row.
    """
    same, difference = _differences(fitted, onnx, rows)
    parity = Parity(
        same_labels=float(np.mean(same)),
        close_probabilities=float(np.mean(difference <= bounds.tolerance)),
        worst_row=int(difference.argmax()),
        worst_difference=float(difference.max()),
    )
    if parity.same_labels < bounds.labels or parity.close_probabilities < bounds.probabilities:
        msg = (
            f"the ONNX differs from scikit-learn: same labels {parity.same_labels:.4%}, at least {bounds.labels:.4%}; "
            f"probabilities within {bounds.tolerance:g} {parity.close_probabilities:.4%}, "
            f"at least {bounds.probabilities:.4%}; "
            f"worst is held-out row {parity.worst_row}, off by {parity.worst_difference:.3g}"
        )
        raise ParityFailed(msg)
    return parity
