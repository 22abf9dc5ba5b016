"""
Training runs by MLflow's REST API; its own client knows no deadline, and is used for one thing only (mlflow_flavour).

    run <- params, metrics, model (scikit-learn flavour), onnx/model.onnx, pictures, and last manifest.json:
    a run without a manifest was not logged to its end
"""

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy.typing as npt
from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.adapters.mlflow.api import API, MANIFEST, ONNX, Done, Run, RunAnswer, run_of
from interlock.adapters.mlflow.experiment import MlflowExperiment
from interlock.adapters.mlflow.flavour import Flavour, log_flavour
from interlock.model.answers import Answers
from interlock.model.manifest import Manifest

NO_METRIC = re.compile(r"[^\w.\-:/ ]", re.ASCII)
"""Characters that MLflow's names do not take. Source: mlflow.utils.validation."""
LONGEST_KEY = 250
LONGEST_PARAM = 6000
"""Characters that MLflow takes of a parameter; the manifest has all of it."""
RELEASE_KEY = "interlock.flow_run_id"


class Training(Protocol):
    """What a training leaves to be logged; `interlock.training.train.Trained` is one."""

    @property
    def fitted(self) -> Any:
        """The fitted scikit-learn model."""

    @property
    def onnx(self) -> bytes:
        """The ONNX file."""

    @property
    def truth(self) -> npt.NDArray[Any]:
        """What should have been answered to held-out rows, as a dataset's target."""

    @property
    def answers(self) -> Answers:
        """What the ONNX answers to these rows."""

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


class _Runs(BaseModel):
    runs: list[Run] = []


class MlflowTracking:
    """
    MLflow's tracking server at *url*, below one experiment.

    Every method raises Unreachable when nobody answers, and Refused when MLflow says no.

    Args:
        timeout_s: For a whole call; an upload has more, by its size.
    """

    def __init__(
        self, url: str, experiment: str, auth: tuple[str, str] | None = None, *, timeout_s: float = 5.0
    ) -> None:
        """Nothing is opened before the first call."""
        self.url = url
        self._auth = auth
        self._experiment = MlflowExperiment(url, experiment, timeout_s=timeout_s, auth=auth)
        self._http = HttpClient(url, timeout_s, auth=auth)

    def open_run(self, key: str, sha256: str) -> str:
        """
        Return the run that carries *key* for the bytes of *sha256*, made if there is none.

        A retried call makes no second run; a repeated training that made other bytes has one of its own, so that those
        of a version that was registered before stay what they are.
        """
        experiment_id = self._experiment.ready()
        tags = {RELEASE_KEY: key, "sha256": sha256}
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        body = {"experiment_ids": [experiment_id], "filter": query, "max_results": 1}
        found = self._http.ask("POST", f"{API}/runs/search", _Runs, json=body).runs
        if found:
            return found[0].run_id
        made = {"experiment_id": experiment_id, "start_time": _now_ms(), "tags": _pairs(tags)}
        return self._http.ask("POST", f"{API}/runs/create", RunAnswer, json=made).run.run_id

    def log(self, run_id: str, trained: Training) -> LoggedRun:
        """Log everything about a training to its run."""
        from interlock.adapters.mlflow.pictures import (
            drawn,  # matplotlib costs half a second, and a hook after a crash must not wait
        )

        manifest, run = trained.manifest(run_id), run_of(self._http, run_id)
        self._log_numbers(run_id, manifest)
        with TemporaryDirectory() as folder:
            for picture in drawn(manifest.signature, trained.truth, trained.answers, Path(folder)):
                self._upload(run, picture.name, picture.read_bytes())
        flavour = Flavour(self.url, self._auth, run_id, trained.fitted, trained.skops_trusted_types)
        model_id = log_flavour(flavour)
        self._upload_files(run, trained.onnx, manifest)
        return LoggedRun(run_id, f"models:/{model_id}" if model_id else f"{run.artifact_uri}/onnx", model_id)

    def log_files(self, run_id: str, onnx: bytes, manifest: Manifest) -> LoggedRun:
        """Log a model that was made elsewhere: the ONNX and its manifest, without a scikit-learn flavour."""
        run = run_of(self._http, run_id)
        self._upload_files(run, onnx, manifest)
        return LoggedRun(run_id, f"{run.artifact_uri}/onnx", None)

    def close_run(self, run_id: str, tags: dict[str, str]) -> None:
        """End the run with *tags*."""
        self._http.ask("POST", f"{API}/runs/log-batch", Done, json={"run_id": run_id, "tags": _pairs(tags)})
        body = {"run_id": run_id, "status": "FINISHED", "end_time": _now_ms()}
        self._http.ask("POST", f"{API}/runs/update", Done, json=body)

    def _upload_files(self, run: Run, onnx: bytes, manifest: Manifest) -> None:
        self._upload(run, ONNX, onnx)
        self._upload(run, MANIFEST, manifest.model_dump_json(indent=2).encode())

    def _upload(self, run: Run, artifact: str, content: bytes) -> None:
        self._http.call("PUT", run.path_of(artifact), content=content, sending=len(content))

    def _log_numbers(self, run_id: str, manifest: Manifest) -> None:
        now_ms = _now_ms()
        body = {
            "run_id": run_id,
            "metrics": [
                {"key": metric_key(name), "value": _number(number), "timestamp": now_ms, "step": 0}
                for name, number in manifest.metrics.items()
            ],
            "params": _pairs({name: _shortened(str(value)) for name, value in manifest.params.items()}),
            "tags": _pairs({"learner": manifest.learner, "sha256": manifest.sha256}),
        }
        self._http.ask("POST", f"{API}/runs/log-batch", Done, json=body)


def metric_key(name: str) -> str:
    """Return a metric's name as MLflow takes it: `recall@1` becomes `recall_1`; the manifest keeps it as it is."""
    return NO_METRIC.sub("_", name).strip("/")[:LONGEST_KEY] or "_"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_PARAM else text[: LONGEST_PARAM - 3] + "..."


def _now_ms() -> int:
    return int(time.time() * 1000)


def _pairs(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in named.items()]


def _number(number: float) -> float | str:
    """Return *number* as MLflow reads it: JSON has no word for what is not finite."""
    return number if math.isfinite(number) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
