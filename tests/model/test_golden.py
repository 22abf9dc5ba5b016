"""Answers are compared, not shapes."""

import numpy as np
import pytest

from interlock.errors import SmokeFailed, TooSlow
from interlock.model.answers import Answers
from interlock.model.golden import check_latency, compare
from interlock.model.manifest import Golden
from interlock.model.signature import Role

GOLDEN = Golden(rows=[[1.0], [2.0]], labels=[1, 0], probabilities=[[0.25, 0.75], [0.6, 0.4]])


def test_the_same_answers_pass_and_the_difference_is_told():
    same = Answers([1, 0], [[0.25, 0.75], [0.60005, 0.39995]], Role.PROBABILITIES)

    assert compare(GOLDEN, same) == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("labels", "probabilities", "why"),
    [
        ([1, 0], [[0.25, 0.75], [0.61, 0.39]], "row 1: off by"),
        ([1, 1], [[0.25, 0.75], [0.6, 0.4]], "row 1: another label"),
        ([1, 0], [[0.25, 0.75], [float("nan"), 0.4]], "row 1: a probability is not finite"),
        ([1, 0], [[0.25, 0.75], [0.6, 0.5]], "row 1: probabilities do not sum to one"),
        ([1, 0], [[0.25, 0.75]], "shape"),
        ([1], [[0.25, 0.75], [0.6, 0.4]], "shape"),
        ([1, 0], "nonsense", "not numeric"),
        ([1, 0], None, "shape"),
        (["1", None], [[0.25, 0.75], [0.6, 0.4]], "another label|not numeric"),
    ],
)
def test_another_answer_fails_and_names_the_row(labels, probabilities, why):
    with pytest.raises(SmokeFailed, match=why):
        compare(GOLDEN, Answers(labels, probabilities, Role.PROBABILITIES))


VALUES = Golden(rows=[[1.0], [2.0]], value=[[2_000_000.0, 1e-6], [1_000_000.0, 3e-6]])


def test_values_are_measured_by_the_largest_of_their_target_however_large_or_small_it_is():
    near = np.asarray([[2_000_100.0, 1e-6], [1_000_000.0, 3.0001e-6]])

    assert compare(VALUES, Answers(None, near, Role.VALUE)) == pytest.approx(5e-5, rel=0.01)
    with pytest.raises(SmokeFailed, match="row 1: off by"):
        compare(VALUES, Answers(None, [[2_000_000.0, 1e-6], [1_000_000.0, 3.1e-6]], Role.VALUE))
    with pytest.raises(SmokeFailed, match="row 0: a value is not finite"):
        compare(VALUES, Answers(None, [[np.inf, 1e-6], [1_000_000.0, 3e-6]], Role.VALUE))


def test_a_classifier_without_probabilities_is_compared_by_its_labels_alone():
    golden = Golden(rows=[[1.0], [2.0]], labels=[1, 0])

    assert compare(golden, Answers([1, 0], None, None)) == 0
    with pytest.raises(SmokeFailed, match="row 0: another label"):
        compare(golden, Answers([0, 0], None, None))


def test_a_slow_candidate_fails():
    with pytest.raises(TooSlow, match="over the budget of 10 ms"):
        check_latency([5.0, 50.0, 60.0], 10)
