"""A stack that runs takes over what became of its processes, and leaves alone what is as it was."""

import sys

import pytest
from world.runs import wait_for

from interlock.settings import Settings
from interlock.stack import supervisor as processes
from interlock.stack.processes import Process
from interlock.stack.supervisor import Supervisor

pytestmark = pytest.mark.filterwarnings("ignore")  # supervisor's client leaves its connections to the collector
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def part(name: str, **variables: str) -> Process:
    return Process(name, SLEEP, environment=variables)


@pytest.fixture
def now(monkeypatch, home):
    """The processes as they are now, and the supervisor of them."""
    now = [part("mlflow"), part("serving"), part("prefect")]
    monkeypatch.setattr(processes, "processes", lambda _: now)
    supervisor = Supervisor(Settings(home_folder=home))
    supervisor.start()
    wait_for(lambda: len(running(supervisor)) == 3, 20, "the processes did not start")
    yield now, supervisor
    supervisor.stop()


def running(supervisor: Supervisor) -> dict[str, int]:
    return {name: pid for name, pid in supervisor.pids().items() if supervisor.states()[name] == "RUNNING"}


def test_a_part_that_came_late_starts_and_the_others_run_on(now):
    """As Triton after a late `make .venv/triton`: BAD_NAME until `make down`."""
    processes, supervisor = now
    before = running(supervisor)
    processes.append(part("triton"))
    assert [late.name for late in supervisor.missing()] == ["triton"]

    supervisor.read_again()
    supervisor.ensure("triton")

    wait_for(lambda: "triton" in running(supervisor), 20, "the late part did not start")
    after = running(supervisor)
    assert {name: after[name] for name in before} == before
    assert supervisor.missing() == []


def test_what_changed_starts_anew_and_what_is_gone_stops(now):
    processes, supervisor = now
    before = running(supervisor)
    processes[:] = [part("mlflow"), part("serving", INTERLOCK_SERVING_MODEL="wine")]

    supervisor.read_again()
    supervisor.ensure("serving")

    wait_for(lambda: set(running(supervisor)) == {"mlflow", "serving"}, 20, "the processes are not as told")
    after = running(supervisor)
    assert after["mlflow"] == before["mlflow"]
    assert after["serving"] != before["serving"]


def test_nothing_new_changes_nothing(now):
    _, supervisor = now
    before = running(supervisor)

    supervisor.read_again()
    for name in before:
        supervisor.ensure(name)

    assert running(supervisor) == before


def test_a_setting_that_changed_since_the_start_is_named(now, monkeypatch):
    """Blocks are made anew; a part that runs has the environment in which it was started."""
    _, supervisor = now
    assert supervisor.outdated() == []

    monkeypatch.setenv("INTERLOCK_CHAT_URL", "http://chat/new")

    assert supervisor.outdated() == ["INTERLOCK_CHAT_URL"]
