"""Train a learner. Nothing outside this process is touched."""

from dataclasses import replace

from prefect.logging import get_run_logger

from interlock.release import gate
from interlock.release.gate import Verdict
from interlock.training.convert import OnnxClassifier
from interlock.training.learner import Dataset
from interlock.training.train import Trained, measure
from interlock.training.train import train as train_learner
from tasks.inputs import Plan
from tasks.step import step

LONGEST_S = 3600


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
