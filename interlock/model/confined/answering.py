"""
Open a candidate as the engines do, and let it answer.

Times are processor time of the one thread that computes: a machine with other work makes no model slow. The process's
own clock would do no better: the kernel moves it only at its ticks while a limit on processor time is set.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime

from interlock.model.confined.protocol import Failed, Misshapen, Question
from interlock.model.session import NotOpened, opened

T = TypeVar("T")
PROBES = 5
"""Rows that are asked for alone."""

Answers = dict[str, Any]
"""`labels`, shape (n,), and `probabilities`, shape (n, classes), as lists."""


def loaded(onnx: bytes) -> onnxruntime.InferenceSession:
    """
    Load the bytes as engines do.

    Raises:
        Failed: They cannot be loaded.
    """
    try:
        return opened(onnx)
    except NotOpened as error:
        raise Failed(str(error)) from error


def answered(session: onnxruntime.InferenceSession, question: Question) -> dict[str, Any]:
    """
    Ask for rows alone, then for the golden rows, then for the largest request; the last two only if it is in time.

    No call has more rows than the largest request, so that the peak is that of one request.

    Raises:
        Failed: It could not compute an answer.
        Misshapen: An answer is no number for each row, or not one probability for each class.
    """
    rows = np.asarray(question.rows, dtype=np.float32)
    single, row_ms = _one_by_one(session, question, rows)
    if sum(ms > question.latency_budget_ms for ms in row_ms) > PROBES // 2:
        return {"single": single, "row_ms": row_ms}
    golden, _ = timed(lambda: _ask(session, question, rows))
    largest = np.resize(rows, (question.largest_request, rows.shape[1]))
    batch, batch_ms = timed(lambda: _ask(session, question, largest))
    return {"single": single, "row_ms": row_ms, "golden": golden, "batch": batch, "batch_ms": batch_ms}


def timed(compute: Callable[[], T]) -> tuple[T, float]:
    """Return what was computed and the milliseconds of processor time that it took."""
    started = time.thread_time()
    result = compute()
    return result, (time.thread_time() - started) * 1000


def _one_by_one(session: Any, question: Question, rows: npt.NDArray[np.float32]) -> tuple[Answers, list[float]]:
    """Ask for a few rows alone; stop when most of them are over the budget, because the median is known then."""
    probes, row_ms = [], list[float]()
    for row in np.resize(rows, (PROBES, rows.shape[1])):
        probe, ms = timed(lambda row=row: _ask(session, question, row[np.newaxis]))  # type: ignore[misc]
        probes.append(probe)
        row_ms.append(ms)
        if sum(ms > question.latency_budget_ms for ms in row_ms) > PROBES // 2:
            break
    return {name: [probe[name][0] for probe in probes] for name in ("labels", "probabilities")}, row_ms


def _ask(session: Any, question: Question, rows: npt.NDArray[np.float32]) -> Answers:
    try:
        labels, probabilities = map(np.asarray, session.run(question.outputs, {question.input_name: rows}))
    except Exception as error:
        raise Failed(str(error)) from error
    if labels.shape != (len(rows),) or probabilities.shape != (len(rows), question.classes):
        raise Misshapen(f"{len(rows)} rows have labels {labels.shape} and probabilities {probabilities.shape}")
    return {"labels": labels.tolist(), "probabilities": probabilities.tolist()}
