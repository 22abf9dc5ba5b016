"""
Every step of a release x kill before, inside and after it, exception, hang, cancel: through real flow runs.

Who undoes or finishes it: after a kill the hook or reconcile, in turns; else the flow's own body, before it ends.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, product
from typing import Any

import pytest
from inject.faulty_flow import INSIDE, VARIABLE
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed
from prove.share import share
from world.replicas import MODEL
from world.runs import deploy_like_ours, start, wait_for

from flows.recover_run import recover_run
from flows.train_register_reload import train_register_reload
from interlock.stack.processes import ROOT
from interlock.stack.supervisor import Supervisor
from interlock.upkeep.reconcile import Reconciler

STEPS = list(INSIDE)
AFTER_COMMIT = STEPS[STEPS.index("commit") + 1 :]
BEGIN_S = 120
CANCELLED_WITHIN_S = 10
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
number = count(1)


class Runner:
    """A process that has imported everything, and forks for each flow run."""

    def __init__(self, api: Any) -> None:
        variables = api.environment | {"PREFECT_API_URL": api.settings.prefect_api}
        command = [sys.executable, str(ROOT / "tests/inject/faulty_flow.py")]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=variables, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def run(self, told: dict[str, object]) -> int:
        """Return how the process of the flow run ended; negative by a signal."""
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module", autouse=True)
def without_schedule(stack) -> Iterator[None]:
    """Who recovers is said by each cell."""
    supervisor = Supervisor(stack.settings)
    supervisor._rpc().stopProcess("reconcile")
    yield
    supervisor.ensure("reconcile")


@pytest.fixture(scope="module")
def runner(stack) -> Iterator[Runner]:
    made = Runner(stack)
    yield made
    made.stop()


def cells():
    faults = [("kill", "before"), ("kill", "inside"), ("kill", "after"), ("exception", "inside"), ("hang", "inside")]
    return share([pytest.param(step, *fault, id="-".join((step, *fault))) for step, fault in product(STEPS, faults)])


def is_decided(step: str, when: str) -> bool:
    return step in AFTER_COMMIT or (step, when) == ("commit", "after")


def run_of(api, name: str) -> dict[str, Any]:
    (run,) = api.prefect("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    return run


def by_hook(api, name: str) -> None:
    """As Prefect calls it in a fresh process after a crash: by keywords, with what was passed as parameters."""
    run = FlowRun.model_validate(run_of(api, name))
    recover_run(flow=train_register_reload, flow_run=run, state=Crashed())


def by_reconcile(api, _: str) -> None:
    (report,) = Reconciler(api.env).reconcile([MODEL])
    assert not report.failed
    assert not report.busy


@pytest.mark.parametrize(("step", "act", "when"), cells())
def test_a_fault_in_a_step_ends_with_the_state_before_or_the_decided_one(
    replicas, runner, api, tmp_path, step, act, when
):
    before, turn = replicas.live, next(number)
    told = {"step": step, "act": act, "when": when, "mark": str(tmp_path / "struck"), "name": tmp_path.name}
    with replicas.watched():
        ended = runner.run(told | {"params": {"C": 2 + turn / 100}})
        assert (tmp_path / "struck").exists()
        assert ended == (-signal.SIGKILL if act == "kill" else 0)
        if act == "kill":
            (by_hook, by_reconcile)[turn % 2](api, tmp_path.name)
            replicas.sweep()
        assert replicas.is_settled()

    candidate = replicas.newest()
    assert candidate != before
    assert replicas.live == (candidate if is_decided(step, when) else before)
    replicas.check_whole()
    if act != "kill":
        state = run_of(api, tmp_path.name)["state"]
        assert (state["type"] == "COMPLETED") == ((step, act) == ("close", "hang")), state
        assert f"v{replicas.live} serves" in state["message"]


@pytest.fixture(scope="module")
def faulty(stack) -> dict[str, Any]:
    return deploy_like_ours(stack, "train-register-reload", "tests.inject.faulty_flow:train_register_reload")


@pytest.mark.parametrize("step", share(STEPS))
def test_a_cancellation_in_a_step_ends_with_the_state_before_or_the_decided_one(replicas, api, faulty, tmp_path, step):
    """Under a worker, which ends the flow's process; the step hangs meanwhile."""
    before, mark = replicas.live, tmp_path / "struck"
    told = {"step": step, "act": "hang", "when": "inside", "mark": str(mark), "hang_s": CANCELLED_WITHIN_S}
    with replicas.watched():
        run = start(api, faulty, variables={VARIABLE: json.dumps(told)}, params={"C": 2 + next(number) / 100})
        wait_for(mark.exists, BEGIN_S, f"the release did not come to {step}: {run.state}")
        run.cancel()
        run.ends_as("CANCELLED", BEGIN_S)
        assert replicas.is_settled()

    assert replicas.live == (replicas.newest() if is_decided(step, "inside") else before)
    replicas.check_whole()
