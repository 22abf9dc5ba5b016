"""
A model that somebody else logged -> a version of ours: fetched, proven, logged with its lineage, registered.

The tag `gate` says `adopted`: no gate measured it, so no schedule releases it; a person does.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock.adapters.mlflow.originals import MlflowOriginals, Original
from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.errors import DeliveryError
from interlock.names import alias_name, model_name
from interlock.records import Candidate
from interlock.training.adopting import Adopted, adopted
from interlock.training.original import described, sample_of
from interlock.training.target import task_named

GATE = "adopted"


def proven(
    originals: MlflowOriginals,
    address: str,
    *,
    sample: str | None = None,
    task: str | None = None,
    class_names: Sequence[str] | None = None,
    trust: bool = False,
) -> tuple[Original, Adopted]:
    """
    Find a model, and make ONNX, signature and golden rows of it, proven against the original where that can be run.

    Args:
        originals: Where models are.
        address: Such as `models:/churn/3`, `models:/churn@champion` or `runs:/<run id>`.
        sample: Path of a Parquet file with rows that it takes; without it, those that were logged with it.
        task: What an ONNX answers, where its outputs do not say it.
        class_names: Names of its classes, by label.
        trust: Load it also if it is a pickle.

    Raises:
        DeliveryError: Why it cannot be adopted; the message names the model.
    """
    rows = sample_of(Path(sample)) if sample else None
    kind = task_named(task)
    original = originals.find(address)
    with TemporaryDirectory(prefix="interlock-original-") as folder:
        originals.fetch(original, Path(folder))
        try:
            made = adopted(described(Path(folder)), rows, task=kind, class_names=class_names, trust=trust)
        except DeliveryError as error:
            msg = f"{original.address}: {error.what}"
            raise type(error)(msg) from error
    return original, made


def registered(
    tracking: MlflowTracking,
    registry: MlflowRegistry,
    original: Original,
    made: Adopted,
    *,
    key: str,
    model: str,
    alias: str,
) -> Candidate:
    """
    Log what was made of a model to a run of its own, and make that a version of *model*.

    Args:
        tracking: Where the run is logged.
        registry: Where the version is registered.
        original: Where the model comes from.
        made: What was made of it.
        key: The same for every attempt of the same run, so that a retry makes no second one.
        model: Registered name.
        alias: That it is a candidate for.
    """
    model_name(model)
    alias_name(alias)
    run_id = tracking.open_run(key, made.sha256)
    lineage = {"adopted_from": original.address, "original_run": original.run_id}
    run = tracking.log_files(run_id, made.onnx, made.manifest(run_id, lineage))
    reason = why(original, made)
    tags = {"gate": GATE, "gate.reason": reason, **lineage}
    tracking.close_run(run_id, tags)
    version_tags = {"sha256": made.sha256, "trained_at_utc": made.adopted_at_utc, **tags}
    version = registry.register(Registration(model, run_id, run.source, run.model_id, version_tags))
    return Candidate(model=model, alias=alias, version=version, run_id=run_id, sha256=made.sha256)


def why(original: Original, made: Adopted) -> str:
    """Return what was proven, for people."""
    if not made.metrics:
        return f"adopted from {original.address}, an ONNX: there is no other model to compare it with"
    worst = made.metrics["parity_worst_difference"]
    return f"adopted from {original.address}: the ONNX answers as the original, off by {worst:.2g} at most"
