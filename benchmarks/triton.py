"""
Releases to the real tritonserver, and the naive sequence beside them, under a stream of 8 clients.

    ours    100 releases, each followed by a release that is rolled back after its commit
    naive   load (default policy) -> ready -> smoke; on an error rename to 13.failed_x, unload, load
    large   one release of an ONNX of 300 MB
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from benchmarks.models import MIB, iris, large
from benchmarks.naive_triton import NAIVE, NaiveModel
from benchmarks.place import environment, load_apart, table, until_up
from benchmarks.shelf import Shelf
from demos.bad_models import KINDS
from demos.load import ROWS, triton_question
from interlock.adapters.triton.addresses import addresses
from interlock.adapters.triton.engine import TritonReplica, triton_engine
from interlock.errors import Broken, DeliveryError
from interlock.model.manifest import Manifest
from interlock.records import TRITON, Candidate, Current, EngineRef, Run
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.settings import Settings
from interlock.stack.processes import ROOT
from interlock.store import Store
from interlock.training.parity import Onnx

CYCLES = 100
CLIENTS = 8
RATE = 100.0


@contextmanager
def triton() -> Iterator[tuple[Settings, subprocess.Popen[bytes]]]:
    """Run a tritonserver over a repository of its own."""
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    os.environ.update(environment(home))
    settings = Settings()
    with (home / "triton.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "interlock.stack.triton.server"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until_up(f"{settings.local_url('triton')}/v2/health/live")
        yield settings, server
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        shutil.rmtree(home)


class Ours:
    """Releases as the flow makes them."""

    def __init__(self, settings: Settings) -> None:
        """Take the server."""
        self.shelf = Shelf()
        self.store = Store(settings.repository_root)
        ref = EngineRef(kind=TRITON, name="dev", urls=addresses(settings.triton))
        self.engine = triton_engine(ref, settings.triton_key().get_secret_value(), self.store)
        self.env = Environment(self.store, self.shelf, lambda _: self.engine, Run())
        self.follows: list[tuple[int, float]] = []
        self._time_follow()

    def release(self, candidate: Candidate, *, bad: bool = False) -> None:
        """Release; *bad*: somebody says so after the commit."""
        with released(self.env, candidate, [self.engine], force=True) as made:
            carry_out(made)
            if bad:
                msg = "somebody says that it is bad"
                raise Broken(msg)

    def _time_follow(self) -> None:
        follow, times = TritonReplica.follow, self.follows

        def timed(replica: TritonReplica, current: Current) -> Any:
            started = time.perf_counter()
            seen = follow(replica, current)
            times.append((current.version_of("A") or 0, (time.perf_counter() - started) * 1000))
            return seen

        TritonReplica.follow = timed  # type: ignore[method-assign]


def cycles(settings: Settings) -> list[tuple[str, str, str]]:
    """Release and roll back under load."""
    ours, url = Ours(settings), settings.local_url("triton")
    models = [iris(c) for c in (1.0, 10.0, 5.0)]
    ours.release(ours.shelf.put(1, *models[0]))
    truth = {1: _confidence(*models[0])}
    started = time.monotonic()
    with load_apart(url, RATE, CLIENTS, triton_question("best_model")) as tally:
        for cycle in range(CYCLES):
            good, bad = 2 + 2 * cycle, 3 + 2 * cycle
            truth |= {good: _confidence(*models[(cycle + 1) % 2]), bad: _confidence(*models[2])}
            ours.release(ours.shelf.put(good, *models[(cycle + 1) % 2]))
            try:
                ours.release(ours.shelf.put(bad, *models[2]), bad=True)
            except Broken:
                continue
    seconds = time.monotonic() - started
    forward = [ms for (version, ms), before in zip(ours.follows[1:], ours.follows, strict=False) if version > before[0]]
    back = [ms for (version, ms), before in zip(ours.follows[1:], ours.follows, strict=False) if version < before[0]]
    return [
        (f"{CYCLES} releases + {CYCLES} rolled back, {CLIENTS} clients: requests", str(tally.requests), ""),
        ("  failed", str(tally.failed), "0"),
        ("  un-versioned answers by an unproven or another version", str(tally.mislabelled(truth)), "0"),
        ("  slowest request", f"{max(tally.milliseconds):.0f} ms", "< 500 ms"),
        ("  p99", f"{tally.percentile(0.99):.1f} ms", ""),
        ("  switch, cold: median", f"{median(forward):.0f} ms", "< 250 ms"),
        ("  rollback, warm: median", f"{median(back):.1f} ms", "< 20 ms"),
        ("  rollback, warm: p99", f"{sorted(back)[int(len(back) * 0.99) - 1]:.1f} ms", ""),
        ("  a release with its proof, mean", f"{seconds / CYCLES / 2:.2f} s", ""),
    ]


def beside(settings: Settings) -> list[tuple[str, str, str]]:
    """Send the same candidates through the naive sequence and through ours."""
    rows = []
    good, manifest = iris(1.0)
    for kind, make in {"a good model": lambda content: content, **KINDS}.items():
        naive = _under_load(settings, NAIVE, lambda make=make: _naive(settings, make(good)))  # type: ignore[misc]
        ours = _under_load(settings, "best_model", lambda make=make: _ours(settings, make(good), manifest))  # type: ignore[misc]
        rows.append((kind, naive, ours))
    return rows


def _naive(settings: Settings, content: bytes) -> Callable[[], None]:
    model = NaiveModel(settings)

    def act() -> None:
        model.deploy(content)
        time.sleep(1)

    act.close = model.close  # type: ignore[attr-defined]
    return act


def _ours(settings: Settings, content: bytes, manifest: Manifest) -> Callable[[], None]:
    ours = Ours(settings)
    version = ours.store.current("best_model").version_of("A") or 0
    candidate = ours.shelf.put(version + 1000, content, manifest)

    def act() -> None:
        with suppress(DeliveryError):
            ours.release(candidate)
        time.sleep(1)

    return act


def _under_load(settings: Settings, model: str, prepare: Callable[[], Callable[[], None]]) -> str:
    act = prepare()
    question = triton_question(model)
    with load_apart(settings.local_url("triton"), RATE, CLIENTS, question) as tally:
        time.sleep(0.3)
        act()
    last = httpx.post(f"{settings.local_url('triton')}{question.path}", json=question.body, timeout=5)
    if close := getattr(act, "close", None):
        close()
    state = f"v{question.read(last.json())[0]} serves" if last.is_success else "DOWN FOR GOOD"
    return f"{tally.failed} of {tally.requests} failed, {state}"


def measure_large(settings: Settings, server: subprocess.Popen[bytes]) -> list[tuple[str, str, str]]:
    """Release 300 MB."""
    ours = Ours(settings)
    process, ours_process = psutil.Process(server.pid), psutil.Process()
    made, manifest = large(300)
    version = (ours.store.current("best_model").version_of("A") or 0) + 1
    candidate = ours.shelf.put(version, made, manifest)
    before, started = ours_process.memory_info().rss, time.monotonic()
    with load_apart(settings.local_url("triton"), 50, CLIENTS, triton_question("best_model")) as tally:
        ours.release(candidate)
    seconds = time.monotonic() - started
    stubs = sum(child.memory_info().rss for child in process.children(recursive=True)) + process.memory_info().rss
    return [
        (f"release of an ONNX of {len(made) // MIB} MiB", f"{seconds:.1f} s", ""),
        ("  failed requests", str(tally.failed), "0"),
        ("  releasing process grew by", f"{(ours_process.memory_info().rss - before) // MIB} MiB", ""),
        ("  tritonserver with its stubs afterwards", f"{stubs // MIB} MiB", ""),
    ]


def _confidence(content: bytes, manifest: Manifest) -> float:
    return float(Onnx(content, manifest.signature).asked(ROWS).numbers.max())


def main() -> None:
    """Measure everything on one server."""
    with triton() as (settings, server):
        table("Releases to Triton", cycles(settings))
        rows = beside(settings)
        print("\nThe same candidates, side by side")
        for kind, naive, ours in [("candidate", "naive sequence", "ours"), *rows]:
            print(f"{kind:<40}{naive:<48}{ours}")
        table("A large model", measure_large(settings, server))


if __name__ == "__main__":
    main()
