"""Answers are compared, not shapes."""

import pytest

from interlock.errors import SmokeFailed, TooSlow
from interlock.model.golden import check_latency, compare
from interlock.model.manifest import Golden

GOLDEN = Golden(rows=[[1.0], [2.0]], labels=[1, 0], probabilities=[[0.25, 0.75], [0.6, 0.4]])


def test_the_same_answers_pass_and_the_difference_is_told():
    assert compare(GOLDEN, [1, 0], [[0.25, 0.75], [0.60005, 0.39995]]) == pytest.approx(5e-5)


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
        (["1", None], [[0.25, 0.75], [0.6, 0.4]], "another label|not numeric"),
    ],
)
def test_another_answer_fails_and_names_the_row(labels, probabilities, why):
    with pytest.raises(SmokeFailed, match=why):
        compare(GOLDEN, labels, probabilities)


def test_a_slow_candidate_fails():
    with pytest.raises(TooSlow, match="over the budget of 10 ms"):
        check_latency([5.0, 50.0, 60.0], 10)
