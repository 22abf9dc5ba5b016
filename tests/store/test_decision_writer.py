"""
Where a lock does not work, a writer that comes late loses: no decision that was reported is overwritten.

Writers run as threads that a schedule lets go on one system call at a time, so that every pause anywhere is tried.
"""

import fcntl
import multiprocessing
import os
import random
import threading
import time
from itertools import pairwise

import pytest
from check.invariants import pass_of_reconcile, violations
from world.fakes import RUN, candidate_of, run_release

from interlock.errors import CorruptRecord, DeliveryError, NoLocks, StaleEpoch
from interlock.records import Current, HistoryEntry, Outcome, Variant
from interlock.store import Store, Writer
from interlock.store import durable as files
from interlock.upkeep import history

MODEL = "best_model"
SCHEDULES = 100
CALLS = ("open", "write", "fsync", "rename", "link", "unlink", "listdir")


@pytest.fixture
def no_locks(monkeypatch):
    """A disk on which everybody gets every lock."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


def entry_of(before: Current, who: str, epoch: int) -> HistoryEntry:
    candidate = candidate_of(epoch)
    variant = Variant(alias="A", active_version=epoch, run_id="run", sha256=candidate.sha256)
    after = before.having("A", variant, epoch=epoch, release_id=who)
    told = {"kind": "release", "run": RUN, "at_utc": "20251231T025902Z", "why": who, "alias": "A"}
    return HistoryEntry(epoch=epoch, release_id=who, before=before, after=after, **told)


def decide(store: Store, who: str) -> Current:
    """Recover as every writer does first, then decide."""
    with Writer.locked(store, MODEL, RUN) as writer:
        writer.void_claims_above(store.current(MODEL).epoch)
        before = store.current(MODEL)
        entry = entry_of(before, who, store.next_epoch(MODEL))
        after = writer.commit(before, entry)
        writer.account(entry.model_copy(update={"outcome": Outcome.COMPLETED}))
    return after


class Paused:
    """`os` of a writer that stops before the n-th call of *name* until it is let go on."""

    def __init__(self, name: str, at: int) -> None:
        self.name, self.left = name, at
        self.reached, self.go_on, self.whom = threading.Event(), threading.Event(), None

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        return self._counted(real) if name == self.name else real

    def _counted(self, real):
        def call(*args, **named):
            if threading.current_thread() is self.whom:
                self.left -= 1
                if self.left == 0:
                    self.reached.set()
                    assert self.go_on.wait(30)
            return real(*args, **named)

        return call


class Schedule:
    """Lets one of several threads make its next system call, whichever the *draw* says."""

    def __init__(self, draw: random.Random) -> None:
        self.draw, self.turns, self.ended = draw, {}, {}
        self.waits = threading.Condition()
        self.at_a_call: set[str] = set()

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        return self._scheduled(real) if name in CALLS else real

    def _scheduled(self, real):
        def call(*args, **named):
            if turn := self.turns.get(threading.current_thread().name):
                self._waits_for(turn)
            return real(*args, **named)

        return call

    def _waits_for(self, turn: threading.Semaphore) -> None:
        with self.waits:
            self.at_a_call.add(threading.current_thread().name)
            self.waits.notify()
        assert turn.acquire(timeout=30)

    def run(self, **acts) -> dict[str, object]:
        """Run each act in a thread of its own; return what each gave or raised."""
        self.turns = {who: threading.Semaphore(0) for who in acts}
        threads = [threading.Thread(target=self._act, args=(who, act), name=who) for who, act in acts.items()]
        for thread in threads:
            thread.start()
        while len(self.ended) < len(acts):
            with self.waits:
                assert self.waits.wait_for(lambda: len(self.at_a_call) + len(self.ended) == len(acts), timeout=30)
                if not self.at_a_call:
                    break
                who = self._next()
                self.at_a_call.discard(who)
            self.turns[who].release()
        for thread in threads:
            thread.join(30)
        return self.ended

    def _next(self) -> str:
        """Mostly the same one goes on for a while: a pause that is long enough for all of another's work."""
        ready = sorted(self.at_a_call)
        if self.draw.random() < 0.15 or getattr(self, "_last", None) not in ready:
            self._last = self.draw.choice(ready)
        return self._last

    def _act(self, who: str, act) -> None:
        try:
            ending = act()
        except BaseException as error:  # noqa: BLE001 - how it ended is what is looked at
            ending = error
        with self.waits:
            self.ended[who] = ending
            self.waits.notify()


def check_none_is_lost(store: Store, reported: list[Current]) -> None:
    """Every decision that was reported is in the record, each made upon the one before; the last one holds."""
    made = [store.entry(MODEL, epoch) for epoch in store.epochs(MODEL)]
    current = store.current(MODEL)
    for older, newer in pairwise([entry for entry in made if entry.epoch <= current.epoch]):
        assert newer.before.same_decision(older.after), f"{newer.epoch} was decided upon {newer.before.epoch}"
    for decision in reported:
        assert decision.epoch <= current.epoch, f"epoch {decision.epoch} was reported and overwritten"
        assert any(entry.after == decision for entry in made), f"epoch {decision.epoch} is not on record"


@pytest.mark.parametrize("call", ["rename", "link", "write", "unlink"])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_writer_that_pauses_before_any_call_does_not_overwrite_who_decided_meanwhile(
    tmp_path, no_locks, monkeypatch, call, at
):
    """Three seconds between claim and rename were enough to put epoch 3 over 4."""
    store = Store(tmp_path)
    reported = [decide(store, "first"), decide(store, "second")]
    paused, ended = Paused(call, at), []

    def late() -> None:
        try:
            ended.append(decide(store, "late"))
        except StaleEpoch as stale:
            ended.append(stale)

    monkeypatch.setattr(files, "os", paused)
    paused.whom = threading.Thread(target=late)
    paused.whom.start()
    while paused.whom.is_alive() and not paused.reached.wait(0.01):
        pass
    reported.append(decide(store, "meanwhile"))
    paused.go_on.set()
    paused.whom.join(30)

    assert ended
    check_none_is_lost(store, reported + [end for end in ended if isinstance(end, Current)])


@pytest.mark.parametrize("share", range(5))
def test_whatever_the_order_of_their_calls_no_reported_decision_is_lost(tmp_path, no_locks, monkeypatch, share):
    """2 to 4 writers at once, each decides twice, in random schedules."""
    won = 0
    for number in range(share, SCHEDULES, 5):
        draw, store = random.Random(number), Store(tmp_path / str(number))
        seen = [decide(store, "first")]
        schedule = Schedule(draw)
        monkeypatch.setattr(files, "os", schedule)

        def act(who: str, store=store):
            return lambda: [decided for n in range(2) if (decided := tried(store, f"{who}-{n}"))]

        ended = schedule.run(**{f"writer-{n}": act(f"writer-{n}") for n in range(draw.randint(2, 4))})
        monkeypatch.setattr(files, "os", os)
        reported = seen + [decision for made in ended.values() for decision in checked(made)]
        check_none_is_lost(store, reported)
        won += len(reported) - 1
    assert won > SCHEDULES / 5, "somebody wins most of the time"


def tried(store: Store, who: str) -> Current | None:
    try:
        return decide(store, who)
    except (DeliveryError, FileNotFoundError) as lost:
        assert isinstance(lost, DeliveryError), repr(lost)
        return None


def checked(made: object) -> list[Current]:
    assert isinstance(made, list), repr(made)
    return made


def _decide_often(root, who: str, times: int, told) -> None:
    fcntl.flock = lambda *_: None
    for n in range(times):
        if decision := tried(Store(root), f"{who}-{n}"):
            told.put(decision)
    told.put(None)


def test_processes_without_locks_lose_no_decision_and_no_reader_sees_an_epoch_fall(tmp_path):
    context = multiprocessing.get_context("spawn")
    told, store = context.Queue(), Store(tmp_path)
    decide(store, "first")
    writers = [context.Process(target=_decide_often, args=(tmp_path, f"w{n}", 25, told)) for n in range(3)]
    for writer in writers:
        writer.start()
    seen, reported, over = [], [], 0
    while over < len(writers):
        seen.append(store.current(MODEL).epoch)
        while not told.empty():
            made = told.get()
            over += made is None
            reported += [made] if made else []
        time.sleep(0)
    for writer in writers:
        writer.join(30)

    assert seen == sorted(seen), "an epoch fell"
    assert reported
    check_none_is_lost(store, reported)


def test_two_releases_without_locks_end_in_one_decision_that_reconcile_finds_whole(tmp_path, no_locks, world):
    """The first one pauses in its commit, the second one does all of its work meanwhile."""
    run_release(world, 1)
    commit = world.store.__class__.last_claimed

    def pausing(store: Store, model: str) -> int:
        if threading.current_thread() is late and not over.is_set():
            claimed.set()
            assert over.wait(30)
        return commit(store, model)

    claimed, over, ended = threading.Event(), threading.Event(), []

    def release_late() -> None:
        with pytest.raises(StaleEpoch) as stale:
            run_release(world, 2)
        ended.append(str(stale.value))

    late = threading.Thread(target=release_late)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "last_claimed", pausing)
        late.start()
        claimed.wait(30)
        run_release(world, 3)
        over.set()
        late.join(30)

    assert "v3 serves" in ended[0]
    assert world.live() == 3
    pass_of_reconcile(world.env)
    assert list(violations(world.env)) == []


def test_a_decision_that_was_put_back_is_noticed_and_rebuilt(world, release):
    """By a copy from a backup, or by an older Interlock that came late: reconcile saw nothing."""
    release(1)
    path = world.store.paths(MODEL).current
    old = path.read_bytes()
    release(2)
    path.write_bytes(old)

    with pytest.raises(CorruptRecord, match=r"says epoch 1, although epoch 2 was decided; `interlock reconcile`"):
        world.store.current(MODEL)
    assert any("although epoch 2 was decided" in what for what in history.damage(world.store, MODEL))
    report = pass_of_reconcile(world.env)

    assert "although epoch 2 was decided" in report.found[0]
    assert world.live() == 2
    assert list(violations(world.env)) == []


def test_a_claim_that_was_not_committed_yet_does_not_hide_the_decision(world, release):
    release(1)
    before = world.store.current(MODEL)
    with Writer.locked(world.store, MODEL, RUN) as writer:
        writer._claim(entry_of(before, "slow", 2))

    assert world.store.current(MODEL) == before


def test_who_claims_later_outruns_who_claimed_before_and_has_not_committed_yet(world, release, no_locks):
    """Both began before either claimed, so neither voids the other's; the earlier one pauses before its rename."""
    release(1)
    before = world.store.current(MODEL)
    early, late = entry_of(before, "early", 2), entry_of(before, "late", 3)
    with (
        Writer.locked(world.store, MODEL, RUN) as paused,
        Writer.locked(world.store, MODEL, RUN) as quick,
        paused._prepared(early.after) as prepared,
    ):
        paused._claim(early)
        quick.commit(before, late)
        with pytest.raises(StaleEpoch, match="was faster than the commit of epoch 2"):
            paused._commit(prepared, early.after)

    assert world.store.current(MODEL) == late.after


def test_a_rebuilt_decision_is_not_put_over_one_that_was_rebuilt_and_changed_meanwhile(world, release):
    release(1)
    with Writer.locked(world.store, MODEL, RUN) as writer:
        old = world.store.current(MODEL)
        release_2 = entry_of(old, "meanwhile", 2)
        writer.commit(old, release_2)
        with pytest.raises(StaleEpoch, match="mended by somebody else"):
            writer.restore_current(old)

    assert world.store.current(MODEL) == release_2.after


def test_a_disk_that_locks_is_told_from_one_that_does_not(tmp_path, monkeypatch):
    store = Store(tmp_path / "repository")
    store.check_locks()
    store.check_locks()
    assert list((tmp_path / "repository" / "releases").iterdir()) == []

    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(NoLocks, match="a second writer is not kept out"):
        store.check_locks()

    def unsupported(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(NoLocks, match="No locks available"):
        store.check_locks()
    assert list((tmp_path / "repository" / "releases").iterdir()) == []


def test_a_lock_that_cannot_be_taken_is_told_and_changes_nothing(world, release, monkeypatch):
    release(1)

    def unsupported(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(NoLocks, match="v1 serves"):
        release(2)
    monkeypatch.undo()
    assert world.live() == 1
