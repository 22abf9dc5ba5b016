"""The synthetic customers: the same seed gives the same table, and it is as its docstring says."""

import numpy as np
import pytest

from demos.credit_table import MISSING, credit_table


def share(table, score):
    return float(np.mean(table["credit_score"] == score))


def test_the_same_seed_gives_the_same_table_and_another_another():
    one, same, other = credit_table(500, seed=1), credit_table(500, seed=1), credit_table(500, seed=2)

    assert all((one[name].astype(str) == same[name].astype(str)).all() for name in one)
    assert (one["annual_income"] != other["annual_income"]).any()


def test_it_has_missing_cells_outliers_and_three_classes():
    table = credit_table(20_000)

    for name, wanted in MISSING.items():
        missing = np.mean([str(cell) in ("None", "nan") for cell in table[name]])
        assert missing == pytest.approx(wanted, abs=0.01)
    assert np.nanmax(table["annual_income"]) > 1e6
    assert np.nanpercentile(table["annual_income"], 95) < 1.5e5
    assert share(table, "Poor") == pytest.approx(0.3, abs=0.03)
    assert share(table, "Standard") == pytest.approx(0.45, abs=0.03)


def test_drift_moves_the_world():
    before, after = credit_table(20_000), credit_table(20_000, drift=1.0)

    assert np.nanmedian(after["annual_income"]) < 0.8 * np.nanmedian(before["annual_income"])
    assert share(after, "Poor") > 0.5
