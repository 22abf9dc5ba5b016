"""Flow runs of deployments on the stack: start one, find its process, see how it ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TERMINAL_STATES, State
from prefect.states import Cancelling, Crashed


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """Return the first true answer of *what*."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class FlowRun:
    """A run of a deployment, as Prefect's API tells of it."""

    api: Any
    id: str

    @property
    def state(self) -> State:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(UUID(self.id)).state

    def ends_as(self, kind: str, seconds: float) -> str:
        """Wait for the end, which is of the type *kind*; return the state's message."""
        wait_for(lambda: self.state.type in TERMINAL_STATES, seconds, f"the run does not end: {self.state}")
        assert self.state.type == kind, self.state
        return self.state.message or ""

    def process(self) -> psutil.Process:
        """The process that the worker started for it."""
        return wait_for(self._process, 30, "the run has no process")

    def has_logged(self, words: str) -> bool:
        body = {"logs": {"flow_run_id": {"any_": [self.id]}}, "limit": 200}
        return any(words in line["message"] for line in self.api.prefect("logs/filter", body))

    def cancel(self) -> None:
        """As the UI and `prefect flow-run cancel` do it."""
        self._set_state(Cancelling())

    def is_told_as_crashed(self) -> None:
        """Say to Prefect what it cannot know: nobody is left who runs this."""
        self._set_state(Crashed(message="its host was lost"), force=True)

    def _set_state(self, state: State, *, force: bool = False) -> None:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(self.id), state, force=force)

    def _process(self) -> psutil.Process | None:
        for process in psutil.process_iter():
            try:
                variable = process.environ().get("PREFECT__FLOW_RUN_ID", "")
            except psutil.Error:
                continue
            if variable.replace("-", "") == self.id.replace("-", ""):
                return process
        return None


def deployment(api: Any, flow: str = "train-register-reload", name: str = "dev") -> dict[str, Any]:
    wanted = {"flows": {"name": {"any_": [flow]}}, "deployments": {"name": {"any_": [name]}}}
    (found,) = api.prefect("deployments/filter", wanted)
    return found


def deploy_like_ours(api: Any, flow: str, entrypoint: str, **variables: str) -> dict[str, Any]:
    """Deploy a flow of the tests as `train-register-reload/dev` is deployed."""
    ours = deployment(api)
    kept = ("path", "pull_steps", "work_pool_name", "work_queue_name", "parameter_openapi_schema")
    flow_id = api.prefect("flows/", {"name": flow})["id"]
    environment = {"env": ours["job_variables"].get("env", {}) | variables}
    body = {name: ours[name] for name in kept} | {"name": "tests", "flow_id": flow_id, "entrypoint": entrypoint}
    return api.prefect("deployments/", body | {"job_variables": ours["job_variables"] | environment})


def start(api: Any, deployed: dict[str, Any], *, variables: dict[str, str] | None = None, **parameters: Any) -> FlowRun:
    """Start a run of a deployment; *variables* are in its process's environment."""
    job = {"env": variables} if variables else None
    with get_client(sync_client=True) as client:
        made = client.create_flow_run_from_deployment(UUID(deployed["id"]), parameters=parameters, job_variables=job)
    return FlowRun(api, str(made.id))
