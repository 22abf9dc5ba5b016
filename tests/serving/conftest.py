"""A serving app in this process, over a repository with real models."""

import pytest
from fakes import RUN
from models import TOKEN, iris, put, settings_of
from starlette.testclient import TestClient

from delivery.records import Current, EngineRef, HistoryEntry, Variant
from delivery.store import Store
from serving.app import create_app

AUTH = {"x-token": TOKEN}


@pytest.fixture
def store(tmp_path):
    """Versions 1 and 2 are on disk; nothing is decided."""
    store = Store(tmp_path / "repository")
    put(store, 1, iris(1.0))
    put(store, 2, iris(10.0))
    return store


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
    with store.writer("best_model", RUN) as writer:
        return writer.commit(before, entry)


@pytest.fixture
def client(store):
    """The app serves v1 under A."""
    decide(store, "A", 1)
    with TestClient(create_app(settings_of(store)), raise_server_exceptions=False) as client:
        yield client
