"""A serving app with a prediction log, in a process of its own."""

import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.place import serving_app

TOKEN = secrets.token_hex(32)
LINE = re.compile(r"^(interlock_log\S+) (\S+)$", re.MULTILINE)


@dataclass
class App:
    """A serving app in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]

    def metrics(self) -> dict[str, float]:
        """Return what its log says of itself."""
        page = httpx.get(f"{self.url}/metrics", timeout=5).text
        return {name: float(value) for name, value in LINE.findall(page)}

    def written(self) -> int:
        """Return how many rows the database took."""
        return int(self.metrics()['interlock_log_rows_total{outcome="written"}'])

    def settle(self) -> float:
        """Wait until nothing waits; return the seconds."""
        started = time.monotonic()
        while any(self.metrics()[f"interlock_log_{name}"] for name in ("queued_rows", "spooled_bytes", "failing")):
            time.sleep(0.05)
        return time.monotonic() - started

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)


@contextmanager
def logging_app(home: Path, log_url: str | None) -> Iterator[App]:
    """Run an app over the repository in *home*; without a URL, without a log."""
    variables = {
        "INTERLOCK_SERVING_REPOSITORY": str(home / "repository"),
        "INTERLOCK_SERVING_TOKENS": TOKEN,
        "INTERLOCK_SERVING_LOG_ENABLED": str(log_url is not None),
        "INTERLOCK_SERVING_LOG_URL": log_url or "",
        "INTERLOCK_SERVING_LOG_FOLDER": str(home / "log"),
    }
    with serving_app(variables) as (url, process):
        yield App(url, process)
