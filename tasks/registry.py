"""Versions and aliases in MLflow."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from blocks.mlflow_registry import MlflowRegistry
from interlock.adapters.mlflow import registry as mlflow_registry
from interlock.adapters.mlflow.registry import Registration
from interlock.adapters.mlflow.tracking import LoggedRun
from interlock.errors import Damaged, DigestMismatch, NotFound, Unreadable
from interlock.names import version_number
from interlock.records import Candidate
from interlock.release.freshness import Newest
from interlock.release.gate import Verdict
from interlock.store import Store
from interlock.training.train import Trained
from tasks.step import step
from tasks.training import Champion


@step(retries=1)
def champion(registry: MlflowRegistry, store: Store, model: str, alias: str, *, compare: bool) -> Champion | None:
    """
    Return the version that is live for the alias, if it is to be compared with and there is one.

    Raises:
        DigestMismatch: The repository lost the bytes that are live, and MLflow has others.
    """
    live = store.current(model).variants.get(alias)
    if live is None or not compare:
        return None
    version = live.active_version
    signature = store.manifest(model, version).signature
    with suppress(Damaged, NotFound, Unreadable):
        return Champion(version, store.onnx(model, version, live.sha256), signature)
    lost = Candidate(model=model, alias=alias, version=version, run_id=live.run_id, sha256=live.sha256)
    return Champion(version, _fetched(registry.connect(), lost), signature)


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
        InvalidName: *version* is no version.
        NotFound: The alias names nothing, or there is no such version.
    """
    client = registry.connect()
    named = client.alias(model, alias) if version is None else version_number(version)
    if named is None:
        msg = f"alias {alias} of {model} names no version in MLflow; pass version=, or release one under it"
        raise NotFound(msg)
    return client.candidate(model, alias, named)


@step()
def newest(registry: MlflowRegistry, model: str, alias: str) -> Newest | None:
    """Return the version that was trained last among those that passed the gate, as a candidate for the alias."""
    return registry.connect().newest(model, alias)


def _fetched(client: mlflow_registry.MlflowRegistry, candidate: Candidate) -> bytes:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        client.fetch(candidate, target.name, target)
        content = target.read_bytes()
    if (found := sha256(content).hexdigest()) != candidate.sha256:
        name = f"{candidate.model} v{candidate.version}"
        msg = f"model.onnx of {name} in MLflow is {found[:12]}, what is live is {candidate.sha256[:12]}"
        raise DigestMismatch(msg)
    return content
