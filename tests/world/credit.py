"""A small credit model, and a customer to ask about."""

from functools import cache

from demos.credit_table import credit_table
from interlock.training.train import Trained, train
from learners.credit_score import LEARNER

FEATURES = {
    "age": 42,
    "occupation": "teacher",
    "annual_income": 40000.0,
    "monthly_balance": 800.5,
    "bank_accounts": 3,
    "credit_cards": 2,
    "interest_rate": 12.5,
    "loans": 1,
    "days_past_due": 5,
    "delayed_payments": 2,
    "outstanding_debt": 900.0,
    "credit_utilization": 25.0,
    "credit_history_months": 180,
    "pays_minimum_only": "no",
}


@cache
def credit(iterations: int = 30) -> Trained:
    return train("credit_score", LEARNER, LEARNER.Params(iterations=iterations), LEARNER.dataset(credit_table(4000)))
