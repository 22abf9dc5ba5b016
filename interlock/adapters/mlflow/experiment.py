"""
The MLflow experiment that trainings are logged to, asked before a training whether a release can be made of it.

    there, or made -> not deleted -> its artifacts go through MLflow -> we may write to it
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.adapters.mlflow.api import API, PROXIED, Done
from interlock.errors import Garbled, NotFound, Refused

ACTIVE = "active"
DEFAULT = "interlock"
"""Name of the experiment unless a block names another."""
LOGIN = "INTERLOCK_MLFLOW_USERNAME, INTERLOCK_MLFLOW_PASSWORD"
TAG = {"key": "interlock", "value": "trainings"}


class _Experiment(BaseModel):
    experiment_id: str
    artifact_location: str = ""
    lifecycle_stage: str = ACTIVE


class _Answer(BaseModel):
    experiment: _Experiment


class MlflowExperiment:
    """The experiment *name* of the MLflow at *url*."""

    def __init__(self, url: str, name: str, *, timeout_s: float = 5.0, auth: tuple[str, str] | None = None) -> None:
        """Nothing is opened before the first call."""
        self.name = name
        self._url = url
        self._http = HttpClient(url, timeout_s, auth=auth)

    def ready(self) -> str:
        """
        Return the id of the experiment, which is made if there is none.

        Raises:
            Refused: It was deleted, its artifacts are kept elsewhere, or we may not log in or write to it.
            Unreachable: MLflow does not answer.
        """
        with self._telling_as_whom():
            experiment = self._found() or self._made()
        _check(self.name, self._url, experiment)
        with self._telling_as_whom():
            body = {**TAG, "experiment_id": experiment.experiment_id}
            self._http.ask("POST", f"{API}/experiments/set-experiment-tag", Done, json=body)
        return experiment.experiment_id

    def _found(self) -> _Experiment | None:
        with suppress(NotFound):
            return self._asked()
        return None

    def _made(self) -> _Experiment:
        try:
            self._http.ask("POST", f"{API}/experiments/create", Done, json={"name": self.name})
        except Refused:
            if found := self._found():  # another run was first
                return found
            raise
        return self._asked()

    def _asked(self) -> _Experiment:
        params = {"experiment_name": self.name}
        return self._http.ask("GET", f"{API}/experiments/get-by-name", _Answer, params=params).experiment

    @contextmanager
    def _telling_as_whom(self) -> Iterator[None]:
        try:
            yield
        except Garbled:
            raise
        except Refused as error:
            msg = (
                f"no training can be logged to the experiment {self.name}: {error}. MLflow is asked with the user and "
                f"password of the block mlflow-registry ({LOGIN}), never with a token"
            )
            raise Refused(msg) from error


def _check(name: str, url: str, experiment: _Experiment) -> None:
    if experiment.lifecycle_stage != ACTIVE:
        restore = f"MLFLOW_TRACKING_URI={url} mlflow experiments restore -x {experiment.experiment_id}"
        msg = f"the experiment {name} was deleted in MLflow; `{restore}` brings it back"
        raise Refused(msg)
    scheme = urlsplit(experiment.artifact_location).scheme
    if scheme != PROXIED:
        msg = (
            f"the experiment {name} keeps its artifacts at {scheme or 'a path'}, where no release can read them: start "
            "MLflow with --artifacts-destination instead of --default-artifact-root, and train to a new experiment"
        )
        raise Refused(msg)
