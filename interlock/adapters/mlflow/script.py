"""
`interlock.log_model`: from a training script of one's own, inside any MLflow run, to a version that can be released.

MLflow's own client is used, as the script has configured it: its tracking server, its login, its active run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from onnx import ModelProto
from sklearn.base import BaseEstimator

from interlock.adapters.mlflow.api import ONNX as ONNX_ARTIFACT
from interlock.adapters.mlflow.tracking import metric_key
from interlock.clock import utc_stamp
from interlock.errors import InvalidTraining, Refused
from interlock.model.manifest import MANIFEST, ONNX, Golden, Manifest
from interlock.model.signature import Signature, Task
from interlock.names import model_name
from interlock.training import metrics
from interlock.training.dataset import Dataset
from interlock.training.foreign_onnx import converted
from interlock.training.learner import ParityBounds
from interlock.training.parity import Onnx
from interlock.training.proof import golden_of, prove

GATE = "script"


@dataclass(frozen=True)
class Logged:
    """
    What was logged.

    Args:
        version: The version that was registered; None without a name.
        metrics: What was measured on the rows that were given.
    """

    run_id: str
    sha256: str
    version: int | None
    signature: Signature
    metrics: dict[str, float]


def log_model(
    model: BaseEstimator | ModelProto | bytes,
    sample: Any,
    target: str | Sequence[str] | Any,
    *,
    task: Task | str | None = None,
    class_names: Sequence[str] | None = None,
    registered_model_name: str | None = None,
) -> Logged:
    """
    Prove a fitted model, and log it to the active MLflow run so that a version of it can be released.

    Args:
        model: Fitted; or an ONNX, whose inputs are the columns.
        sample: A table that the model was not fitted to, with all that it takes: its rows are what is measured, and
            what the proof begins with.
        target: Name of the column with the truth, or of several; or its values.
        task: classification, regression or multilabel, where the target does not say it.
        class_names: Names of the classes 0, 1, .., where the target holds these numbers.
        registered_model_name: Make it a version of this model.

    Raises:
        InvalidTraining: The model does not take the rows; the message names the column.
        NotConvertible: No ONNX that says the same can be made of it; the message names the step.
        Refused: There is no active MLflow run.
    """
    import mlflow  # costs seconds, and the script has paid for it

    run = mlflow.active_run()
    if run is None:
        msg = "no MLflow run is active: call log_model inside of `with mlflow.start_run():`"
        raise Refused(msg)
    if registered_model_name is not None:
        model_name(registered_model_name)
    data = Dataset.of(sample, target, task=task, class_names=class_names)
    onnx, signature, golden, measured = _made(model, data)
    manifest = Manifest(
        run_id=run.info.run_id,
        learner=GATE,
        trained_at_utc=utc_stamp(),
        sha256=sha256(onnx).hexdigest(),
        size=len(onnx),
        signature=signature,
        metrics=measured,
        golden=golden,
    )
    _log(mlflow, onnx, manifest)
    version = _registered(mlflow, registered_model_name, manifest) if registered_model_name else None
    return Logged(manifest.run_id, manifest.sha256, version, signature, measured)


def _made(model: Any, data: Dataset) -> tuple[bytes, Signature, Golden, dict[str, float]]:
    if isinstance(model, bytes | ModelProto):
        content = model if isinstance(model, bytes) else bytes(model.SerializeToString())
        ready, taken = converted(content, data.frame, data.task, data.class_names or None)
        signature = ready.signature.model_copy(update={"labels": data.labels})
        onnx = Onnx(ready.onnx, signature)
        measured = metrics.of(data.task, data.target, onnx.answers(taken.frame))
        return ready.onnx, signature, golden_of(onnx, taken, ()), measured
    classes = _classes(model, data)
    proven = prove(model, data, data, ParityBounds(), classes=classes)
    measured = metrics.of(data.task, data.target, proven.answers) | proven.metrics
    return proven.converted.onnx, proven.converted.signature, proven.golden, measured


def _classes(model: Any, data: Dataset) -> list[Any]:
    """Return the labels that the model itself answers, in the order of the data's classes."""
    if data.task is not Task.CLASSIFICATION:
        return []
    own = [one.item() if isinstance(one, np.generic) else one for one in model.classes_]
    expected: list[Any] = list(range(len(data.class_names))) if data.labels is None else data.labels
    if own in (expected, list(range(len(expected)))):
        return own
    msg = f"the model answers the classes {own[:5]}, the rows have {expected[:5]}: give it rows of each of its classes"
    raise InvalidTraining(msg)


def _log(mlflow: Any, onnx: bytes, manifest: Manifest) -> None:
    folder_in_run = ONNX_ARTIFACT.partition("/")[0]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ONNX).write_bytes(onnx)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2))
        mlflow.log_artifact(str(folder / ONNX), folder_in_run)
        mlflow.log_artifact(str(folder / MANIFEST))
    mlflow.log_metrics({metric_key(key): number for key, number in manifest.metrics.items()})
    mlflow.set_tags({"sha256": manifest.sha256, "learner": GATE})


def _registered(mlflow: Any, name: str, manifest: Manifest) -> int:
    tags = {
        "sha256": manifest.sha256,
        "trained_at_utc": manifest.trained_at_utc,
        "gate": GATE,
        "gate.reason": "logged by a training script",
    }
    client, run = mlflow.MlflowClient(), mlflow.active_run()
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.info.artifact_uri}/{ONNX_ARTIFACT.partition('/')[0]}"
    return int(client.create_model_version(name, source, run_id=manifest.run_id, tags=tags).version)
