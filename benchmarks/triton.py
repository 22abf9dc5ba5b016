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
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import onnx
import psutil
from onnx import helper, numpy_helper
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from adapters.triton import TritonReplica, triton_engine
from adapters.triton_config import as_text, model_config
from adapters.triton_control import GRPC_KEY_HEADER
from benchmarks.place import environment, load_apart, table
from blocks.settings import Settings
from delivery.attempt import released
from delivery.errors import Broken, DeliveryError
from delivery.manifest import Golden, Manifest
from delivery.records import Candidate, Current, Run
from delivery.release import carry_out
from delivery.store import Store
from learners.conversion import OnnxClassifier
from learners.iris import Iris, IrisParams
from learners.training import train
from stack.bad_models import KINDS
from stack.load import ROWS, triton_question
from stack.parts import ROOT

CYCLES = 100
CLIENTS = 8
RATE = 100.0
NAIVE = "naive_model"
MIB = 2**20


@dataclass
class Shelf:
    """A registry of versions that are made here; the alias is kept in memory."""

    content: dict[int, tuple[bytes, Manifest]] = field(default_factory=dict)

    def fetch(self, candidate: Candidate, artifact: str, target: Path) -> None:
        """Write an artifact."""
        made, manifest = self.content[candidate.version]
        target.write_bytes(made if artifact == "model.onnx" else manifest.model_dump_json().encode())

    def alias(self, model: str, alias: str) -> int | None:
        """Know nothing."""
        del model, alias

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Do nothing."""

    def delete_alias(self, model: str, alias: str) -> None:
        """Do nothing."""

    def put(self, version: int, made: bytes, manifest: Manifest) -> Candidate:
        """Take a version."""
        digest = sha256(made).hexdigest()
        self.content[version] = made, manifest.model_copy(update={"sha256": digest, "size": len(made)})
        return Candidate(model="best_model", alias="A", version=version, run_id="benchmark", sha256=digest)


def iris(c: float) -> tuple[bytes, Manifest]:
    """Train iris."""
    trained = train("iris", Iris(), IrisParams(C=c))
    return trained.onnx, trained.manifest("benchmark")


@contextmanager
def triton() -> Iterator[tuple[Settings, subprocess.Popen[bytes]]]:
    """Run a tritonserver over a repository of its own."""
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    os.environ.update(environment(home))
    settings = Settings()
    with (home / "triton.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "stack.triton_server"], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not _is_up(settings):
            time.sleep(0.05)
        yield settings, server
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        shutil.rmtree(home)


def _is_up(settings: Settings) -> bool:
    try:
        return httpx.get(f"{settings.local_url('triton')}/v2/health/live", timeout=1).is_success
    except httpx.TransportError:
        return False


class Ours:
    """Releases as the flow makes them."""

    def __init__(self, settings: Settings) -> None:
        """Take the server."""
        self.shelf = Shelf()
        self.store = Store(settings.repository_root)
        self.engine = triton_engine("dev", settings.triton, settings.triton_key().get_secret_value(), self.store)
        self.follows: list[tuple[int, float]] = []
        self._time_follow()

    def release(self, candidate: Candidate, *, bad: bool = False) -> None:
        """Release; *bad*: somebody says so after the commit."""
        with released(
            self.store, candidate, [self.engine], engine_for=lambda _: self.engine, registry=self.shelf, run=Run()
        ) as made:
            carry_out(made, force=True)
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
    truth = {1: _confidence(models[0][0])}
    started = time.monotonic()
    with load_apart(url, RATE, CLIENTS, triton_question("best_model")) as tally:
        for cycle in range(CYCLES):
            good, bad = 2 + 2 * cycle, 3 + 2 * cycle
            truth |= {good: _confidence(models[(cycle + 1) % 2][0]), bad: _confidence(models[2][0])}
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


class NaiveModel:
    """The sequence that everybody writes first, against the same server."""

    def __init__(self, settings: Settings) -> None:
        """Put a good v12 there."""
        self.settings = settings
        self.folder = settings.repository_root / "models" / NAIVE
        self.client = InferenceServerClient(settings.triton[0][1])
        self.headers = {GRPC_KEY_HEADER: settings.triton_key().get_secret_value()}
        self.onnx, self.manifest = iris(1.0)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.put(12, self.onnx)
        text = as_text(model_config(NAIVE, self.manifest, [12]))
        head, _, rest = text.partition("version_policy")
        (self.folder / "config.pbtxt").write_text(head + rest[rest.index("max_batch_size") :])
        self.load()

    def put(self, version: int, content: bytes) -> None:
        """Write a version in place."""
        (self.folder / str(version)).mkdir(parents=True, exist_ok=True)
        (self.folder / str(version) / "model.onnx").write_bytes(content)

    def load(self) -> bool:
        """Load; return whether Triton said yes."""
        try:
            self.client.load_model(NAIVE, headers=self.headers)
        except InferenceServerException:
            return False
        return True

    def deploy(self, content: bytes) -> None:
        """Load -> ready -> smoke; on an error rename, unload, load."""
        self.put(13, content)
        if self.load() and self._smoke():
            return
        (self.folder / "13").rename(self.folder / "13.failed_20251231T025902Z")
        self.client.unload_model(NAIVE, headers=self.headers)
        self.load()

    def close(self) -> None:
        """Unload and forget."""
        self.client.unload_model(NAIVE, headers=self.headers)
        self.client.close()
        shutil.rmtree(self.folder)

    def _smoke(self) -> bool:
        question, golden = triton_question(NAIVE), self.manifest.golden
        body = {"inputs": [{**question.body["inputs"][0], "shape": [1, 4], "data": golden.rows[0]}]}
        answer = httpx.post(f"{self.settings.local_url('triton')}{question.path}", json=body, timeout=5)
        return answer.is_success and abs(question.read(answer.json())[2] - max(golden.probabilities[0])) < 1e-4  # noqa: PLR2004


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


def large(megabytes: int) -> tuple[bytes, Manifest]:
    """Return iris with a weight that is multiplied by nothing: large, and the same answers."""
    content, manifest = iris(1.0)
    model = onnx.load_from_string(content)
    weight = np.zeros((4, megabytes * MIB // 16), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "ballast"))
    name = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["ballasted" if given == name else given for given in node.input]
    axes = helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1])
    model.graph.initializer.append(axes)
    nodes = [
        helper.make_node("MatMul", [name, "ballast"], ["wide"]),
        helper.make_node("ReduceSum", ["wide", "axes"], ["nothing"], keepdims=1),
        helper.make_node("Add", [name, "nothing"], ["ballasted"]),
    ]
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    made = bytes(model.SerializeToString())
    golden = manifest.golden.rows[:2]
    labels, probabilities = OnnxClassifier(made).predict(np.asarray(golden, dtype=np.float32))
    answers = Golden(rows=golden, labels=labels.tolist(), probabilities=probabilities.tolist())
    return made, manifest.model_copy(update={"golden": answers})


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


def _confidence(content: bytes) -> float:
    return float(OnnxClassifier(content).predict(np.asarray(ROWS, dtype=np.float32))[1].max())


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
