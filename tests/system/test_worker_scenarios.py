"""
Eight ways in which a release under a real worker is broken off; users of the model notice none.

Recovery is counted from the fault until no release is open and replicas and alias are as decided: 30 s with a
worker, 90 s by the schedule alone (`interlock reconcile --every 30`).
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from inject.hooked_flows import go_file
from pydantic import SecretStr
from support.wire import wire
from world.replicas import MODEL, Replicas
from world.runs import FlowRun, deploy_like_ours, deployment, start, wait_for

from blocks.automations import SILENT, save_automation
from blocks.serving_api import ServingApi
from interlock.stack.supervisor import Supervisor

WITH_WORKER_S = 30.0
BY_SCHEDULE_S = 90.0
OUTAGE_S = 30.0
BEGIN_S = 120.0
END_S = 180.0
BEFORE, AFTER = "POST /variant/A/stage", "POST /reload"
"""Where the first replica keeps its answer: before the commit, and after it."""
pytestmark = [pytest.mark.faults, pytest.mark.in_turn, pytest.mark.timeout(600)]
COUNT = iter(range(1, 1000))


@contextmanager
def stopped(api: Any, part: str) -> Iterator[None]:
    """Stop one part of the stack, and start it again."""
    supervisor = Supervisor(api.settings)
    supervisor._rpc().stopProcess(part)
    try:
        yield
    finally:
        supervisor.ensure(part)


def begun(replicas: Replicas, point: str, deployed: dict[str, Any] | None = None) -> FlowRun:
    """Start a release and wait until the first replica has done the work of *point* and keeps its answer."""
    replicas.hold(point)
    run = start(replicas.stack, deployed or deployment(replicas.stack), params={"C": 3 + next(COUNT) / 100})
    wait_for(replicas.proxy.held.is_set, BEGIN_S, f"the release did not come to {point}: {run.state}")
    return run


def settled(replicas: Replicas, since: float, bound_s: float, told: Any) -> None:
    """Wait until everything is as decided; that took less than *bound_s* seconds since the fault."""
    wait_for(replicas.is_settled, bound_s, f"not recovered within {bound_s:g} s")
    took = time.monotonic() - since
    told("recovery_s", round(took, 1))
    print(f"recovered in {took:.1f} s")  # noqa: T201
    assert took <= bound_s


def whole(replicas: Replicas) -> None:
    """`interlock status` has nothing to complain about, nor has a pass of reconcile."""
    wait_for(lambda: replicas.stack.interlock("status").returncode == 0, 60, "status is not content")
    replicas.check_whole()


def decided(replicas: Replicas, point: str, before: int) -> int:
    return before if point == BEFORE else replicas.newest()


@pytest.mark.parametrize(
    "point", [pytest.param(BEFORE, id="before the commit"), pytest.param(AFTER, id="after the commit")]
)
def test_the_flow_is_killed(replicas, api, record_property, point):
    """The hook in a fresh process recovers; nothing else is there to do it."""
    before = replicas.live
    with replicas.watched(), stopped(api, "reconcile"):
        run = begun(replicas, point)
        since = time.monotonic()
        run.process().kill()
        replicas.let_go()
        settled(replicas, since, WITH_WORKER_S, record_property)
        run.ends_as("CRASHED", END_S)
    recovery = next(event for event in api.store.events(MODEL) if event.kind == "recovery")
    assert recovery.flow_run_id == run.id
    assert replicas.live == decided(replicas, point, before)
    whole(replicas)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(BEFORE, id="before the commit"),
        pytest.param(AFTER, id="after the commit"),
    ],
)
def test_a_step_raises(replicas, api, record_property, point):
    """An answer that is garbage is no verdict: it stops a release, and leaves alone one that serves."""
    before = replicas.live
    with replicas.watched(), stopped(api, "reconcile"):
        replicas.garble(point)
        run = start(api, deployment(api), params={"C": 3 + next(COUNT) / 100})
        wait_for(lambda: replicas.has_garbled(point), BEGIN_S, "the release did not begin")
        settled(replicas, time.monotonic(), WITH_WORKER_S, record_property)
        message = run.ends_as("FAILED", END_S)
    assert replicas.live == decided(replicas, point, before)
    assert f"v{replicas.live} serves" in message
    whole(replicas)


@pytest.mark.parametrize(
    "point", [pytest.param(BEFORE, id="before the commit"), pytest.param(AFTER, id="after the commit")]
)
def test_the_run_is_cancelled_from_the_command_line(replicas, api, record_property, point):
    before = replicas.live
    with replicas.watched(), stopped(api, "reconcile"):
        run = begun(replicas, point)
        variables = api.environment | {"PREFECT_API_URL": api.settings.prefect_api}
        done = type(api)(api.settings, variables).run("prefect", "flow-run", "cancel", run.id)
        assert done.returncode == 0, done.stdout + done.stderr
        settled(replicas, time.monotonic(), WITH_WORKER_S, record_property)
        replicas.let_go()
        run.ends_as("CANCELLED", END_S)
    assert replicas.live == decided(replicas, point, before)
    whole(replicas)


def test_the_worker_is_killed(replicas, api, record_property):
    """The flow is an orphan and goes on to its end."""
    with replicas.watched(), stopped(api, "reconcile"):
        run = begun(replicas, BEFORE)
        since = time.monotonic()
        os.kill(Supervisor(api.settings).pids()["worker"], signal.SIGKILL)
        replicas.let_go()
        settled(replicas, since, WITH_WORKER_S, record_property)
        run.ends_as("COMPLETED", END_S)
    assert replicas.live == replicas.newest()
    whole(replicas)


@pytest.mark.parametrize(
    "point", [pytest.param(BEFORE, id="before the commit"), pytest.param(AFTER, id="after the commit")]
)
def test_worker_and_flow_are_killed(replicas, api, record_property, point):
    """No hook runs; the schedule alone recovers."""
    before = replicas.live
    with replicas.watched():
        run = begun(replicas, point)
        process, since = run.process(), time.monotonic()
        os.kill(Supervisor(api.settings).pids()["worker"], signal.SIGKILL)
        process.kill()
        replicas.let_go()
        settled(replicas, since, BY_SCHEDULE_S, record_property)
    assert replicas.live == decided(replicas, point, before)
    run.is_told_as_crashed()
    whole(replicas)


@pytest.mark.slow
def test_a_run_that_nobody_is_left_to_end_is_called_crashed_and_the_chat_is_told(replicas, api):
    """By the automation, which misses its heartbeat; until then it is shown as running."""
    with wire() as chat:
        chat.answers["POST /hook"] = lambda _: (200, b"ok")
        save_automation(api.settings.model_copy(update={"chat_url": SecretStr(f"{chat.url}/hook")}))
        run = begun(replicas, BEFORE)
        process = run.process()
        os.kill(Supervisor(api.settings).pids()["worker"], signal.SIGKILL)
        process.kill()
        replicas.let_go()
        assert "no heartbeat" in run.ends_as("CRASHED", SILENT.total_seconds() + END_S)
        wait_for(lambda: chat.asked, 30, "the chat was not told")
        assert chat.asked[0][1]["text"].startswith("CRASHED: train-register-reload ")
        assert run.id in chat.asked[0][1]["text"]
    save_automation(api.settings)
    whole(replicas)


@pytest.mark.parametrize("good", [pytest.param(True, id="a good version"), pytest.param(False, id="a broken one")])
def test_prefects_server_is_down_for_thirty_seconds(replicas, api, record_property, good):
    """The release ends during the outage, whatever its end; Prefect is told afterwards."""
    before = replicas.live
    with replicas.watched():
        run = begun(replicas, BEFORE)
        with stopped(api, "prefect"):
            since = time.monotonic()
            replicas.let_go() if good else replicas.garble("GET /variant/A/model-info")
            settled(replicas, since, WITH_WORKER_S, record_property)
            time.sleep(max(0.0, since + OUTAGE_S - time.monotonic()))
        wait_for(lambda: answers(api), 60, "Prefect's server did not come back")
        message = run.ends_as("COMPLETED" if good else "FAILED", END_S)
    assert replicas.live == (replicas.newest() if good else before)
    assert f"v{replicas.live} serves" in message
    whole(replicas)


def answers(api) -> bool:
    try:
        return httpx.get(f"{api.settings.prefect_api}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def broken_hook(stack):
    return deploy_like_ours(stack, "with-broken-hook", "tests.inject.hooked_flows:with_broken_hook")


@pytest.fixture(scope="module")
def slow_hook(stack):
    return deploy_like_ours(stack, "with-slow-hook", "tests.inject.hooked_flows:with_slow_hook")


def test_a_hook_raises_after_a_failure(replicas, api, broken_hook, record_property):
    before = replicas.live
    with replicas.watched(), stopped(api, "reconcile"):
        replicas.garble(BEFORE)
        run = start(api, broken_hook, params={"C": 3 + next(COUNT) / 100})
        wait_for(lambda: replicas.has_garbled(BEFORE), BEGIN_S, "the release did not begin")
        settled(replicas, time.monotonic(), WITH_WORKER_S, record_property)
        run.ends_as("FAILED", END_S)
        wait_for(lambda: run.has_logged("the pager is broken"), END_S, "the hook did not raise")
        wait_for(lambda: run.has_logged("it left no open release"), END_S, "our hook did not run after it")
    assert replicas.live == before
    whole(replicas)


def test_a_hook_raises_after_a_kill(replicas, api, broken_hook, record_property):
    """Ours runs all the same."""
    before = replicas.live
    with replicas.watched(), stopped(api, "reconcile"):
        run = begun(replicas, BEFORE, broken_hook)
        since = time.monotonic()
        run.process().kill()
        replicas.let_go()
        settled(replicas, since, WITH_WORKER_S, record_property)
        run.ends_as("CRASHED", END_S)
    assert replicas.live == before
    whole(replicas)


@pytest.fixture
def block_deleted(api):
    """Delete the block that says where the serving app is, when asked; it is there again afterwards."""
    block = ServingApi.load("dev")
    yield lambda: ServingApi.delete("dev")
    block.save("dev", overwrite=True)


def test_our_hook_raises_and_the_schedule_recovers(replicas, api, block_deleted, record_property):
    """The block was deleted meanwhile, so nobody can judge what is committed; the loop outside Prefect needs none."""
    with replicas.watched():
        with stopped(api, "reconcile"):
            run = begun(replicas, AFTER)
            since = time.monotonic()
            block_deleted()
            run.process().kill()
            replicas.let_go()
            wait_for(lambda: has_failed_to_recover(replicas), BY_SCHEDULE_S, "the hook did not fail")
        settled(replicas, since, BY_SCHEDULE_S, record_property)
        run.ends_as("CRASHED", END_S)
    assert replicas.live == replicas.newest()
    whole(replicas)


def has_failed_to_recover(replicas: Replicas) -> bool:
    newest = next(replicas.stack.store.events(MODEL), None)
    return newest is not None and newest.kind == "recovery failed" and "no block serving-api/dev" in newest.message


def test_a_slow_hook_with_the_next_run_behind_it(replicas, api, slow_hook, record_property):
    """The next release undoes what is open and goes live; the hook, when it comes, leaves that alone."""
    with replicas.watched(), stopped(api, "reconcile"):
        run = begun(replicas, BEFORE, slow_hook)
        since = time.monotonic()
        run.process().kill()
        replicas.let_go()
        run.ends_as("CRASHED", END_S)
        following = start(api, deployment(api), params={"C": 3 + next(COUNT) / 100})
        following.ends_as("COMPLETED", END_S)
        settled(replicas, since, END_S, record_property)
        after = replicas.live
        assert after == replicas.newest()
        go_file(replicas.stack.settings.home, run.id).touch()
        wait_for(lambda: run.has_logged("it left no open release"), END_S, "the slow hook did not end")
    assert replicas.live == after
    whole(replicas)
