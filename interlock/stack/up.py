"""
Bring the stack up, ready to use; everything here can be done again.

    ports -> supervisor -> Prefect, MLflow, serving -> worker (makes the pool), reconcile -> blocks -> deployments
"""

import time
from collections.abc import Callable
from functools import partial

import httpx

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.ports import check_free
from interlock.stack.prefect_api import PrefectApi, choose_auth
from interlock.stack.processes import pool, processes
from interlock.stack.provision import provision
from interlock.stack.supervisor import Supervisor
from interlock.stack.triton.server import why_not

HEALTHY_S = 180.0


def bring_up(settings: Settings, say: Callable[[str], None]) -> None:
    """
    Bring the stack up and wait until flows can be run on it.

    Raises:
        StackError: A port is taken, or a process did not come up; the message says which and where its log is. Or the
            shell says another authentication than the server that runs.
    """
    supervisor = Supervisor(settings)
    settings.serving_token()
    if reason := why_not(settings):
        say(f"without Triton: {reason}")
    runs = supervisor.is_running()
    choose_auth(settings, runs=runs)
    if runs:
        _take_over(settings, supervisor, say)
    else:
        check_free(settings, processes(settings))
        supervisor.start()
    for process in processes(settings):
        if process.autostart:
            supervisor.ensure(process.name)
    _wait_healthy(settings, supervisor, say)
    supervisor.ensure("worker")
    supervisor.ensure("reconcile")
    api, made = PrefectApi.of(settings), f"work_pools/{pool(settings)}"
    provision(settings, until_pool=lambda: _wait(supervisor, "worker", f"{api.url}/{made}", lambda: api.has(made)))


def _take_over(settings: Settings, supervisor: Supervisor, say: Callable[[str], None]) -> None:
    """Let a stack that runs become the one that is asked for."""
    check_free(settings, supervisor.missing())
    if names := supervisor.outdated():
        say(f"{', '.join(names)} changed since the stack came up: `make down && make up` tells the processes that run")
    supervisor.read_again()


def _wait_healthy(settings: Settings, supervisor: Supervisor, say: Callable[[str], None]) -> None:
    for process in processes(settings):
        if process.health:
            _wait(supervisor, process.name, process.health, partial(_answers, process.health))
            say(f"{process.name} answers {process.health}")


def _wait(supervisor: Supervisor, process: str, url: str, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HEALTHY_S
    while not answers():
        state = supervisor.states().get(process)
        if state == "FATAL" or time.monotonic() > deadline:
            msg = f"{process} is {state} and does not answer {url}; see {supervisor.log_of(process)}"
            raise StackError(msg)
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
