"""The gate says no before anything changes."""

import math

import pytest

from interlock.errors import Refused
from interlock.release.gate import judge


def test_above_the_threshold_passes():
    assert judge({"accuracy": 0.95}, "accuracy", 0.9).passed


@pytest.mark.parametrize("value", [0.9, 0.5, math.nan, -math.inf])
def test_equal_below_and_nan_do_not_pass(value):
    verdict = judge({"accuracy": value}, "accuracy", 0.9)

    assert not verdict.passed
    assert "not above 0.9" in verdict.reason


def test_a_candidate_worse_than_the_champion_does_not_pass():
    verdict = judge({"accuracy": 0.95}, "accuracy", 0.9, champion=0.96)

    assert not verdict.passed
    assert "champion's 0.9600" in verdict.reason


def test_as_good_as_the_champion_passes():
    assert judge({"accuracy": 0.95}, "accuracy", 0.9, champion=0.95).passed


def test_a_metric_that_was_not_measured_is_refused_by_name():
    with pytest.raises(Refused, match="'auc'; measured were accuracy"):
        judge({"accuracy": 1.0}, "auc", 0.9)


def test_a_threshold_that_compares_with_nothing_is_refused():
    with pytest.raises(Refused, match="finite threshold"):
        judge({"accuracy": 1.0}, "accuracy", math.nan)
