"""
Make blocks and deployments on the stack's own Prefect server, whatever server the shell points at.

    fingerprint of settings, secrets, prefect.yaml, blocks and flows, and of the blocks that the server has
        == the one of last time: nothing to do            otherwise: blocks -> pool -> deployments -> fingerprint
"""

import hmac
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import SecretStr

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.prefect_api import PrefectApi
from interlock.stack.processes import BIN, ROOT, client_environment, environment

LONGEST_S = 300.0
"""For Prefect's command that makes the deployments, and for ours that makes the blocks."""


def provision(settings: Settings, until_pool: Callable[[], object]) -> None:
    """
    Make blocks and deployments, unless these very ones are there.

    Args:
        settings: Of the stack, which is up.
        until_pool: Returns when the worker has made its pool.

    Raises:
        StackError: The deployments cannot be made.
    """
    stamp, api = settings.home / "provisioned", PrefectApi.of(settings)
    if stamp.exists() and hmac.compare_digest(stamp.read_text(), fingerprint(settings, api)):
        return
    _save_blocks(settings)
    until_pool()
    _deploy(settings)
    stamp.write_text(fingerprint(settings, api))


def fingerprint(settings: Settings, api: PrefectApi) -> str:
    """Return what changes with anything that blocks and deployments are made of, and with the blocks on the server."""
    key = settings.prefect_login().get_secret_value()
    made_of = [str(ROOT), sys.executable, *_values(settings), *_sources(), *_there(api, settings.environment)]
    return hmac.new(key.encode(), json.dumps(made_of).encode(), "sha256").hexdigest()


def prefect_yaml() -> Path:
    """Return where the deployments are described: beside the packages, or in the wheel within this one."""
    beside = ROOT / "prefect.yaml"
    return beside if beside.exists() else Path(__file__).with_name("prefect.yaml")


def _values(settings: Settings) -> Iterator[str]:
    secrets = settings.serving_token(), settings.triton_key(), settings.prediction_log, settings.feature_store
    for value in (*(getattr(settings, name) for name in type(settings).model_fields), *secrets):
        yield value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _sources() -> Iterator[str]:
    yield prefect_yaml().read_text()
    for package in ("blocks", "flows"):
        yield from (path.read_text() for path in sorted((ROOT / package).glob("*.py")))


def _save_blocks(settings: Settings) -> None:
    ours = {name: value for name, value in environment(settings).items() if name.startswith("INTERLOCK_")}
    command = [sys.executable, "-m", "blocks", "--server", settings.prefect_api, "--overwrite"]
    _run(command, client_environment(settings) | ours)


def _there(api: PrefectApi, name: str) -> list[str]:
    """Return which blocks, as they were last written, deployments and automations the server has under our name."""
    blocks = api.post("block_documents/filter", {"block_documents": {"name": {"any_": [name]}}})
    deployments = api.post("deployments/filter", {"deployments": {"name": {"any_": [name]}}})
    automations = api.post("automations/filter", {})
    ours = [
        made["id"] for made in (*deployments, *(a for a in automations if a["name"].startswith(f"interlock {name}:")))
    ]
    return sorted([*(f"{block['id']} {block['updated']}" for block in blocks), *ours])


def _deploy(settings: Settings) -> None:
    command = [f"{BIN}/prefect", "--no-prompt", "deploy", "--prefect-file", str(prefect_yaml())]
    _run([*command, "--name", f"*/{settings.environment}"], client_environment(settings))


def _run(command: list[str], variables: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command)} did not end within {LONGEST_S:g} s"
        raise StackError(msg) from error
    if done.returncode != 0:
        msg = f"{' '.join(command)} failed: {done.stdout}{done.stderr}"
        raise StackError(msg)
