"""
What a pass of reconcile costs when there is nothing to do: 1,000 models that follow one serving app's address.

    python -m benchmarks.reconcile
"""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.place import table
from interlock.cli.loop import Rotation
from interlock.model.manifest import Column, Golden, Manifest
from interlock.records import Candidate, Current, EngineRef, HistoryEntry, Run, Variant
from interlock.release.engine import Engine, Seen, Served
from interlock.release.environment import Environment
from interlock.store import Store, Writer
from interlock.store.contents import sha256_of
from interlock.upkeep.reconcile import Reconciler

MODELS = 1000
PASSES = 10
REF = EngineRef(kind="serving-api", name="dev", urls=("http://one",))
RUN = Run(who="benchmark")


@dataclass
class Mirror:
    """A replica and a registry that agree with every decision, and count what they are asked."""

    store: Store
    address: str = "http://one"
    asked: Counter[str] = field(default_factory=Counter)

    def survey(self, currents: list[Current]) -> dict[str, Seen]:
        """Serve what is decided."""
        self.asked["survey"] += 1
        return {current.model: _served(current) for current in currents}

    def observe(self, model: str) -> Seen:
        """Serve what is decided."""
        self.asked["observe"] += 1
        return _served(self.store.current(model))

    def alias(self, model: str, alias: str) -> int | None:
        """Name what is decided."""
        self.asked["alias"] += 1
        return self.store.current(model).version_of(alias)


def _served(current: Current) -> Seen:
    return Seen({alias: Served(v.active_version, v.sha256, current.epoch) for alias, v in current.variants.items()})


def release(store: Store, model: str, onnx: Path, manifest: str) -> None:
    """Put a version and a decision on disk, as a release leaves them."""
    made = {"model.onnx": onnx.read_bytes(), "manifest.json": manifest.encode()}
    candidate = Candidate(model=model, alias="A", version=1, run_id="run", sha256=sha256_of(onnx))
    before = store.current(model)
    variant = Variant(alias="A", active_version=1, run_id="run", sha256=candidate.sha256, engines=(REF,))
    after = before.having("A", variant, epoch=1, release_id="r")
    entry = HistoryEntry(
        epoch=1, release_id="r", kind="release", run=RUN, at_utc="", why="", alias="A", before=before, after=after
    )
    with Writer.locked(store, model, RUN) as writer:
        writer.materialize(candidate, lambda name, path: path.write_bytes(made[name]) and None)
        writer.commit(before, entry)
        writer.account(entry.model_copy(update={"outcome": "completed"}))
        writer.note_alias("A", [1])


def fill(store: Store) -> None:
    """Make 1,000 models with small bytes."""
    onnx = store.root / "onnx"
    onnx.parent.mkdir(parents=True)
    onnx.write_bytes(b"bytes" * 4000)
    manifest = Manifest(
        run_id="run",
        learner="none",
        trained_at_utc="20251231T025902Z",
        sha256=sha256_of(onnx),
        size=onnx.stat().st_size,
        input_name="input",
        columns=[Column(name="x")],
        outputs=["label", "probabilities"],
        class_names=["no", "yes"],
        golden=Golden(rows=[[1.0]], labels=[1], probabilities=[[0.25, 0.75]]),
    ).model_dump_json()
    for number in range(MODELS):
        release(store, f"model{number}", onnx, manifest)


def main() -> None:
    """Measure passes that audit nothing, and passes of the loop, which audit their share."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "repository")
        fill(store)
        mirror = Mirror(store)
        engine = Engine(REF, [mirror])  # type: ignore[list-item]
        reconciler = Reconciler(Environment(store, mirror, lambda _: engine, RUN))  # type: ignore[arg-type]
        rotation = Rotation(every_s=30)
        disk, loop = [], []
        for _ in range(PASSES):
            disk.append(seconds(reconciler, []))
            loop.append(seconds(reconciler, rotation.turn(store.models())))
        mirror.asked.clear()
        seconds(reconciler, [])
    table(
        f"{MODELS} models, nothing to do",
        [
            ("a pass over the disk and every replica, median", f"{median(disk):.2f} s", "< 1 s"),
            ("the same, worst of 10", f"{max(disk):.2f} s", "< 1 s"),
            ("a pass of the loop: that, and its share of audits", f"{median(loop):.2f} s", ""),
            ("questions to a replica in a pass over the disk", str(dict(mirror.asked)), "1"),
        ],
    )


def seconds(reconciler: Reconciler, audit: list[str]) -> float:
    """Return how long a pass took; there was nothing to find."""
    started = time.perf_counter()
    reports = reconciler.reconcile(reconciler.env.store.models(), audit)
    if found := [report.told for report in reports if report.found]:
        raise SystemExit(f"there was something to do: {found[:3]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
