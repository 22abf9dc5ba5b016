"""Versions and aliases in MLflow."""

from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.mlflow_registry import Registration
from adapters.mlflow_tracking import LoggedRun
from blocks.mlflow_registry import MlflowRegistry
from delivery.errors import NotFound
from delivery.freshness import Newest
from delivery.gate import Verdict
from delivery.records import Candidate
from learners.training import Trained
from tasks.step import step


@step(retries=1)
def champion(registry: MlflowRegistry, model: str, alias: str, *, compare: bool) -> bytes | None:
    """Return the ONNX that the alias names now, if it is to be compared with and there is one."""
    client = registry.connect()
    version = client.alias(model, alias)
    if version is None or not compare:
        return None
    with TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        client.fetch(client.candidate(model, alias, version), target.name, target)
        return target.read_bytes()


@step()
def register(
    registry: MlflowRegistry, model: str, alias: str, run: LoggedRun, trained: Trained, verdict: Verdict
) -> Candidate:
    """Make the training run a version of the model; a run that is one already is returned as it is."""
    tags = {
        "sha256": trained.sha256,
        "gate": "passed",
        "gate.reason": verdict.reason,
        "trained_at_utc": trained.trained_at_utc,
    }
    registration = Registration(model, run.run_id, run.source, run.model_id, tags)
    version = registry.connect().register(registration)
    return Candidate(model=model, alias=alias, version=version, run_id=run.run_id, sha256=trained.sha256)


@step()
def resolve(registry: MlflowRegistry, model: str, alias: str, version: int | None) -> Candidate:
    """
    Return the version that the alias names, or *version*, as a candidate.

    Raises:
        NotFound: The alias names nothing, or there is no such version.
    """
    client = registry.connect()
    named = version or client.alias(model, alias)
    if named is None:
        msg = f"alias {alias} of {model} names no version in MLflow; pass version=, or release one under it"
        raise NotFound(msg)
    return client.candidate(model, alias, named)


@step()
def newest(registry: MlflowRegistry, model: str, alias: str) -> Newest | None:
    """Return the version that was trained last among those that passed the gate, as a candidate for the alias."""
    return registry.connect().newest(model, alias)
