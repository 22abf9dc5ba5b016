"""MLflow's REST API 2.0: where it is, and the answers that its registry and its tracking share."""

from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.errors import Refused

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
PROXIED = "mlflow-artifacts"
ONNX, MANIFEST = "onnx/model.onnx", "manifest.json"
"""Where a training run keeps what a release needs."""


class Done(BaseModel):
    """`{}`; a page that some proxy answers with 200 is not it."""


class _RunInfo(BaseModel):
    run_id: str = ""
    artifact_uri: str


class Run(BaseModel):
    """A training run."""

    info: _RunInfo

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.info.run_id

    @property
    def artifact_uri(self) -> str:
        """Where its artifacts are, as MLflow says it."""
        return self.info.artifact_uri

    def path_of(self, artifact: str) -> str:
        """
        Return where MLflow gives and takes the *artifact*.

        Raises:
            Refused: MLflow does not proxy its artifacts.
        """
        root = urlsplit(self.artifact_uri)
        if root.scheme != PROXIED:
            msg = f"run {self.run_id} keeps its artifacts at {root.scheme}: start MLflow with --serve-artifacts"
            raise Refused(msg)
        path = f"{root.path.strip('/')}/{artifact}"
        return f"{FILES}/{quote(path)}"


class RunAnswer(BaseModel):
    """What MLflow answers about one run."""

    run: Run


def run_of(http: HttpClient, run_id: str) -> Run:
    """Return the run *run_id*. Raises NotFound when there is none."""
    return http.ask("GET", f"{API}/runs/get", RunAnswer, params={"run_id": run_id}).run
