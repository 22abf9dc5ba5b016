"""The wheel's tritonserver, started as the stack starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from interlock.settings import Settings
from interlock.stack.processes import ROOT
from interlock.stack.triton.left import sweep
from interlock.stack.triton.server import why_not

UP_S = 30


class RealTriton:
    """One tritonserver over the repository of *settings*; it can be killed and started again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.models = settings.repository_root / "models"
        self.key = settings.triton_key().get_secret_value()
        ((self.http, self.grpc),) = settings.triton
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = {
            "INTERLOCK_HOME_FOLDER": str(self.settings.home),
            "INTERLOCK_HOST": self.settings.host,
            "INTERLOCK_TRITON_PORT": str(self.settings.port("triton")),
            "INTERLOCK_TRITON_GRPC_PORT": str(self.settings.port("triton_grpc")),
            "INTERLOCK_TRITON_METRICS_PORT": str(self.settings.port("triton_metrics")),
        }
        log = (self.settings.home / "triton.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "interlock.stack.triton.server"],
            cwd=ROOT,
            env=os.environ | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        deadline = time.monotonic() + UP_S
        while not self._is_up():
            assert self._process.poll() is None, (self.settings.home / "triton.log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def pause(self) -> None:
        """It hangs: its sockets take connections, and nobody answers."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it with its stubs, as its own way down waits 5 s for keep-alive connections; sweep what it left."""
        if self._process and self._process.poll() is None:
            self.kill()
        sweep()

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.http}/v2/health/live", timeout=1).is_success
        except httpx.TransportError:
            return False


def settings_at(home: Path, ports: list[int]) -> Settings:
    http, grpc, metrics = ports
    return Settings(home_folder=home, triton_port=http, triton_grpc_port=grpc, triton_metrics_port=metrics)


def reason_for_none(home: Path) -> str:
    """Why there is no real Triton on this machine; empty where there is."""
    return why_not(Settings(home_folder=home))
