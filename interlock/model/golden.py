"""Real inferences compared with the golden answers: 24 % of damaged models load, run and answer wrongly."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from interlock.errors import SmokeFailed, TooSlow
from interlock.model.answers import Answers
from interlock.model.manifest import Cells, Golden
from interlock.model.signature import Role, Signature

TOLERANCE = 1e-4
SUM_TOLERANCE = 1e-3
LATENCY_PROBES = 5


Infer = Callable[[Cells], Answers]
"""Asks for rows, shape (n, features)."""


def prove(golden: Golden, infer: Infer, latency_budget_ms: float | None) -> str:
    """
    Ask for the golden rows at once, and for some alone; return what was measured.

    Args:
        golden: The rows, and the answers of the training process.
        infer: Asks the replica.
        latency_budget_ms: Most milliseconds of the median single row; None measures and judges only the answers.

    Raises:
        SmokeFailed: Another answer than in training.
        TooSlow: The median single row takes over *latency_budget_ms*.
    """
    worst = compare(golden, infer(golden.rows))
    latencies = []
    for row in (golden.rows * LATENCY_PROBES)[:LATENCY_PROBES]:
        started = time.perf_counter()
        infer([row])
        latencies.append((time.perf_counter() - started) * 1000)
    latency = check_latency(latencies, latency_budget_ms)
    return f"{len(golden.rows)} golden rows, off by {worst:.2g} at most, {latency}"


def compare(golden: Golden, answers: Answers) -> float:
    """
    Compare answers to the golden rows; return the largest difference of a number, 0 if there are only labels.

    Labels must be the same. Numbers must be finite and lie within 1e-4: of a probability; of a score or a value
    relative to the largest one of its column. The probabilities of a classification sum to one per row.

    Args:
        golden: The rows that were asked, with the answers of the training process.
        answers: To all of them.

    Raises:
        SmokeFailed: Any of it is otherwise; the message names the first wrong row.
    """
    worst = 0.0
    if golden.numbers is not None:
        worst = _compare_numbers(golden, np.asarray(golden.numbers, dtype=np.float64), answers.numbers)
    if golden.labels is not None:
        expected = np.asarray(golden.labels)
        same = _array(answers.labels, expected.shape) == expected
        if not same.all():
            _fail(f"row {_first(~same)}: another label than in training")
    return worst


def answers_of(signature: Signature, outputs: Sequence[npt.ArrayLike]) -> Answers:
    """
    Return what a replica gave for each output of *signature*, in their order.

    Raises:
        SmokeFailed: It is not numeric, or has another shape.
    """
    try:
        return Answers.of(signature, outputs)
    except (TypeError, ValueError) as error:
        msg = f"golden rows: the answer is not one of this model ({error})"
        raise SmokeFailed(msg) from error


def scale_of(numbers: npt.NDArray[np.floating], role: Role) -> npt.NDArray[np.float64]:
    """Return what a difference of each column, shape (width,), is measured by: 1 for probabilities."""
    if role is Role.PROBABILITIES:
        return np.ones(numbers.shape[1])
    largest = np.abs(numbers).max(axis=0).astype(np.float64)
    return np.where(largest > 0, largest, 1.0)


def _compare_numbers(golden: Golden, expected: npt.NDArray[np.float64], given: npt.ArrayLike | None) -> float:
    got, role = _array(given, expected.shape), golden.role or Role.VALUE
    what = {Role.PROBABILITIES: "probability", Role.SCORES: "score", Role.VALUE: "value"}[role]
    if not np.isfinite(got).all():
        _fail(f"row {_first(~np.isfinite(got))}: a {what} is not finite")
    if role is Role.PROBABILITIES and np.asarray(golden.labels).ndim == 1:
        sums = np.abs(got.sum(axis=1) - 1)
        if (sums > SUM_TOLERANCE).any():
            _fail(f"row {_first(sums > SUM_TOLERANCE)}: probabilities do not sum to one")
    worst = (np.abs(got - expected) / scale_of(expected, role)).max(axis=1)
    if (worst > TOLERANCE).any():
        row = _first(worst > TOLERANCE)
        _fail(f"row {row}: off by {worst[row]:.3g}, more than {TOLERANCE:g}")
    return float(worst.max())


def check_latency(measured_ms: list[float], budget_ms: float | None) -> str:
    """
    Check single-row latencies against the budget, if there is one; return them as a person reads them.

    Raises:
        TooSlow: The median is over *budget_ms*.
    """
    median, worst = float(np.median(measured_ms)), max(measured_ms)
    if budget_ms is not None and median > budget_ms:
        msg = f"golden rows: median latency {median:.1f} ms is over the budget of {budget_ms:g} ms"
        raise TooSlow(msg)
    return f"p50 {median:.1f} ms, slowest {worst:.1f} ms ({len(measured_ms)} requests)"


def _array(values: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"golden rows: the answer is not numeric ({error})"
        raise SmokeFailed(msg) from error
    if array.shape != shape:
        _fail(f"the answer has shape {array.shape}, expected {shape}")
    return array


def _first(wrong: npt.NDArray[np.bool_]) -> int:
    return int(np.argmax(wrong if wrong.ndim == 1 else wrong.any(axis=1)))


def _fail(what: str) -> None:
    msg = f"golden rows: {what}"
    raise SmokeFailed(msg)
