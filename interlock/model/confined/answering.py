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

Arrays = dict[str, npt.NDArray[Any]]
"""Tensors by the names of the inputs."""
Answers = dict[str, Any]
"""The values of each output, as lists, by its name."""


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
    feeds = {
        feed.name: np.array(feed.values, dtype=object if feed.dtype == "string" else feed.dtype)
        for feed in question.inputs
    }
    single, row_ms = _one_by_one(session, question, feeds)
    if sum(ms > question.latency_budget_ms for ms in row_ms) > PROBES // 2:
        return {"single": single, "row_ms": row_ms}
    golden, _ = timed(lambda: _ask(session, question, feeds))
    largest = _taken(feeds, np.resize(np.arange(_rows(feeds)), question.largest_request))
    batch, batch_ms = timed(lambda: _ask(session, question, largest))
    return {"single": single, "row_ms": row_ms, "golden": golden, "batch": batch, "batch_ms": batch_ms}


def timed(compute: Callable[[], T]) -> tuple[T, float]:
    """Return what was computed and the milliseconds of processor time that it took."""
    started = time.thread_time()
    result = compute()
    return result, (time.thread_time() - started) * 1000


def _one_by_one(session: Any, question: Question, feeds: Arrays) -> tuple[Answers, list[float]]:
    """Ask for a few rows alone; stop when most of them are over the budget, because the median is known then."""
    probes, row_ms = [], list[float]()
    for row in np.resize(np.arange(_rows(feeds)), PROBES).tolist():
        alone = _taken(feeds, np.array([row]))
        probe, ms = timed(lambda alone=alone: _ask(session, question, alone))  # type: ignore[misc]
        probes.append(probe)
        row_ms.append(ms)
        if sum(ms > question.latency_budget_ms for ms in row_ms) > PROBES // 2:
            break
    return {given.name: [probe[given.name][0] for probe in probes] for given in question.outputs}, row_ms


def _rows(feeds: Arrays) -> int:
    return len(next(iter(feeds.values())))


def _taken(feeds: Arrays, rows: npt.NDArray[np.int64]) -> Arrays:
    return {name: array[rows] for name, array in feeds.items()}


def _ask(session: Any, question: Question, feeds: Arrays) -> Answers:
    try:
        arrays = [np.asarray(array) for array in session.run([given.name for given in question.outputs], feeds)]
    except Exception as error:
        raise Failed(str(error)) from error
    rows = _rows(feeds)
    for given, array in zip(question.outputs, arrays, strict=True):
        expected = (rows,) if given.width is None else (rows, given.width)
        if array.shape != expected:
            raise Misshapen(f"{given.name} of {rows} rows has the shape {array.shape}, not {expected}")
    return {given.name: array.tolist() for given, array in zip(question.outputs, arrays, strict=True)}
