"""
`train_register_reload` as it is, with one fault in one of its steps; tests start it in a process of its own.

    python tests/inject/faulty_flow.py   imports everything once, forks for each line of stdin, says how that ended
    tests.inject.faulty_flow             the same under a worker, told by TEST_FAULT
"""

import functools
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.train_register_reload import train_register_reload
from interlock.adapters.http import HttpClient
from interlock.release.steps import Release
from tasks.release import TASKS

DEADLINE_S = 2.0
"""Of the step that hangs, instead of 60 s."""
HANG_S = 6.0
VARIABLE = "TEST_FAULT"

INSIDE = {
    "snapshot": "rename journal.json",
    "materialize": "GET /api/2.0/mlflow-artifacts/artifacts/",
    "trial": "rename attempts/",
    "load": "POST /variant/A/stage",
    "ready": "GET /variant/A/model-info",
    "smoke": "POST /variant/A/predict",
    "commit": "rename current.json",
    "switch": "POST /reload",
    "confirm": "GET /variants",
    "point_alias": "POST /api/2.0/mlflow/registered-models/alias",
    "close": "rename history/",
}
"""Where each step is struck inside: when a server has done the work and its answer is lost, or just before a rename."""
FOLDERS = ("history", "attempts")


@dataclass
class Fault:
    """
    What happens in a step, once.

    Args:
        when: before, inside or after.
        act: kill, exception or hang; hang also waits for a cancellation.
        mark: File that is made when it happens.
    """

    step: str
    when: str
    act: str
    mark: Path
    hang_s: float = HANG_S

    def __post_init__(self) -> None:
        self._struck = threading.Lock()
        self._inside = False

    def arm(self) -> None:
        """Put the fault into the step, for the rest of this process."""
        real_step, real_call = getattr(Release, self.step), HttpClient.call

        @functools.wraps(real_step)
        def step(release: Release, *args: Any, **options: Any) -> Any:
            self._strike_if("before")
            self._inside = True
            try:
                result = real_step(release, *args, **options)
            finally:
                self._inside = False
            self._strike_if("after")
            return result

        def call(client: HttpClient, method: str, path: str, **request: Any) -> Any:
            answer = real_call(client, method, path, **request)
            self._pass(f"{method} {path}")
            return answer

        setattr(Release, self.step, step)
        HttpClient.call = call  # type: ignore[method-assign]
        sys.addaudithook(self._audit)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.rename" and self._inside:
            target = Path(args[1])
            self._pass(f"rename {f'{target.parent.name}/' if target.parent.name in FOLDERS else target.name}")

    def _pass(self, point: str) -> None:
        if self._inside and point.startswith(INSIDE[self.step]):
            self._strike_if("inside")

    def _strike_if(self, when: str) -> None:
        if when == self.when and self._struck.acquire(blocking=False):
            self.mark.touch()
            ACTS[self.act](self)


def kill(_: Fault) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(fault: Fault) -> None:
    raise RuntimeError(f"a bug in {fault.step}")


def hang(fault: Fault) -> None:
    time.sleep(fault.hang_s)


ACTS: dict[str, Callable[[Fault], None]] = {"kill": kill, "exception": fail, "hang": hang}


def read_fault(told: dict[str, Any]) -> Fault:
    return Fault(told["step"], told["when"], told["act"], Path(told["mark"]), told.get("hang_s", HANG_S))


def run(told: dict[str, Any]) -> None:
    """Run the flow under the name that was told; the heartbeat's second at its end is saved."""
    read_fault(told).arm()
    if told["act"] == "hang" and (task := TASKS.get(told["step"])):
        task.timeout_seconds = DEADLINE_S
    flow = train_register_reload.with_options(flow_run_name=told["name"])
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        flow(params=told["params"], return_state=True)


def warm_up() -> None:
    """Import what a training imports when it is needed."""
    for name in ("mlflow.sklearn", "learners.iris", "interlock.training.convert"):
        importlib.import_module(name)


if VARIABLE in os.environ:
    read_fault(json.loads(os.environ[VARIABLE])).arm()

if __name__ == "__main__":
    warm_up()
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    for line in sys.stdin:
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
        else:
            run(json.loads(line))
            os._exit(0)  # threads of C++ libraries did not come along, and their destructors would wait for them
