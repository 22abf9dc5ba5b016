"""Fixtures that every package's tests use."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import RUN, FakeRegistry, FakeReplica, World, candidate_of
from ports import free_ports

from delivery.release import Release, released
from delivery.store import Store


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty repository, an empty registry, two replicas that serve nothing."""
    replicas = [FakeReplica("http://replica-1"), FakeReplica("http://replica-2")]
    return World(Store(tmp_path / "repository"), FakeRegistry(), replicas)


def run_release(world: World, version: int, alias: str = "A", *, force: bool = False) -> Release:
    """Release a version, step by step, as a flow does."""
    with released(
        world.store,
        candidate_of(version, alias),
        [world.engine],
        engine_for=world.engine_for,
        registry=world.registry,
        run=RUN,
    ) as release:
        release.snapshot(force=force)
        release.materialize()
        release.load()
        release.ready()
        release.smoke()
        release.commit()
        release.switch(patient=False)
        release.confirm(patient=False)
        release.point_alias()
    return release


@pytest.fixture
def release(world: World) -> Callable[..., Release]:
    """Release a version in the world."""

    def release(version: int, alias: str = "A", *, force: bool = False) -> Release:
        return run_release(world, version, alias, force=force)

    return release


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)[0]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a path short enough for sockets, and without the characters of a test's name."""
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    yield home
    shutil.rmtree(home)
