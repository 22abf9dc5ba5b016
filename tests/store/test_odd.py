"""
Whatever lies where a file or a folder of the repository belongs: nothing hangs, nothing outside is touched, every
error is a sentence, and one pass of reconcile makes room again. Only a link for a folder, and a lock that is no file,
are left to whoever made them: the sentence says so.
"""

import os
import socket
import tempfile
from pathlib import Path

import pytest
from check.invariants import bytes_are_there, engines_follow, nothing_is_open, pass_of_reconcile, violations
from world.fakes import FakeRegistry, FakeReplica, World, candidate_of, run_release

from interlock.errors import Damaged, DeliveryError, NotFound, SmokeFailed, Unreadable
from interlock.release.rollback import target
from interlock.store import Store
from interlock.upkeep import history
from interlock.upkeep.prune import prune
from interlock.upkeep.survey import survey

MODEL = "best_model"
REST = (bytes_are_there, engines_follow, nothing_is_open)
FILES = (
    "releases/best_model/current.json",
    "releases/best_model/lock",
    "releases/best_model/stop.json",
    "releases/best_model/journal.json",
    "releases/best_model/registry.json",
    "releases/best_model/history/000001.json",
    "releases/best_model/history/000002.json",
    "releases/best_model/history/000003.json",
    "releases/best_model/history/²",
    "releases/best_model/history/².json",
    "releases/best_model/events/20200101T000000Z-000000-12345678.json",
    "releases/best_model/events/99990101T000000Z-000000-12345678.json",
    f"releases/best_model/refused/{candidate_of(3).sha256}.json",
    "releases/best_model/failed/1-20200101T000000Z-1/reason.json",
    "releases/best_model/failed/junk",
    "releases/best_model/.staging/junk",
    "releases/best_model/.staging/junk.decision",
    "models/best_model/1/model.onnx",
    "models/best_model/2/model.onnx",
    "models/best_model/2/manifest.json",
    "models/best_model/3/model.onnx",
    "models/best_model/config.pbtxt",
    "models/best_model/²",
    "models/junk",
    "releases/junk",
)
FOLDERS = (
    "releases",
    "releases/best_model",
    "releases/best_model/history",
    "releases/best_model/events",
    "releases/best_model/refused",
    "releases/best_model/failed",
    "releases/best_model/.staging",
    "models",
    "models/best_model",
    "models/best_model/2",
    "models/best_model/3",
)
TOP = ("releases", "models", "releases/best_model")
"""Where anything but a folder is left to people: without them, nobody knows what the repository is."""
SET_ASIDE = (".staging", "2", "3")
"""Folders of which also a link is set aside: their content can be made again."""


def folder(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("somebody's")


def link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "folder")


def link_to_file(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "file")


def dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "nothing")


def loop(path: Path, outside: Path) -> None:
    path.symlink_to(path.name)


def fifo(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path, outside: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(here)


def empty(path: Path, outside: Path) -> None:
    path.write_bytes(b"")


def huge(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def deep(path: Path, outside: Path) -> None:
    path.write_text("[" * 100_000)


def deep_enough_to_parse(path: Path, outside: Path) -> None:
    path.write_text('{"a":' * 900 + "1" + "}" * 900)


def binary(path: Path, outside: Path) -> None:
    path.write_bytes(bytes(range(256)))


STATES = (
    folder,
    link,
    link_to_file,
    dangling,
    loop,
    fifo,
    bound_socket,
    empty,
    huge,
    deep,
    deep_enough_to_parse,
    binary,
)
LINKS = (link, link_to_file, dangling, loop)


@pytest.fixture
def outside(tmp_path):
    """What is not the repository's: nobody may change it."""
    (tmp_path / "outside" / "folder").mkdir(parents=True)
    (tmp_path / "outside" / "folder" / "precious").write_text("somebody's")
    (tmp_path / "outside" / "file").write_text("somebody's")
    return tmp_path / "outside"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def lived(world):
    """Two releases, and one that failed and was quarantined."""
    run_release(world, 1)
    run_release(world, 2)
    world.replicas[0].answers_wrongly()
    with pytest.raises(SmokeFailed):
        run_release(world, 9)
    world.replicas[0].comes_back()
    return world


def tree(root: Path) -> dict[str, object]:
    return {str(path): path.is_file() and path.read_bytes() for path in sorted(root.rglob("*"))}


def put(path: Path, state, outside: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rename(outside.parent / "was-here")
    path.unlink(missing_ok=True)
    state(path, outside)


def read_everything(world: World) -> None:
    """Every way of looking ends, with an answer or a DeliveryError."""
    store = world.store
    looks = (
        store.models,
        lambda: store.current(MODEL),
        lambda: store.journal(MODEL),
        lambda: list(store.entries(MODEL)),
        lambda: list(store.events(MODEL)),
        lambda: store.debris(MODEL),
        lambda: store.next_epoch(MODEL),
        lambda: store.refusal(MODEL, candidate_of(3).sha256),
        lambda: store.manifest(MODEL, 2),
        lambda: store.digest(MODEL, 1),
        lambda: store.onnx(MODEL, 2, candidate_of(2).sha256, 1000),
        lambda: store.is_intact(MODEL, 2, candidate_of(2).sha256),
        lambda: store.written_aliases(MODEL),
        lambda: target(store, MODEL, "A", None),
        lambda: target(store, MODEL, "A", 9),
        store.check_locks,
    )
    for look_at in looks:
        try:
            look_at()
        except DeliveryError as told:
            str(told).encode()
    list(history.damage(store, MODEL))
    for seen in survey(world.env, [MODEL], audit=[MODEL]):
        "".join(disagreement.what for disagreement in seen.disagreements).encode()


def outcome(act) -> str:
    """Return what was told; empty if it worked."""
    try:
        act()
    except DeliveryError as told:
        return str(told)
    return ""


CASES = [(place, state) for place in (*FILES, *FOLDERS) for state in STATES]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("place", "state"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_an_odd_thing_hangs_nobody_touches_nothing_outside_and_reconcile_makes_room(lived, outside, place, state):
    path, before = lived.store.root / place, tree(outside)
    if not (place in FOLDERS and state is folder):
        put(path, state, outside)

    read_everything(lived)
    told = outcome(lambda: run_release(lived, 3))
    reports = [pass_of_reconcile(lived.env) for _ in range(3)]
    read_everything(lived)
    again = outcome(lambda: run_release(lived, 4))
    pruned = outcome(lambda: cut(lived))

    assert tree(outside) == before
    if sentence := left_to_people(place, state):
        assert sentence in again
        assert str(path) in again
        assert any(str(path) in what for report in reports for what in report.found) or place in TOP or "lock" in place
        return
    assert again == pruned == "", [told, *(report.told for report in reports)]
    assert not reports[-1].failed, reports[-1].told
    assert lived.live() == 4
    pass_of_reconcile(lived.env)
    assert list(violations(lived.env, rules=REST)) == []


def left_to_people(place: str, state) -> str:
    """Return what the sentence says to do where nothing is set aside; empty where something is."""
    name = Path(place).name
    if place in FOLDERS and state in LINKS and name not in SET_ASIDE:
        return "put the folder itself there, then repeat"
    odd_lock = name == "lock" and state in (folder, *LINKS, fifo, bound_socket)
    return "move it away, then repeat" if odd_lock or (place in TOP and state is not folder) else ""


def cut(world: World) -> None:
    prune(world.env, MODEL, versions=2, failed=0)


def test_names_that_are_no_utf8_and_no_ascii_digits_are_told_and_do_not_block(lived):
    """`history/².json` ended every release and reconcile: '²'.isdigit() is true, and int() does not take it."""
    root = os.fsencode(lived.store.root)
    for place in (b"releases", b"models", b"models/best_model", b"models/best_model/2"):
        (Path(os.fsdecode(root + b"/" + place + b"/\xff\xfe"))).write_text("junk")
    for place in ("history", "events", "refused", "failed", ".staging"):
        for name in (b"\xff.json", "².json".encode(), "٣.json".encode(), b"9" * 200 + b".json", b"a\nb.json"):
            (lived.store.paths(MODEL).releases / place / os.fsdecode(name)).touch()

    read_everything(lived)
    report = pass_of_reconcile(lived.env)
    run_release(lived, 3)

    report.told.encode()
    assert "\\xff.json" in report.told
    assert list(violations(lived.env, rules=REST)) == []
    assert next(lived.store.entries(MODEL)).epoch == 3


def test_what_is_set_aside_is_kept_and_put_on_record(lived, outside):
    """A linked staging folder made reconcile delete what it leads to."""
    staging = lived.store.paths(MODEL).staging
    staging.rmdir()
    staging.symlink_to(outside / "folder")

    report = pass_of_reconcile(lived.env)

    assert (outside / "folder" / "precious").exists()
    (kept,) = lived.store.paths(MODEL).odd.iterdir()
    assert (kept / ".staging").is_symlink()
    assert "a killed writer left .staging" in report.found[0]
    events = [event for event in lived.store.events(MODEL) if event.kind == "set aside"]
    assert "releases/best_model/.staging is at releases/best_model/odd/" in events[0].message
    assert pass_of_reconcile(lived.env).found == []


@pytest.fixture
def as_nobody():
    """Another user, who owns nothing here."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        os.seteuid(0)


@pytest.mark.parametrize("place", ["current.json", "journal.json", "history", "events", ".staging", "lock", "."])
def test_what_another_user_owns_is_told_by_its_path(as_nobody, place):
    """As root, the kernel asks nobody; so this becomes somebody else."""
    world = World(Store(as_nobody / "repository"), FakeRegistry(), [FakeReplica("http://replica-1")])
    run_release(world, 1)
    for path in (world.store.root, *world.store.root.rglob("*")):
        os.chown(path, 65534, 65534)
    closed = world.store.paths(MODEL).releases / place
    if place == "journal.json":
        closed.touch()
    os.chown(closed, 0, 0)
    closed.chmod(0o700)
    os.seteuid(65534)

    read_everything(world)
    told = outcome(lambda: run_release(world, 2))
    report = pass_of_reconcile(world.env)

    if place == "events":  # a release needs none
        assert told == ""
    else:
        assert str(closed) in told
        assert report.failed or str(closed) in report.told or place in ("lock", ".staging")


def test_the_bytes_of_a_version_are_read_once_and_are_the_ones_that_were_decided(lived):
    store, good = lived.store, candidate_of(2).sha256

    assert store.onnx(MODEL, 2, good) == store.onnx(MODEL, 2, None) == store.paths(MODEL).onnx(2).read_bytes()
    with pytest.raises(NotFound, match="v7 is not in the model repository"):
        store.onnx(MODEL, 7, good)
    with pytest.raises(Damaged, match="decided was 000000000000"):
        store.onnx(MODEL, 2, "0" * 64)
    with pytest.raises(Unreadable, match="at most 3 are taken"):
        store.onnx(MODEL, 2, good, 3)
    store.paths(MODEL).onnx(2).unlink()
    os.mkfifo(store.paths(MODEL).onnx(2))
    with pytest.raises(Unreadable, match="a pipe, a socket or a device"):
        store.onnx(MODEL, 2, good)


def test_a_version_folder_that_lacks_a_file_is_made_anew_and_condemns_nobody(lived):
    """A half folder under a candidate's number was taken for the candidate's own bytes."""
    folder = lived.store.paths(MODEL).version(3)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"half")

    run_release(lived, 3)

    assert lived.live() == 3
    (kept,) = lived.store.paths(MODEL).odd.iterdir()
    assert (kept / "3" / "model.onnx").read_bytes() == b"half"
