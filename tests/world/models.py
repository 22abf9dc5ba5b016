"""Real small models on disk, and a real serving app on a real socket."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from world.fakes import RUN

from interlock.model.answers import Answers
from interlock.model.manifest import Cell, Cells, Manifest
from interlock.records import Candidate, Current, EngineRef, HistoryEntry, Variant, sealed
from interlock.serving.app import create_app
from interlock.serving.listeners import listening
from interlock.settings import LogSettings, ServingSettings
from interlock.store import Store, Writer
from interlock.training.parity import Onnx
from interlock.training.train import Trained, train
from learners.iris import Iris

TOKEN = "t" * 32
AUTH = {"x-token": TOKEN}
ROW = [5.1, 3.5, 1.4, 0.2]


@cache
def iris(c: float = 1.0) -> Trained:
    """Iris with another C is another model."""
    return train("iris", Iris(), Iris.Params(C=c))


def asked(trained: Trained, rows: Cells) -> Answers:
    """What the model itself answers in this process."""
    return Onnx(trained.onnx, trained.signature).asked(rows)


def confidence(trained: Trained, row: list[Cell] = ROW) -> float:
    return float(asked(trained, [row]).confidence()[0])


def wrong(trained: Trained) -> Trained:
    """A model whose golden rows were answered otherwise in training."""
    golden = trained.golden.model_copy(update={"labels": [2 - label for label in trained.golden.labels]})
    return dataclasses.replace(trained, golden=golden)


def put(store: Store, version: int, trained: Trained, alias: str = "A") -> Candidate:
    """Put a version into the repository, as a release materializes it."""
    candidate = Candidate(
        model="best_model",
        alias=alias,
        version=version,
        run_id=f"run-{version}",
        sha256=sha256(trained.onnx).hexdigest(),
    )
    manifest: Manifest = trained.manifest(candidate.run_id)
    made = {"model.onnx": trained.onnx, "manifest.json": manifest.model_dump_json().encode()}
    with Writer.locked(store, "best_model", RUN) as writer:
        writer.materialize(candidate, lambda name, path: path.write_bytes(made[name]) and None)
    return candidate


def settings_of(store: Store, **change: object) -> ServingSettings:
    ours = {"name": "dev", "tokens": TOKEN, "allowed_hosts": "testserver", "log": LogSettings(enabled=False)}
    return ServingSettings(repository=store.root, **ours | change)  # type: ignore[arg-type]


@contextmanager
def served(store: Store, port: int = 0, **change: object) -> Iterator[str]:
    """Serve a repository from a thread; yield the base URL."""
    settings = settings_of(store, port=port, **change)
    server, sockets = listening(create_app(settings), settings)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=[sockets], daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the serving app did not start"
        time.sleep(0.01)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(20)


def onnx_path(store: Store, version: int) -> Path:
    return store.paths("best_model").onnx(version)


def decide(store: Store, alias: str, version: int | None, engine: str = "dev") -> Current:
    """Write a decision, as a commit does."""
    before = store.current("best_model")
    variant = None
    if version is not None:
        variant = Variant(
            alias=alias,
            active_version=version,
            run_id=f"run-{version}",
            sha256=store.manifest("best_model", version).sha256,
            engines=(EngineRef(kind="serving-api", name=engine, urls=("http://x",)),),
        )
    after = before.having(alias, variant, epoch=store.next_epoch("best_model"), release_id=f"r{before.epoch}")
    entry = HistoryEntry(
        epoch=after.epoch,
        release_id=after.release_id,
        kind="release",
        run=RUN,
        at_utc="",
        why="",
        alias=alias,
        before=before,
        after=after,
    )
    with Writer.locked(store, "best_model", RUN) as writer:
        return writer.commit(before, entry)


def overwrite(store: Store, current: Current) -> Current:
    """Put any decision in place, as if it had been made: what engines do with it does not ask how."""
    with Writer.locked(store, current.model, RUN) as writer:
        writer.paths.current.write_bytes(sealed(current.model_dump(mode="json")))
    return current
