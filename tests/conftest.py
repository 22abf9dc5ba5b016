"""Fixtures that every package's tests use."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.ports import free_ports
from world.fake_triton import FakeTriton
from world.fakes import FakeRegistry, FakeReplica, World, run_release, without_trial
from world.postgres import Postgres, postgres
from world.real_triton import RealTriton
from world.tritons import KINDS, running

from interlock.release.steps import Release
from interlock.store import Store

WITHOUT_TRIAL = {"prove", "release", "store", "upkeep"}
"""Rooms of tests whose releases are made without a trial."""


@pytest.fixture(autouse=True)
def no_trial(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where bytes are fake and no ONNX, or are broken at every call, nothing is tried in a process of its own."""
    if request.path.parent.name not in WITHOUT_TRIAL:
        yield
        return
    with without_trial():
        yield


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty repository, an empty registry, two replicas that serve nothing; its bytes are no ONNX to be tried."""
    replicas = [FakeReplica("http://replica-1"), FakeReplica("http://replica-2")]
    with without_trial():
        yield World(Store(tmp_path / "repository"), FakeRegistry(), replicas)


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


@pytest.fixture(params=KINDS)
def triton(request: pytest.FixtureRequest, home: Path) -> Iterator[FakeTriton | RealTriton]:
    """The fake Triton, and the real one where its wheel is."""
    with running(request.param, home) as made:
        yield made


@pytest.fixture(scope="session")
def pg() -> Iterator[Postgres]:
    """A PostgreSQL for all tests; each takes a database of its own."""
    with postgres() as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty database, of the kind that the test is parametrized with (indirectly)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    return str(request.getfixturevalue("pg").database())
