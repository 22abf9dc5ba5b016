"""What is measured on held-out rows for each task, and what the gate compares unless it is told otherwise."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from interlock.model.answers import Answers
from interlock.model.signature import Role, Task

GATE = {Task.CLASSIFICATION: ("accuracy", 0.9), Task.REGRESSION: ("r2", 0.0), Task.MULTILABEL: ("f1_micro", 0.5)}
"""Metric and threshold by task. An r2 above 0 is better than answering the mean."""


def of(task: Task, truth: npt.NDArray[Any], answers: Answers) -> dict[str, float]:
    """
    Return the metrics of *answers* to n rows; for each, higher is better.

    Args:
        task: What kind of answers these are.
        truth: `Dataset.target` of these rows.
        answers: To all of them.
    """
    if task is Task.REGRESSION:
        return {
            "r2": float(r2_score(truth, answers.numbers)),
            "neg_rmse": -float(root_mean_squared_error(truth, answers.numbers)),
            "neg_mae": -float(mean_absolute_error(truth, answers.numbers)),
        }
    if task is Task.MULTILABEL:
        return {
            "accuracy": float(accuracy_score(truth, answers.labels)),
            "f1_micro": float(f1_score(truth, answers.labels, average="micro", zero_division=0)),
            "f1_macro": float(f1_score(truth, answers.labels, average="macro", zero_division=0)),
        }
    found = {
        "accuracy": float(accuracy_score(truth, answers.labels)),
        "f1_macro": float(f1_score(truth, answers.labels, average="macro", zero_division=0)),
    }
    if answers.role is Role.PROBABILITIES and answers.numbers is not None:
        found["neg_log_loss"] = -float(
            log_loss(truth, _shares(answers.numbers), labels=range(answers.numbers.shape[1]))
        )
    return found


def _shares(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return rows that sum to one in float64, as `log_loss` wants them."""
    wide = probabilities.astype(np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))
