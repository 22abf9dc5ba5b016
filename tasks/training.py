"""Train a learner. Nothing outside this process is touched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefect.logging import get_run_logger
from pydantic import BaseModel

from interlock.errors import Refused
from interlock.model.signature import Signature
from interlock.names import alias_name, model_name
from interlock.release import gate
from interlock.release.gate import Verdict, check_threshold
from interlock.training.catalogue import find, parameters
from interlock.training.dataset import Dataset
from interlock.training.learner import Learner
from interlock.training.parity import Onnx
from interlock.training.table import TableLearner
from interlock.training.train import Trained
from interlock.training.train import train as train_learner
from tasks.step import step

LONGEST_S = 3600
LEARNERS = "learners"
"""The package of learners."""


@dataclass(frozen=True)
class Plan:
    """
    A training that can be tried: the learner exists and takes the parameters.

    Args:
        metric: What the gate compares; None for the learner's own.
        threshold: The metric must be above it; None for the learner's own.
    """

    name: str
    learner: Learner
    params: BaseModel
    metric: str | None
    threshold: float | None

    @property
    def table(self) -> TableLearner | None:
        """The learner, if its rows come from a feature store."""
        return self.learner if isinstance(self.learner, TableLearner) else None

    def gate(self, trained: Trained) -> tuple[str, float]:
        """Return the metric and the threshold for *trained*."""
        metric, threshold = trained.gate
        return self.metric or metric, threshold if self.threshold is None else self.threshold


@dataclass(frozen=True)
class Champion:
    """What is live, to be compared with."""

    version: int
    onnx: bytes
    signature: Signature


def plan(
    learner: str, params: Mapping[str, Any], metric: str | None, threshold: float | None, model: str, alias: str
) -> Plan:
    """
    Return what is to be trained.

    Raises:
        Refused: The learner, a parameter, the threshold, the model name or the alias is not valid.
    """
    model_name(model)
    alias_name(alias)
    found = find(learner, LEARNERS)
    if metric and threshold is None and metric != found.metric:
        msg = f"threshold: say what {metric} must be above"
        raise Refused(msg)
    if threshold is not None:
        check_threshold(metric or "the metric", threshold)
    return Plan(learner, found, parameters(found, params), metric or None, threshold)


@step(retries=0, timeout_s=LONGEST_S)
def train(plan: Plan, data: Dataset | None = None) -> Trained:
    """
    Split, fit, convert, and check that the ONNX says what scikit-learn says, on *data* or on what the learner brings.

    Raises:
        InvalidTraining: The data cannot be trained on.
        NotConvertible: No ONNX that says the same can be made of it.
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
def judge(plan: Plan, trained: Trained, champion: Champion | None) -> Verdict:
    """
    Ask the gate: above the threshold and, with a champion, not below it on the same rows.

    Raises:
        Refused: The metric was not measured, or the champion takes or answers something else.
    """
    metric, threshold = plan.gate(trained)
    theirs = _measured(plan.learner, trained, champion, metric) if champion else None
    verdict = gate.judge(trained.metrics, metric, threshold, theirs)
    if plan.learner.remark:
        verdict = replace(verdict, reason=f"{verdict.reason}; {plan.learner.remark}")
    get_run_logger().info("gate %s: %s", "passed" if verdict.passed else "says no", verdict.reason)
    return verdict


def _measured(learner: Learner, trained: Trained, champion: Champion, metric: str) -> float | None:
    if changes := trained.signature.told_from(champion.signature):
        msg = f"beat_champion: v{champion.version} cannot be asked the same rows as the new version: {changes}"
        raise Refused(msg)
    answers = Onnx(champion.onnx, champion.signature).answers(trained.held_out.frame)
    return learner.metrics(trained.held_out.task, trained.truth, answers).get(metric)
