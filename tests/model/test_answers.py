"""Answers are what a model says, without what float32 adds to it; what is wrong stays wrong."""

import numpy as np
import pytest

from interlock.model.answers import Answers
from interlock.model.signature import Column, Input, Output, Signature

COLUMNS = {"columns": [Column(name="x")], "inputs": [Input(name="input", columns=("x",))]}
LABEL = Output(name="label", role="label", dtype="int64")


def classifier(*more, names=("a", "b")):
    return Signature(outputs=[LABEL, *more], class_names=list(names), **COLUMNS)


PROBABILITIES = classifier(Output(name="probabilities", role="probabilities", width=2))


def test_the_errors_of_float32_sums_are_taken_away():
    raw = [[1.0000013, -1.3e-6], [0.5000001, 0.5000001], [0.25, 0.75]]

    numbers = Answers.of(PROBABILITIES, [[0, 1, 1], np.asarray(raw, dtype=np.float32)]).numbers

    assert (numbers >= 0).all()
    assert (numbers <= 1).all()
    assert numbers.sum(axis=1) == pytest.approx(1, abs=1e-7)
    assert numbers == pytest.approx(np.asarray(raw), abs=2e-6)
    assert numbers[2].tolist() == [0.25, 0.75]


@pytest.mark.parametrize("wrong", [[1.01, -0.01], [0.5, 0.4], [2.0, -1.0], [np.nan, 1.0], [np.inf, 0.0], [0.0, 0.0]])
def test_what_is_no_rounding_is_left_for_the_checks_to_see(wrong):
    answers = Answers.of(PROBABILITIES, [[0], [wrong]])

    np.testing.assert_array_equal(answers.numbers, np.asarray([wrong], dtype=np.float32))


def test_confidence_is_the_probability_of_the_label_that_is_answered():
    """A support vector machine answers by its margin, which need not be where its probability is largest."""
    answers = Answers.of(PROBABILITIES, [[1, 0, 2], [[0.77, 0.23], [0.6, 0.4], [0.6, 0.4]]])

    assert answers.confidence()[:2].tolist() == [np.float32(0.23), np.float32(0.6)]
    assert np.isnan(answers.confidence()[2])
    assert not answers.are_sane(PROBABILITIES)
    assert answers.first_strange(PROBABILITIES) == 2
    assert answers[:2].are_sane(PROBABILITIES)


def test_scores_are_no_probabilities_and_there_is_no_confidence():
    signature = classifier(Output(name="scores", role="scores", width=1))
    answers = Answers.of(signature, [[1, 0], [[3.5], [-2.0]]])

    assert answers.numbers.tolist() == [[3.5], [-2.0]]
    assert answers.confidence() is None
    assert Answers.of(classifier(), [[[1], [0]]]).confidence() is None, "Triton gives labels as a column"


def test_several_labels_need_not_sum_to_one():
    outputs = [
        Output(name="label", role="label", dtype="int64", width=2),
        Output(name="probabilities", role="probabilities", width=2),
    ]
    signature = Signature(task="multilabel", outputs=outputs, class_names=["a", "b"], **COLUMNS)
    answers = Answers.of(signature, [[[1, 1], [0, 2]], [[0.9, 1.0000013], [0.1, 0.2]]])

    assert answers.numbers[0] == pytest.approx([0.9, 1.0])
    assert answers.numbers.max() <= 1
    assert answers.first_strange(signature) == 1


def test_a_regression_has_values_only_and_what_is_not_finite_is_strange():
    output = Output(name="value", role="value", dtype="float64", width=2)
    signature = Signature(task="regression", outputs=[output], targets=["u", "v"], **COLUMNS)
    answers = Answers.of(signature, [[[1.5, 2.0], [np.nan, 1.0]]])

    assert answers.labels is None
    assert answers.first_strange(signature) == 1
