"""A stack of its own for a measurement: a folder and ports that nobody else uses, gone afterwards."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.settings import PORTS, Settings
from stack.processes import Supervisor
from stack.up import bring_up


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


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Print what was measured beside what it must reach."""
    widths = [max(len(row[i]) for row in [("measured", "value", "goal"), *rows]) for i in range(3)]
    print(f"\n{title}")
    for row in [("measured", "value", "goal"), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
