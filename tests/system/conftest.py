"""
The real stack, brought up once for all system tests on ports of its own, in a folder of its own.

Its users stand where people stand: behind a company's proxy that knows nothing of this machine, with a `%` in a path.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, get_args

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prove.share import share
from support.planted import PLANTED
from support.ports import free_ports
from world.replicas import Replicas, two_replicas

from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.environment import environment
from interlock.release.environment import Environment
from interlock.settings import Listener, Settings
from interlock.stack.prefect_api import PrefectApi
from interlock.stack.processes import BIN, ROOT
from interlock.store import Store

UP_S = 240


def pytest_collection_modifyitems(config, items):
    here = Path(__file__).parent
    scenarios = [item for item in items if item.get_closest_marker("in_turn")]
    kept = {*share(scenarios)}
    left_out = [item for item in scenarios if item not in kept]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        if here in item.path.parents:
            item.add_marker("system")
            item.add_marker(pytest.mark.filterwarnings("default"))  # MLflow and scikit-learn warn as they like


@dataclass(frozen=True)
class Stack:
    """The local stack as its users see it."""

    settings: Settings
    environment: dict[str, str]
    proxy: ClassVar = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    """Nobody answers there."""

    @property
    def url(self) -> str:
        return self.settings.serving[0]

    @property
    def env(self) -> Environment:
        return environment(self.settings, "test")

    @property
    def registry(self) -> MlflowRegistry:
        return MlflowRegistry(self.settings.mlflow)

    @property
    def store(self) -> Store:
        return self.env.store

    @property
    def token(self) -> str:
        return self.settings.serving_token().get_secret_value()

    def interlock(self, *words: str, timeout: float = UP_S) -> subprocess.CompletedProcess[str]:
        return self.run(f"{BIN}/interlock", *words, timeout=timeout, **self.proxy)

    def run(self, *command: str, timeout: float = UP_S, **more: str) -> subprocess.CompletedProcess[str]:
        given = self.environment | more
        return subprocess.run(
            command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )

    def info(self) -> dict[str, object]:
        return httpx.get(f"{self.url}/model-info", timeout=5).json()

    def version(self) -> int | None:
        return self.info().get("version")

    def prefect(self, path: str, body: object) -> list[dict[str, object]]:
        return PrefectApi.of(self.settings).post(path, body)

    @contextmanager
    def pointed_at(self) -> Iterator[None]:
        """Flows that are called in this process report to the stack's Prefect server."""
        auth = self.settings.prefect_login().get_secret_value()
        with temporary_settings({PREFECT_API_URL: self.settings.prefect_api, PREFECT_API_AUTH_STRING: auth}):
            yield


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """`interlock up`, as a user does it; `interlock down` leaves no process behind."""
    home = Path(tempfile.mkdtemp(prefix="interlock-100%-"))
    listeners: tuple[Listener, ...] = get_args(Listener)
    ports = {f"{listener}_port": port for listener, port in zip(listeners, free_ports(len(listeners)), strict=True)}
    ours = {f"INTERLOCK_{name.upper()}": str(port) for name, port in ports.items()}
    ours["INTERLOCK_HOME_FOLDER"] = str(home)
    ours |= {name: secret for name, (secret, _) in PLANTED.items()}
    ours["TMPDIR"] = str(home / "tmp")  # Prefect's processes that are killed leave folders there
    (home / "tmp").mkdir()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INTERLOCK_", "PREFECT_", "PYTEST_"))}
    settings = Settings(home_folder=home, **ports)
    up = Stack(settings, inherited | ours | {"PATH": f"{BIN}:{inherited['PATH']}"})
    done = up.interlock("up")
    assert done.returncode == 0, done.stdout + done.stderr
    up.environment["PREFECT_API_AUTH_STRING"] = settings.prefect_login().get_secret_value()
    yield up
    down = up.interlock("down")
    assert down.returncode == 0, down.stdout + down.stderr
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])]
    assert left == []
    shutil.rmtree(home)


@pytest.fixture
def api(stack) -> Iterator[Stack]:
    """Flows that are called in this process report to the stack's Prefect server."""
    with stack.pointed_at():
        yield stack


@pytest.fixture(scope="module")
def replicas(stack) -> Iterator[Replicas]:
    """A second replica of the serving app beside the stack's own, and a proxy in front of that one."""
    with stack.pointed_at(), two_replicas(stack) as made:
        yield made
