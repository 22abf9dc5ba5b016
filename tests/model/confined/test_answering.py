"""How often a candidate is asked, and for what."""

import math

import numpy as np
import pytest
from inject.hostile_models import ROWS, classifier, endless, maps

from interlock.model.confined.answering import answered, loaded
from interlock.model.confined.protocol import Failed, Feed, Given, Misshapen, Question


class Counted:
    """A real session that remembers how many rows it was asked for each time."""

    def __init__(self, onnx: bytes) -> None:
        self.session = loaded(onnx)
        self.asked = []

    def run(self, outputs, rows):
        self.asked.append(len(rows["input"]))
        return self.session.run(outputs, rows)


def question(latency_budget_ms: float, **change: object) -> Question:
    asked = {
        "parent": 0,
        "path": "",
        "sha256": "",
        "size": 1,
        "memory_bytes": 0,
        "cpu_s": 0,
        "max_size_bytes": 0,
        "max_nodes": 0,
        "latency_budget_ms": latency_budget_ms,
        "largest_request": 256,
        "inputs": [Feed("input", "float32", ROWS)],
        "outputs": [Given("label", "int64", None), Given("probabilities", "float32", 3)],
    }
    return Question(**asked | change)


def test_rows_alone_come_first_then_the_golden_rows_then_the_largest_request():
    session = Counted(classifier().SerializeToString())
    answers = answered(session, question(math.inf))
    assert session.asked == [1] * 5 + [3, 256]
    assert [len(answers[asked]["label"]) for asked in ("single", "golden", "batch")] == [5, 3, 256]
    assert len(answers["row_ms"]) == 5


def test_a_slow_candidate_is_not_asked_for_more_than_it_takes_to_know_that():
    """The other rows would take more processor time than it may have, and condemn it for that."""
    session = Counted(endless(1000).SerializeToString())
    answers = answered(session, question(0.0))
    assert session.asked == [1, 1, 1]
    assert "golden" not in answers
    assert np.median(answers["row_ms"]) > 0


def test_a_missing_cell_is_asked_for_as_not_a_number():
    rows = [[math.nan, 1.0, 2.0, 3.0]]
    asked = question(math.inf, inputs=[Feed("input", "float32", rows)])
    answers = answered(Counted(classifier().SerializeToString()), asked)
    assert math.isnan(answers["golden"]["probabilities"][0][0])


def test_what_cannot_be_opened_or_computed_has_failed():
    with pytest.raises(Failed):
        loaded(b"\xff")
    with pytest.raises(Failed):
        answered(
            Counted(classifier().SerializeToString()),
            question(math.inf, outputs=[Given("label", "int64", None), Given("none", "float32", 3)]),
        )


def test_answers_that_are_no_arrays_are_no_error_of_ours():
    with pytest.raises(Misshapen, match="probabilities"):
        answered(Counted(maps().SerializeToString()), question(math.inf))
