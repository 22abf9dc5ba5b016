"""Real inferences compared with the golden answers: 24 % of damaged models load, run and answer wrongly."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from interlock.errors import SmokeFailed, TooSlow
from interlock.model.manifest import Cells, Golden

TOLERANCE = 1e-4
SUM_TOLERANCE = 1e-3
LATENCY_PROBES = 5


Infer = Callable[[Cells], tuple[npt.ArrayLike, npt.ArrayLike]]
"""Asks for rows, shape (n, features); gives labels, shape (n,), and probabilities, shape (n, classes)."""


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
    worst = compare(golden, *infer(golden.rows))
    latencies = []
    for row in (golden.rows * LATENCY_PROBES)[:LATENCY_PROBES]:
        started = time.perf_counter()
        infer([row])
        latencies.append((time.perf_counter() - started) * 1000)
    latency = check_latency(latencies, latency_budget_ms)
    return f"{len(golden.rows)} golden rows, off by {worst:.2g} at most, {latency}"


def compare(golden: Golden, labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """
    Compare answers to the golden rows; return the largest difference of a probability.

    Args:
        golden: The rows that were asked, with the answers of the training process.
        labels: shape (n,), integers.
        probabilities: shape (n, classes); must be finite, sum to one per row, and lie within 1e-4.

    Raises:
        SmokeFailed: Any of it is otherwise; the message names the first wrong row.
    """
    expected = np.asarray(golden.probabilities, dtype=np.float64)
    got = _array(probabilities, expected.shape)
    if not np.isfinite(got).all():
        _fail(f"row {_first(~np.isfinite(got).all(axis=1))}: a probability is not finite")
    sums = np.abs(got.sum(axis=1) - 1)
    if (sums > SUM_TOLERANCE).any():
        _fail(f"row {_first(sums > SUM_TOLERANCE)}: probabilities do not sum to one")
    worst = np.abs(got - expected).max(axis=1)
    if (worst > TOLERANCE).any():
        row = _first(worst > TOLERANCE)
        _fail(f"row {row}: off by {worst[row]:.3g}, more than {TOLERANCE:g}")
    same = _array(labels, (len(golden.labels),)) == np.asarray(golden.labels)
    if not same.all():
        _fail(f"row {_first(~same)}: another label than in training")
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


def _array(values: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"golden rows: the answer is not numeric ({error})"
        raise SmokeFailed(msg) from error
    if array.shape != shape:
        _fail(f"the answer has shape {array.shape}, expected {shape}")
    return array


def _first(wrong: npt.ArrayLike) -> int:
    return int(np.argmax(wrong))


def _fail(what: str) -> None:
    msg = f"golden rows: {what}"
    raise SmokeFailed(msg)
