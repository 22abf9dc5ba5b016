"""
Bring the stack up, ready to use; everything here can be done again.

    ports -> supervisor -> Prefect, MLflow, serving -> worker (makes the pool), reconcile -> blocks -> deployments
"""

import subprocess
import time
from collections.abc import Callable
from hashlib import sha256

import httpx

from blocks.settings import Settings
from stack.errors import StackError
from stack.parts import BIN, ROOT, environment, parts, pool
from stack.ports import check_free
from stack.processes import Supervisor
from stack.triton_server import why_not

HEALTHY_S = 180.0
DEPLOY_S = 300.0


def bring_up(settings: Settings, say: Callable[[str], None]) -> None:
    """
    Bring the stack up and wait until flows can be run on it.

    Raises:
        StackError: A port is taken, or a part did not come up; the message says which and where its log is.
    """
    supervisor = Supervisor(settings)
    settings.serving_token()
    if reason := why_not(settings):
        say(f"without Triton: {reason}")
    if not supervisor.is_running():
        check_free(settings, parts(settings))
        supervisor.start()
    for part in parts(settings):
        if part.autostart:
            supervisor.ensure(part.name)
    _wait_healthy(settings, supervisor, say)
    supervisor.ensure("worker")
    supervisor.ensure("reconcile")
    _provision(settings, supervisor)


def _provision(settings: Settings, supervisor: Supervisor) -> None:
    """Make blocks and deployments, unless these very ones were made already."""
    stamp = settings.home / "provisioned"
    inputs = f"{(ROOT / 'prefect.yaml').read_text()}{settings!r}{settings.serving_token().get_secret_value()}"
    wanted = sha256(inputs.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    from blocks.__main__ import save_blocks  # Prefect's import costs 2 s; `up` on a stack that is up need not pay

    save_blocks(settings)
    _wait(supervisor, "worker", f"{settings.prefect_api}/work_pools/{pool(settings)}")
    _deploy(settings)
    stamp.write_text(wanted)


def _wait_healthy(settings: Settings, supervisor: Supervisor, say: Callable[[str], None]) -> None:
    for part in parts(settings):
        if part.health:
            _wait(supervisor, part.name, part.health)
            say(f"{part.name} answers {part.health}")


def _wait(supervisor: Supervisor, part: str, url: str) -> None:
    deadline = time.monotonic() + HEALTHY_S
    while not _answers(url):
        state = supervisor.states().get(part)
        if state == "FATAL" or time.monotonic() > deadline:
            msg = f"{part} is {state} and does not answer {url}; see {supervisor.log_of(part)}"
            raise StackError(msg)
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False


def _deploy(settings: Settings) -> None:
    command = [f"{BIN}/prefect", "--no-prompt", "deploy", "--name", f"*/{settings.environment}"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, timeout=DEPLOY_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command)} did not end within {DEPLOY_S:g} s"
        raise StackError(msg) from error
    if done.returncode != 0:
        msg = f"{' '.join(command)} failed: {done.stdout}{done.stderr}"
        raise StackError(msg)
