"""Servers of its own for a measurement: folders and ports that nobody else uses, gone afterwards."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from demos.load import APP, Load, Question, Tally
from interlock.settings import PORTS, Settings
from interlock.stack.processes import ROOT
from interlock.stack.supervisor import Supervisor
from interlock.stack.up import bring_up

UP_S = 60.0


def environment(home: Path) -> dict[str, str]:
    """Return variables that keep a stack apart from every other."""
    probes = {listener: socket.socket() for listener in PORTS}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {f"INTERLOCK_{name.upper()}_PORT": str(probe.getsockname()[1]) for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return {"INTERLOCK_HOME_FOLDER": str(home), **ports}


@contextmanager
def own_stack() -> Iterator[Settings]:
    """Yield the settings of a stack that is up."""
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    os.environ.update(environment(home))
    settings = Settings()
    try:
        bring_up(settings, lambda _: None)
        yield settings
    finally:
        supervisor = Supervisor(settings)
        if supervisor.is_running():
            supervisor.stop()
        shutil.rmtree(home)


@contextmanager
def serving_app(variables: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a serving app with settings of its own; yield its URL and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {**os.environ, **variables, "INTERLOCK_SERVING_PORT": str(port), "INTERLOCK_SERVING_CONTROL_PORT": "0"}
    process = subprocess.Popen([sys.executable, "-m", "interlock.serving"], env=ours, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        until_up(f"{url}/healthz")
        yield url, process
    finally:
        process.terminate()
        process.wait()


def until_up(url: str) -> None:
    """
    Wait until *url* answers with a success.

    Raises:
        TimeoutError: It does not within a minute.
    """
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=1).is_success:
                return
        time.sleep(0.05)
    raise TimeoutError(url)


@contextmanager
def load_apart(url: str, rate: float, threads: int, question: Question = APP) -> Iterator[Tally]:
    """Ask from another process, so that asking does not slow down what is measured; the tally is filled at the end."""
    context = multiprocessing.get_context("fork")
    stop, back = context.Event(), context.SimpleQueue()
    asking = context.Process(target=_ask, args=(url, rate, threads, question, stop, back))
    asking.start()
    tally = Tally()
    try:
        yield tally
    finally:
        stop.set()
        for name, value in back.get().items():
            setattr(tally, name, value)
        asking.join()


def _ask(url: str, rate: float, threads: int, question: Question, stop: Any, back: Any) -> None:
    with Load(url, rate, threads, question) as load:
        stop.wait()
    back.put(vars(load.tally))


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print what was measured beside what it must reach."""
    widths = [max(len(row[i]) for row in [("measured", "value", "goal"), *rows]) for i in range(3)]
    print(f"\n{title}")
    for row in [("measured", "value", "goal"), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
