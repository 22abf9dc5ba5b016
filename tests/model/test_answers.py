"""Answers are what a model says, without what float32 adds to it; what is wrong stays wrong."""

import numpy as np
import pytest

from interlock.model.answers import Answers


def test_the_errors_of_float32_sums_are_taken_away():
    raw = [[1.0000013, -1.3e-6], [0.5000001, 0.5000001], [0.25, 0.75]]

    answers = Answers.of([0, 1, 1], raw)

    assert (answers.probabilities >= 0).all()
    assert (answers.probabilities <= 1).all()
    assert answers.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-7)
    assert answers.probabilities == pytest.approx(np.asarray(raw), abs=2e-6)
    assert answers.probabilities[2].tolist() == [0.25, 0.75]


@pytest.mark.parametrize("wrong", [[1.01, -0.01], [0.5, 0.4], [2.0, -1.0], [np.nan, 1.0], [np.inf, 0.0], [0.0, 0.0]])
def test_what_is_no_rounding_is_left_for_the_checks_to_see(wrong):
    answers = Answers.of([0], [wrong])

    np.testing.assert_array_equal(answers.probabilities, np.asarray([wrong], dtype=np.float32))


def test_confidence_is_the_probability_of_the_label_that_is_answered():
    """A support vector machine answers by its margin, which need not be where its probability is largest."""
    answers = Answers.of([1, 0, 2], [[0.77, 0.23], [0.6, 0.4], [0.6, 0.4]])

    assert answers.confidence()[:2].tolist() == [np.float32(0.23), np.float32(0.6)]
    assert np.isnan(answers.confidence()[2])
