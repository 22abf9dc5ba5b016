"""
Die between any two system calls of a release; then a reader sees the old decision or the new one, and one pass of
reconcile makes everything agree.
"""

import os
from collections.abc import Callable

import pytest
from check.invariants import pass_of_reconcile, violations
from world.fakes import FakeRegistry, FakeReplica, World, run_release

from interlock.store import Store
from interlock.store import durable as files

CALLS = ("open", "write", "fsync", "close", "rename", "link", "unlink")
RELEASE_HAS_AT_LEAST = 60


class Killed(BaseException):
    """The process is gone."""


class DyingOs:
    """`os` until the n-th system call; from then on the process is dead and nothing has an effect any more."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        return self._counted(real) if name in CALLS else real

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return real(*args)

        return call


def world_with_v1(tmp_path) -> World:
    world = World(Store(tmp_path / "repository"), FakeRegistry(), [FakeReplica("http://1"), FakeReplica("http://2")])
    run_release(world, 1)
    return world


def check_invariants(world: World) -> None:
    assert list(violations(world.env)) == []


def calls_of_a_release(tmp_path, monkeypatch) -> int:
    world, dying = world_with_v1(tmp_path), DyingOs(10**9)
    monkeypatch.setattr(files, "os", dying)
    run_release(world, 2)
    monkeypatch.undo()
    return 10**9 - dying.left


def test_a_release_killed_at_any_system_call_is_old_or_new_and_one_reconcile_mends_it(tmp_path, monkeypatch):
    total = calls_of_a_release(tmp_path / "count", monkeypatch)
    assert total > RELEASE_HAS_AT_LEAST
    seen = set()
    for point in range(total):
        world = world_with_v1(tmp_path / str(point))
        monkeypatch.setattr(files, "os", DyingOs(point))
        with pytest.raises(Killed):
            run_release(world, 2)
        monkeypatch.undo()
        assert world.live() in (1, 2), f"after {point} system calls"
        seen.add(world.live())
        pass_of_reconcile(world.env)
        check_invariants(world)
    assert seen == {1, 2}


def test_a_recovery_killed_at_any_system_call_is_finished_by_the_next(tmp_path, monkeypatch):
    """v2 does not follow after the commit, so the release rolls back; kill it anywhere in that."""
    world = world_with_v1(tmp_path / "count")
    for point in range(200):
        world = world_with_v1(tmp_path / str(point))
        world.replicas[1].forgets = True
        dying = DyingOs(98 + point)
        monkeypatch.setattr(files, "os", dying)
        with pytest.raises(BaseException) as ended:  # noqa: PT011 - Killed, or Broken when it was over before
            run_release(world, 2)
        monkeypatch.undo()
        world.replicas[1].forgets = False
        pass_of_reconcile(world.env)
        check_invariants(world)
        if not isinstance(ended.value, Killed):
            break
    else:
        pytest.fail("the recovery never came to its end")


def test_the_next_release_recovers_what_a_killed_one_left(tmp_path, monkeypatch):
    world = world_with_v1(tmp_path)
    monkeypatch.setattr(files, "os", DyingOs(68))
    with pytest.raises(Killed):
        run_release(world, 2)
    monkeypatch.undo()

    run_release(world, 3)

    check_invariants(world)
    assert world.live() == 3


@pytest.mark.parametrize("error", [28, 5, 13])
def test_a_system_call_that_fails_is_told_and_changes_nothing_that_serves(tmp_path, monkeypatch, error):
    """ENOSPC, EIO, EACCES at every call, once: the run fails or succeeds, and then one reconcile finds order."""

    class FailingOs(DyingOs):
        def _counted(self, real):
            def call(*args):
                self.left -= 1
                if self.left == 0:
                    raise OSError(error, os.strerror(error))
                return real(*args)

            return call

    for point in range(1, calls_of_a_release(tmp_path / "count", monkeypatch) + 1):
        world = world_with_v1(tmp_path / str(point))
        monkeypatch.setattr(files, "os", FailingOs(point))
        try:
            run_release(world, 2)
        except Exception as told:  # noqa: BLE001
            assert "serves" in str(told) or "journal stays open" in str(told), f"at call {point}: {told!r}"
        monkeypatch.undo()
        pass_of_reconcile(world.env)
        check_invariants(world)


def test_a_lost_decision_is_rebuilt_from_the_history(tmp_path):
    world = world_with_v1(tmp_path)
    run_release(world, 2)
    world.store.paths("best_model").current.unlink()

    report = pass_of_reconcile(world.env)

    assert "is lost" in report.found[0]
    assert world.live() == 2
    check_invariants(world)


@pytest.mark.parametrize("damage", [b"", b"{", b"{}"])
@pytest.mark.parametrize(("calls", "serves"), [(10, 1), (58, 2)], ids=["before its claim", "after its claim"])
def test_a_corrupt_decision_under_an_open_release_becomes_a_proven_one(tmp_path, monkeypatch, damage, calls, serves):
    """A claim is made only after the proof: with one, the new version may stay if every replica follows it."""
    world = world_with_v1(tmp_path)
    monkeypatch.setattr(files, "os", DyingOs(calls))
    with pytest.raises(Killed):
        run_release(world, 2)
    monkeypatch.undo()
    world.store.paths("best_model").current.write_bytes(damage)

    pass_of_reconcile(world.env)

    assert world.live() == serves
    check_invariants(world)


def test_a_corrupt_journal_is_put_on_record_and_the_decision_wins(tmp_path):
    world = world_with_v1(tmp_path)
    world.store.paths("best_model").journal.write_bytes(b"{half")

    pass_of_reconcile(world.env)

    check_invariants(world)
    events = [path.read_text() for path in world.store.paths("best_model").events.iterdir()]
    assert any("corrupt journal" in event for event in events)
