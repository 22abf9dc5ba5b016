"""Training runs in MLflow."""

from prefect.runtime import flow_run

from blocks.mlflow_registry import MlflowRegistry
from interlock.adapters.mlflow.tracking import LoggedRun
from interlock.release.gate import Verdict
from interlock.training.train import Trained
from tasks.step import step

LONGEST_S = 1800
"""Each call has a deadline of its own; this is for a model of many hundred megabytes."""


@step(timeout_s=LONGEST_S)
def log_run(registry: MlflowRegistry, trained: Trained) -> LoggedRun:
    """Log a training: parameters, metrics, model, ONNX, picture, manifest. A retry goes on with the same run."""
    tracking = registry.tracking()
    return tracking.log(tracking.open_run(str(flow_run.id), trained.sha256), trained)


@step()
def close_run(registry: MlflowRegistry, run: LoggedRun, verdict: Verdict) -> None:
    """End the run, and write down what the gate said."""
    gate = "passed" if verdict.passed else "rejected"
    registry.tracking().close_run(run.run_id, {"gate": gate, "gate.reason": verdict.reason})
