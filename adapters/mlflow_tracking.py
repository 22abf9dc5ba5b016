"""
Training runs by MLflow's client. Its import costs seconds, so it is imported when a run is logged and not before.

    run <- params, metrics, model (scikit-learn flavour), onnx/model.onnx, confusion_matrix.png, and last manifest.json:
    a run without a manifest was not logged to its end
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from adapters.mlflow_experiment import MlflowExperiment
from delivery.errors import Unreachable
from delivery.manifest import Manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
RELEASE_KEY = "interlock.flow_run_id"
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's client reads its limits from the environment at every call; by default it would try for 246 s."""
REQUIREMENTS = ("scikit-learn", "skops", "numpy", "scipy")


class Training(Protocol):
    """What a training leaves to be logged; `learners.training.Trained` is one."""

    @property
    def fitted(self) -> Any:
        """The fitted scikit-learn classifier."""

    @property
    def onnx(self) -> bytes:
        """The ONNX file."""

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Counts on held-out rows, shape (classes, classes), rows are the truth."""

    @property
    def skops_trusted_types(self) -> list[str]:
        """What MLflow's scikit-learn flavour refuses unless it is named."""

    def manifest(self, run_id: str) -> Manifest:
        """Return the passport of the model as trained by the run."""


@dataclass(frozen=True)
class LoggedRun:
    """Where a training was logged: the run, and the source of a version made of it."""

    run_id: str
    source: str
    model_id: str | None


class MlflowTracking:
    """MLflow's tracking server at *url*, below one experiment. Every method raises Unreachable when nobody answers."""

    def __init__(self, url: str, experiment: str, auth: tuple[str, str] | None = None) -> None:
        """Nothing is opened before the first call."""
        self.url = url
        self.experiment = experiment
        self._auth = auth

    def open_run(self, key: str) -> str:
        """Return the run that carries *key*, made if there is none: a retried call makes no second run."""
        experiment_id = MlflowExperiment(self.url, self.experiment, auth=self._auth).ready()
        with self._client() as client:
            query = f"tags.`{RELEASE_KEY}` = '{key}'"
            found = client.search_runs([experiment_id], query, max_results=1)
            if found:
                return str(found[0].info.run_id)
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # a retried creating call makes two
            return str(client.create_run(experiment_id, tags={RELEASE_KEY: key}).info.run_id)

    def log(self, run_id: str, trained: Training) -> LoggedRun:
        """Log everything about a training to its run."""
        from adapters.confusion import draw  # matplotlib costs half a second, and a hook after a crash must not wait

        manifest = trained.manifest(run_id)
        with self._client() as client, TemporaryDirectory() as folder:
            _log_numbers(client, run_id, manifest)
            model_id = self._log_sklearn(run_id, trained)
            client.log_artifact(run_id, str(draw(trained.confusion, manifest.class_names, Path(folder))))
            _log_files(client, run_id, trained.onnx, manifest)
            source = f"models:/{model_id}" if model_id else f"{client.get_run(run_id).info.artifact_uri}/onnx"
        return LoggedRun(run_id, source, model_id)

    def log_files(self, run_id: str, onnx: bytes, manifest: Manifest) -> LoggedRun:
        """Log a model that was made elsewhere: the ONNX and its manifest, without a scikit-learn flavour."""
        with self._client() as client:
            _log_files(client, run_id, onnx, manifest)
            return LoggedRun(run_id, f"{client.get_run(run_id).info.artifact_uri}/onnx", None)

    def close_run(self, run_id: str, tags: dict[str, str]) -> None:
        """End the run with *tags*."""
        with self._client() as client:
            for key, value in tags.items():
                client.set_tag(run_id, key, value)
            client.set_terminated(run_id, "FINISHED")

    def _log_sklearn(self, run_id: str, trained: Training) -> str | None:
        """Log the scikit-learn flavour, for people who want to look into the model; the ONNX is what counts."""
        import mlflow

        try:
            with mlflow.start_run(run_id=run_id):
                info = mlflow.sklearn.log_model(
                    trained.fitted,
                    name="model",
                    pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
                    skops_trusted_types=trained.skops_trusted_types or None,
                )
        except Exception as error:  # noqa: BLE001 - skops and MLflow refuse in many ways, and none of them matters
            log.warning("MLflow's scikit-learn flavour cannot log this model, the ONNX is the artefact: %s", error)
            return None
        return str(info.model_id)

    @contextmanager
    def _client(self) -> Iterator["MlflowClient"]:
        os.environ.update(LIMITS)
        import mlflow
        import mlflow.sklearn

        if self._auth:
            os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = self._auth
        mlflow.set_tracking_uri(self.url)
        try:
            yield mlflow.MlflowClient(self.url)
        except mlflow.exceptions.RestException:
            raise
        except mlflow.exceptions.MlflowException as error:
            msg = f"MLflow at {self.url} does not answer: {error.__context__ or error}"
            raise Unreachable(msg) from error


def _log_files(client: "MlflowClient", run_id: str, onnx: bytes, manifest: Manifest) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(onnx)
        client.log_artifact(run_id, str(path), "onnx")
    client.log_text(run_id, manifest.model_dump_json(indent=2), "manifest.json")


def _log_numbers(client: "MlflowClient", run_id: str, manifest: Manifest) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now_ms = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, number, now_ms, 0) for name, number in manifest.metrics.items()],
        params=[Param(name, str(value)) for name, value in manifest.params.items()],
        tags=[RunTag("learner", manifest.learner), RunTag("sha256", manifest.sha256)],
    )
