"""Train a learner. Nothing outside this process is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefect.logging import get_run_logger
from pydantic import BaseModel

from interlock.names import alias_name, model_name
from interlock.release import gate
from interlock.release.gate import Verdict, check_threshold
from interlock.training.catalogue import find, parameters
from interlock.training.convert import OnnxClassifier
from interlock.training.learner import Dataset, Learner
from interlock.training.table import TableLearner
from interlock.training.train import Trained, measure
from interlock.training.train import train as train_learner
from tasks.step import step

LONGEST_S = 3600
LEARNERS = "learners"
"""The package of learners."""


@dataclass(frozen=True)
class Plan:
    """A training that can be tried: the learner exists and takes the parameters."""

    name: str
    learner: Learner
    params: BaseModel

    @property
    def table(self) -> TableLearner | None:
        """The learner, if its rows come from a feature store."""
        return self.learner if isinstance(self.learner, TableLearner) else None


def plan(learner: str, params: Mapping[str, Any], metric: str, threshold: float, model: str, alias: str) -> Plan:
    """
    Return what is to be trained.

    Raises:
        Refused: The learner, a parameter, the threshold, the model name or the alias is not valid.
    """
    model_name(model)
    alias_name(alias)
    check_threshold(metric, threshold)
    found = find(learner, LEARNERS)
    return Plan(learner, found, parameters(found, params))


@step(retries=0, timeout_s=LONGEST_S)
def train(plan: Plan, data: Dataset | None = None) -> Trained:
    """
    Split, fit, convert, and check that the ONNX says what scikit-learn says, on *data* or on what the learner brings.

    Raises:
        InvalidTraining: The data cannot be trained on.
        ParityFailed: The ONNX says something else.
    """
    if plan.learner.remark:
        get_run_logger().warning(plan.learner.remark)
    trained = train_learner(plan.name, plan.learner, plan.params, data)
    get_run_logger().info(
        "trained %s %s: %s; ONNX parity: worst held-out row %d is off by %.3g",
        plan.name,
        trained.params,
        {name: round(value, 4) for name, value in trained.metrics.items() if not name.startswith("parity")},
        trained.metrics["parity_worst_row"],
        trained.metrics["parity_worst_difference"],
    )
    return trained


@step(retries=0)
def judge(plan: Plan, trained: Trained, metric: str, threshold: float, champion: bytes | None) -> Verdict:
    """Ask the gate: above the threshold and, with a champion's ONNX, not below it on the same rows."""
    theirs = measure(plan.learner, OnnxClassifier(champion), trained.held_out)[metric] if champion else None
    verdict = gate.judge(trained.metrics, metric, threshold, theirs)
    if plan.learner.remark:
        verdict = replace(verdict, reason=f"{verdict.reason}; {plan.learner.remark}")
    get_run_logger().info("gate %s: %s", "passed" if verdict.passed else "says no", verdict.reason)
    return verdict
