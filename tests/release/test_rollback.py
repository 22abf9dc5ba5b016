"""An operator goes back: the same steps with an older version, needing its bytes and one replica."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from check.invariants import pass_of_reconcile
from world.fakes import RUN, candidate_of, run_release, run_rollback, up_to

from interlock.errors import (
    AlreadyLive,
    Broken,
    Busy,
    Damaged,
    DeliveryError,
    DigestRefused,
    InvalidName,
    NotFollowed,
    NotFound,
    SmokeFailed,
    Stopped,
    Unreachable,
)
from interlock.records import Outcome
from interlock.release.open import released, rolled_back
from interlock.store import Writer


@pytest.fixture
def roll_back(world):
    def roll_back(version=None, alias="A", *, force=False):
        return run_rollback(world, version, alias, why="customers complain", force=force)

    return roll_back


def test_it_goes_back_to_the_version_before_and_refuses_what_it_leaves(world, release, roll_back):
    release(1)
    release(2)

    done = roll_back()

    assert world.live() == 1
    assert world.serving() == [1, 1]
    assert world.registry.aliases == {("best_model", "A"): 1}
    assert done.account.ended == "completed"
    entry = world.store.entry("best_model", 3)
    assert (entry.kind, entry.why, entry.outcome) == ("rollback", "customers complain", Outcome.COMPLETED)
    assert "rolled back by test: customers complain" in world.store.refusal("best_model", candidate_of(2).sha256).reason
    assert world.store.paths("best_model").version(2).exists()


def test_bytes_of_a_refused_version_under_another_number_are_told_to_be_the_same(world, release, roll_back):
    release(1)
    release(2)
    roll_back()
    refusal = world.store.refusal("best_model", candidate_of(2).sha256)

    assert refusal.told_of(2) == f"bytes that failed before (v2, {refusal.at_utc}: {refusal.reason})"
    assert refusal.told_of(5).endswith("): v5 and v2 hold the same bytes")


def test_what_was_left_behind_is_not_released_again_by_a_schedule(world, release, roll_back):
    """Ten ticks, also of the same bytes registered anew, make no release; a person may force it."""
    release(1)
    release(2)
    roll_back()

    for _ in range(10):
        with pytest.raises(DigestRefused, match=r"holds bytes that failed before.*customers complain"):
            release(2)
    assert world.live() == 1

    release(2, force=True)
    assert world.live() == 2


def test_it_goes_to_a_named_version(world, release, roll_back):
    for version in (1, 2, 3):
        release(version)

    roll_back(1)

    assert world.live() == 1


def test_the_version_before_skips_what_was_refused(world, release, roll_back):
    for version in (1, 2, 3):
        release(version)

    roll_back()
    roll_back()

    assert world.live() == 1
    with pytest.raises(
        NotFound, match=r"no earlier version of best_model A can serve; v2 is refused.*v3 is refused.*v1 serves"
    ):
        roll_back()


def test_going_back_to_a_refused_version_needs_force(world, release, roll_back):
    release(1)
    release(2)
    roll_back()

    with pytest.raises(DigestRefused, match="v1 serves"):
        roll_back(2)
    roll_back(2, force=True)

    assert world.live() == 2


def test_what_serves_already_is_refused_quietly(world, release, roll_back):
    release(1)
    release(2)

    with pytest.raises(AlreadyLive, match=r"v2 is live already, nothing was changed"):
        roll_back(2)

    assert world.store.current("best_model").epoch == 2
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None


def test_the_registry_may_be_away(world, release, roll_back):
    release(1)
    release(2)
    world.registry.down = True

    done = roll_back()

    assert world.live() == 1
    assert done.account.ended == "completed; alias A pending"


def test_a_dead_replica_is_named_and_not_waited_for(world, release, roll_back):
    release(1)
    release(2)
    world.replicas[1].goes_away()

    done = roll_back()

    assert world.serving()[0] == 1
    assert done.account.ended == "completed; degraded: http://replica-2 did not answer"


def test_with_no_replica_at_all_nothing_is_changed(world, release, roll_back):
    release(1)
    release(2)
    for replica in world.replicas:
        replica.goes_away()

    with pytest.raises(Unreachable, match=r"no replica answers.*v2 serves"):
        roll_back()

    assert world.live() == 2
    assert world.store.journal("best_model") is None


def test_a_replica_that_talks_nonsense_before_anything_changed_is_told_with_what_serves(world, release, roll_back):
    release(1)
    release(2)
    world.replicas[1].fails["observe"] = Broken("replica-2 answers with a page")

    with pytest.raises(Broken, match=r"answers with a page \| best_model A: v2 serves"):
        roll_back()
    assert world.serving() == [2, 2]


def test_an_older_version_that_answers_wrongly_today_changes_nothing(world, release, roll_back):
    release(1)
    release(2)
    world.replicas[0].answers_wrongly()

    with pytest.raises(SmokeFailed, match="v2 serves"):
        roll_back()

    assert world.serving() == [2, 2]
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None
    assert world.store.refusal("best_model", candidate_of(1).sha256) is None
    assert world.store.paths("best_model").version(1).exists()


def test_an_older_version_that_is_not_followed_brings_back_what_was_left(world, release, roll_back):
    """After the commit one replica does not switch: v2 goes live again, so its digest is allowed again."""
    release(1)
    release(2)
    world.replicas[1].forgets = True

    with pytest.raises(NotFollowed, match="v2 serves"):
        roll_back()

    assert world.live() == 2
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None
    assert world.store.refusal("best_model", candidate_of(1).sha256) is None


def test_an_older_version_that_is_slow_today_serves_again(world, release, roll_back):
    """It was live: its answers count, and no stopwatch keeps an operator from it."""
    release(1)
    release(2)
    world.replicas[0].slow = world.replicas[1].slow = True

    roll_back()

    assert world.serving() == [1, 1]


@pytest.mark.parametrize("step", ["smoke", "follow"])
def test_an_older_version_that_answers_wrongly_is_found_again_by_the_next_rollback(world, release, roll_back, step):
    release(1)
    release(2)
    world.replicas[0].fails[step] = SmokeFailed("golden rows: row 0: off by 0.5")
    with pytest.raises(DeliveryError):
        roll_back()
    world.replicas[0].comes_back()
    pass_of_reconcile(world.env)

    roll_back()

    assert world.serving() == [1, 1]


@pytest.mark.parametrize("lost", ["switch", "confirm"])
def test_every_replica_lost_after_the_commit_does_not_bring_back_what_was_left(world, release, lost):
    """Whoever returns follows the operator's decision."""
    release(1)
    release(2)
    with (
        pytest.raises(Unreachable, match="v1 serves"),
        rolled_back(world.env, "best_model", "A", None, why="") as rollback,
    ):
        up_to(rollback, "commit")
        for replica in world.replicas:
            replica.goes_away()
        getattr(rollback, lost)()

    assert world.live() == 1
    assert world.store.refusal("best_model", candidate_of(2).sha256)


def test_a_version_that_was_deleted_gets_a_clear_no(world, release, roll_back):
    release(1)
    release(2)
    shutil.rmtree(world.store.paths("best_model").version(1))

    with pytest.raises(NotFound, match=r"v1 is not in the model repository .*v2 serves"):
        roll_back(1)
    with pytest.raises(NotFound, match=r"no earlier version of best_model A can serve; v1 is not in .*v2 serves"):
        roll_back()


def test_a_version_that_was_quarantined_gets_its_reason(world, release, roll_back):
    release(1)
    world.replicas[0].answers_wrongly()
    with pytest.raises(SmokeFailed):
        release(2)
    world.replicas[0].comes_back()

    with pytest.raises(NotFound, match=r"v2 was quarantined .golden rows: row 0: off by 0.5. and is at .*failed"):
        roll_back(2)


def test_bytes_that_are_not_the_ones_that_were_live_are_refused(world, release, roll_back):
    release(1)
    release(2)
    world.store.paths("best_model").onnx(1).write_bytes(b"something else")

    with pytest.raises(Damaged, match="v2 serves"):
        roll_back(1)

    assert world.store.refusal("best_model", candidate_of(1).sha256) is None, "nothing is known to be wrong with them"


@pytest.mark.parametrize(
    ("model", "alias", "version"), [("../x", "A", 1), ("best_model", "v1", 1), ("best_model", "A", 0)]
)
def test_what_is_no_name_is_refused_before_anything(world, release, model, alias, version):
    release(1)
    with (
        pytest.raises(InvalidName),
        rolled_back(world.env, model, alias, version, why=""),
    ):
        pass


def test_a_model_that_was_never_released_leaves_no_folder(world):
    with (
        pytest.raises(NotFound, match="no model best_model"),
        rolled_back(world.env, "best_model", "A", 1, why=""),
    ):
        pass

    assert not (world.store.root / "releases").exists()


def test_the_other_alias_stays(world, release, roll_back):
    release(1, "A")
    release(2, "A")
    release(3, "B")

    roll_back(alias="A")

    assert (world.live("A"), world.live("B")) == (1, 3)


def hang(world, version, entered, resume, *, committed):
    """Release a version, and wait at one step until told to go on."""
    try:
        with released(
            world.env,
            candidate_of(version),
            [world.engine],
        ) as release:
            up_to(release, "load")
            if committed:
                release.commit()
            entered.set()
            resume.wait(10)
            release.switch() if committed else release.ready()
    except Stopped as stopped:
        return str(stopped)
    return ""


@pytest.fixture
def hanging(world):
    """A release of v3 that hangs in its middle, and goes on a moment after somebody waits for it."""

    @contextmanager
    def hanging(*, committed):
        entered, resume, said = threading.Event(), threading.Event(), []
        thread = threading.Thread(
            target=lambda: said.append(hang(world, 3, entered, resume, committed=committed)), daemon=True
        )
        thread.start()
        assert entered.wait(10)
        threading.Timer(0.3, resume.set).start()
        yield
        thread.join()
        assert "test asked this release of best_model to stop" in said[0]

    return hanging


def test_a_release_that_hangs_is_asked_to_stop_at_its_next_step(world, release, roll_back, hanging):
    """v3 was not live: the operator leaves v2."""
    release(1)
    release(2)
    with hanging(committed=False):
        roll_back()

    assert world.live() == 1
    assert not world.store.paths("best_model").stop.exists()
    assert world.store.journal("best_model") is None


def test_a_committed_release_that_hangs_is_stopped_and_left(world, release, roll_back, hanging):
    """What is before is decided when it is asked: v3 is the decision then, so the operator goes to v2, not to v1."""
    release(1)
    release(2)
    with hanging(committed=True):
        roll_back()

    assert world.live() == 2
    assert world.store.refusal("best_model", candidate_of(3).sha256)


def test_a_rollback_that_is_decided_is_finished_before_another_one_decides(world, release, roll_back):
    """Two operators at once, both for v1: the first one succeeds, the second one is told that v1 serves already."""
    release(1)
    release(2)
    paths = world.store.paths("best_model")

    with ThreadPoolExecutor() as second:
        with rolled_back(world.env, "best_model", "A", 1, why="") as first:
            up_to(first, "commit")
            waiting = second.submit(roll_back, 1)
            while not paths.stop.exists():
                assert not waiting.done()
            first.switch()
        assert isinstance(waiting.exception(10), AlreadyLive)

    assert world.store.entry("best_model", 3).outcome is Outcome.COMPLETED


def test_a_holder_that_does_not_stop_is_named_with_the_command_that_ends_it(world, release, roll_back, monkeypatch):
    release(1)
    release(2)
    monkeypatch.setattr("interlock.release.open.STOP_WAIT_S", 0.2)

    with Writer.locked(world.store, "best_model", RUN), pytest.raises(Busy, match="prefect flow-run cancel flow-1"):
        roll_back()

    assert world.live() == 2
    assert not world.store.paths("best_model").stop.exists()


def test_a_request_for_an_earlier_holder_stops_nobody(world, release, monkeypatch):
    """The rollback that asked was killed; its request must not stop the releases after it."""
    release(1)
    paths = world.store.paths("best_model")
    monkeypatch.setattr("interlock.store.lock.remove", lambda _: None)
    monkeypatch.setattr("interlock.release.open.STOP_WAIT_S", 0.1)
    with (
        Writer.locked(world.store, "best_model", RUN),
        pytest.raises(Busy),
        rolled_back(world.env, "best_model", "A", 1, why=""),
    ):
        pass
    monkeypatch.undo()
    assert paths.stop.exists()

    run_release(world, 2)

    assert world.live() == 2
