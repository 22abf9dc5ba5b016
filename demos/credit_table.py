"""
A synthetic table of customers for the learner `credit_score`; no row is a person. The same seed gives the same table.

    customer_id            C-000001, ..
    age                    years, 18 to 85
    occupation             one of OCCUPATIONS; missing in 4 %
    annual_income          log-normal around 40,000; missing in 5 %, a hundredfold in 0.5 % (outliers)
    monthly_balance        what is left at the end of a month; missing in 3 %
    bank_accounts          number; above 500 in 0.5 % (outliers)
    credit_cards           number
    interest_rate          percent
    loans                  number
    days_past_due          mean days by which payments are late
    delayed_payments       number in the last year; missing in 6 %
    outstanding_debt       sum
    credit_utilization     percent of the credit limit
    credit_history_months  missing in 5 %
    pays_minimum_only      yes or no; missing in 10 %
    credit_score           Poor (30 %), Standard (45 %), Good: the class, from debt, delays, history and noise

*drift*, 0 to 1, moves the world: incomes fall, debts and delays grow, so that more customers are Poor.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from interlock.adapters.database_url import shown
from interlock.adapters.feature_store import FeatureStore
from interlock.model.rows import Table
from interlock.settings import Settings

TABLE = "credit_features"
OCCUPATIONS = ("accountant", "developer", "doctor", "driver", "engineer", "lawyer", "mechanic", "teacher", "writer")
MISSING = {
    "occupation": 0.04,
    "annual_income": 0.05,
    "monthly_balance": 0.03,
    "delayed_payments": 0.06,
    "credit_history_months": 0.05,
    "pays_minimum_only": 0.10,
}
OUTLIERS = {"annual_income": 100.0, "bank_accounts": 250.0}
OUTLIER_SHARE = 0.005
POOR, GOOD = 0.75, -1.05
NOISE = 0.35

Numbers = npt.NDArray[np.float64]


def credit_table(rows: int, seed: int = 0, drift: float = 0.0) -> Table:
    """
    Return the table.

    Args:
        rows: Number of customers.
        seed: The same gives the same table.
        drift: 0 to 1, how far the world has moved.
    """
    random = np.random.default_rng(seed)
    table: dict[str, npt.NDArray[Any]] = {"customer_id": _ids(rows), **_customers(random, rows, drift)}
    table["credit_score"] = _scores(random, table)
    for name, factor in OUTLIERS.items():
        table[name] = np.where(random.random(rows) < OUTLIER_SHARE, table[name] * factor + factor, table[name])
    for name, share in MISSING.items():
        table[name][random.random(rows) < share] = None if table[name].dtype == object else np.nan
    return table


def seed(settings: Settings, rows: int, number: int = 0, drift: float = 0.0) -> str:
    """Put the table into the feature store of *settings*, in place of the one there; return what was done."""
    url = settings.feature_store.get_secret_value()
    FeatureStore(url).replace(TABLE, credit_table(rows, number, drift))
    return f"{rows} rows in the table {TABLE} of {shown(url)} (seed {number}, drift {drift:g})"


def _ids(rows: int) -> npt.NDArray[np.object_]:
    return np.array([f"C-{number:06d}" for number in range(1, rows + 1)], dtype=object)


def _customers(random: np.random.Generator, rows: int, drift: float) -> dict[str, npt.NDArray[Any]]:
    trouble = random.normal(0.5 * drift, 1.0, rows)  # what all the numbers of one customer have in common
    income = np.exp(random.normal(10.6 - 0.3 * drift, 0.5, rows) - 0.15 * trouble)
    age = np.clip(random.normal(42, 13, rows), 18, 85).round()
    occupations = np.array(OCCUPATIONS, dtype=object)
    minimum = random.random(rows) < 1 / (1 + np.exp(0.5 - trouble))
    return {
        "age": age,
        "occupation": occupations[random.integers(0, len(occupations), rows)],
        "annual_income": income.round(2),
        "monthly_balance": (income / 12 * np.clip(random.normal(0.25 - 0.07 * trouble, 0.1, rows), -0.2, 0.9)).round(2),
        "bank_accounts": random.poisson(3.5, rows).astype(float),
        "credit_cards": random.poisson(np.exp(1.2 + 0.15 * trouble)).astype(float),
        "interest_rate": np.clip(random.normal(13 + 4 * trouble, 3, rows), 1, 36).round(1),
        "loans": random.poisson(np.exp(0.8 + 0.3 * trouble)).astype(float),
        "days_past_due": np.clip(random.normal(14 + 9 * trouble, 5, rows), 0, 70).round(),
        "delayed_payments": random.poisson(np.exp(1.8 + 0.35 * trouble)).astype(float),
        "outstanding_debt": (np.exp(random.normal(7 + 0.2 * drift, 0.4, rows) + 0.4 * trouble)).round(2),
        "credit_utilization": np.clip(random.normal(32 + 8 * trouble, 6, rows), 0, 100).round(1),
        "credit_history_months": np.clip(random.normal(8 * (age - 18) ** 0.9 / 2 - 20 * trouble, 25), 0, 600).round(),
        "pays_minimum_only": np.where(minimum, "yes", "no").astype(object),
    }


def _scores(random: np.random.Generator, table: Table) -> npt.NDArray[np.object_]:
    def of(name: str) -> Numbers:
        return np.asarray(table[name], dtype=np.float64)

    risk = (
        0.05 * (of("days_past_due") - 14)
        + 0.09 * (of("delayed_payments") - 6)
        + 0.6 * np.log(of("outstanding_debt") / of("annual_income") * 36)
        + 0.04 * (of("interest_rate") - 13)
        + 0.02 * (of("credit_utilization") - 32)
        - 0.003 * (of("credit_history_months") - 80)
        + random.normal(0, NOISE, len(of("age")))
    )
    return np.where(risk > POOR, "Poor", np.where(risk < GOOD, "Good", "Standard")).astype(object)
