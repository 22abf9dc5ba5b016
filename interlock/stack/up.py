"""
Bring the stack up, ready to use; everything here can be done again.

    ports -> supervisor -> Prefect, MLflow, serving -> worker (makes the pool), reconcile -> blocks -> deployments
"""

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
from interlock.waiting import waited_for

HEALTHY_S = 180.0
PAUSE_S = 0.1


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
    def state() -> str | None:
        """None when it answers."""
        return None if answers() else supervisor.states().get(process, "UNKNOWN")

    last = waited_for(state, longest_s=HEALTHY_S, pause_s=PAUSE_S, enough=lambda now: now in (None, "FATAL"))
    if last is not None:
        msg = f"{process} is {last} and does not answer {url}; see {supervisor.log_of(process)}"
        raise StackError(msg)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
