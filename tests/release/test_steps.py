"""A release ends with the version live, or with everything as it was."""

from dataclasses import replace

import pytest
from world.fakes import RUN, FakeReplica, candidate_of, engine_of, up_to

from interlock.errors import (
    Broken,
    Busy,
    DeliveryError,
    DigestRefused,
    NotFollowed,
    OutOfTime,
    RecoveryFailed,
    SmokeFailed,
    Unreachable,
)
from interlock.records import Outcome
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.store import Writer


def test_the_first_release_goes_live_everywhere(world, release):
    done = release(1)

    assert world.live() == 1
    assert world.serving() == [1, 1]
    assert world.registry.aliases == {("best_model", "A"): 1}
    assert done.account.ended == "completed"
    assert world.store.journal("best_model") is None
    assert [check.step for check in done.checks][:4] == ["snapshot", "materialize", "trial", "load"]
    assert [check.step for check in done.checks][4:7] == ["ready", "smoke", "commit"]


def test_the_account_tells_who_what_and_the_numbers(world, release):
    release(1)
    release(2)

    entry = world.store.entry("best_model", 2)
    assert (entry.kind, entry.outcome, entry.run.flow_run_id) == ("release", Outcome.COMPLETED, "flow-1")
    assert entry.before.version_of("A") == 1
    assert entry.after.variants["A"].previous_version == 1
    assert {check.step for check in entry.checks} >= {"materialize", "smoke", "commit", "switch", "confirm", "alias"}


def test_a_wrong_answer_is_a_failure_too(world, release):
    """v2 loads and answers, but not what the trained model said: v1 stays live, v2 is put away and remembered."""
    release(1)
    world.replicas[1].answers_wrongly()

    with pytest.raises(SmokeFailed, match=r"off by 0.5.*best_model A: v1 serves"):
        release(2)

    assert world.live() == 1
    assert world.serving() == [1, 1]
    assert [replica.staged for replica in world.replicas] == [{}, {}]
    assert world.store.refusal("best_model", candidate_of(2).sha256).reason.startswith("golden rows")
    assert not world.store.paths("best_model").version(2).exists()
    assert world.registry.aliases == {("best_model", "A"): 1}


def test_bytes_that_failed_are_refused_until_forced(world, release):
    release(1)
    world.replicas[0].answers_wrongly()
    with pytest.raises(SmokeFailed):
        release(2)
    world.replicas[0].comes_back()

    with pytest.raises(DigestRefused, match=r"holds bytes that failed before.*v1 serves"):
        release(2)
    release(2, force=True)

    assert world.live() == 2
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None


def test_a_damaged_record_of_a_refusal_refuses_and_stops_no_recovery(world, release):
    release(1)
    digest = candidate_of(2).sha256
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.refuse_digest(digest, 2, "wrong")
    path = world.store.paths("best_model").refusal(digest)
    path.write_bytes(path.read_bytes()[:20])

    with pytest.raises(DigestRefused, match=r"not known any more.*v1 serves"):
        release(2)
    assert world.store.journal("best_model") is None

    release(2, force=True)
    assert world.live() == 2


def test_an_unreachable_replica_at_rehearsal_changes_nothing_and_blames_nobody(world, release):
    release(1)
    world.replicas[1].goes_away()

    with pytest.raises(Unreachable, match=r"replica-2 does not answer.*v1 serves"):
        release(2)

    assert world.live() == 1
    assert world.replicas[0].staged == {}
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None


def test_a_registry_that_is_away_changes_nothing(world, release):
    release(1)
    world.registry.down = True

    with pytest.raises(Unreachable, match="v1 serves"):
        release(2)

    assert world.live() == 1
    assert world.store.journal("best_model") is None


def test_a_replica_lost_after_the_commit_degrades_and_is_named(world, release):
    release(1)
    world.replicas[1].fails["follow"] = Unreachable("http://replica-2 does not answer")
    world.replicas[1].fails["observe"] = Unreachable("http://replica-2 does not answer")

    done = release(2)

    assert world.live() == 2
    assert done.account.ended == "completed; degraded: http://replica-2 did not answer"


def test_every_replica_lost_after_the_commit_goes_back(world, release):
    release(1)
    for replica in world.replicas:
        replica.fails["follow"] = Unreachable(f"{replica.address} does not answer")

    with pytest.raises(Unreachable, match=r"v1 serves .rolled back after the commit"):
        release(2)

    assert world.live() == 1
    assert world.store.current("best_model").epoch == 3
    assert world.store.entry("best_model", 3).kind == "rollback"
    undone = world.store.entry("best_model", 2)
    assert undone.outcome is Outcome.UNDONE
    assert undone.ended.startswith("undone by epoch 3: ")


def test_a_replica_that_does_not_follow_after_the_commit_goes_back(world, release):
    """One replica says yes and does not switch: everybody goes back, and the bytes are not blamed for it."""
    release(1)
    world.replicas[1].forgets = True
    with pytest.raises(NotFollowed, match=r"replica-2 does not serve.*v1 serves"):
        release(2)

    assert world.live() == 1
    assert world.serving() == [1, 1]
    assert world.store.refusal("best_model", candidate_of(2).sha256) is None
    assert world.registry.aliases == {("best_model", "A"): 1}
    assert world.store.journal("best_model") is None
    assert world.store.paths("best_model").version(2).exists()  # it was live for a moment: the machine never moves it


def test_a_failed_first_release_leaves_nothing_serving_and_no_alias(world, release):
    world.replicas[0].forgets = True

    with pytest.raises(NotFollowed, match="nothing serves"):
        release(1)

    assert world.live() is None
    assert world.serving() == [None, None]
    assert world.registry.aliases == {}


def test_the_other_alias_is_left_alone_by_a_rollback(world, release):
    release(1, "A")
    release(2, "B")
    world.replicas[0].forgets = True
    with pytest.raises(NotFollowed):
        release(3, "A")

    assert (world.live("A"), world.live("B")) == (1, 2)


def test_an_engine_that_is_enrolled_takes_part_whatever_the_flow_names(world, release):
    release(1)
    extra = FakeReplica("http://extra", name="extra")
    engines = {"fake": world.engine, "extra": engine_of([extra], "extra")}
    env = replace(world.env, engine_for=lambda ref: engines[ref.name])
    with released(env, candidate_of(2), [engines["extra"]]) as second:
        up_to(second, "load")

    assert "load" in extra.asked
    assert all("load" in replica.asked for replica in world.replicas)


def test_releasing_what_is_live_keeps_the_version_before(world, release):
    release(1)
    release(2)
    release(2)

    current = world.store.current("best_model")
    assert (current.epoch, current.variants["A"].previous_version) == (3, 1)


def test_a_live_version_that_fails_in_a_new_release_is_neither_refused_nor_moved(world, release):
    release(1)
    world.replicas[0].answers_wrongly()

    with pytest.raises(SmokeFailed):
        release(1)

    assert world.store.refusal("best_model", candidate_of(1).sha256) is None
    assert world.store.paths("best_model").version(1).exists()


def test_a_version_that_was_live_and_fails_when_it_is_released_again_is_refused_and_not_moved(world, release):
    release(1)
    release(2)
    world.replicas[0].answers_wrongly()

    with pytest.raises(SmokeFailed):
        release(1)

    assert world.store.refusal("best_model", candidate_of(1).sha256)
    assert world.store.paths("best_model").version(1).exists()


def test_the_way_back_after_the_commit_does_not_wait_for_the_registry(world, release):
    release(1)
    with (
        pytest.raises(Broken, match=r"v1 serves .*alias A pending"),
        released(world.env, candidate_of(2), [world.engine]) as made,
    ):
        carry_out(made)
        world.registry.down = True
        raise Broken("the check that fails")

    assert world.serving() == [1, 1]


def test_an_alias_that_cannot_be_set_is_left_pending(world, release):
    release(1)
    with released(world.env, candidate_of(2), [world.engine]) as second:
        up_to(second, "switch")
        world.registry.down = True
        second.point_alias()

    assert "the registry does not answer" in str(second.alias_pending)

    assert second.account.ended == "completed; alias A pending"
    assert world.live() == 2


def test_the_loser_of_two_releases_changes_nothing(world, release):
    with Writer.locked(world.store, "best_model", RUN), pytest.raises(Busy, match="flow-1"):
        release(1)

    assert world.live() is None
    assert world.replicas[0].asked == []


def test_a_release_that_holds_the_lock_too_long_is_stopped(world, release, monkeypatch):
    release(1)
    monkeypatch.setattr("interlock.release.steps.LIMIT_S", -1.0)

    with pytest.raises(OutOfTime, match="v1 serves"):
        release(2)


def test_an_unexpected_error_keeps_its_name_and_tells_what_serves(world, release):
    release(1)
    world.replicas[0].fails["ready"] = ZeroDivisionError("oops")

    with pytest.raises(DeliveryError, match=r"ZeroDivisionError: oops.*v1 serves") as told:
        release(2)

    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_an_interrupt_passes_unchanged_after_the_recovery(world, release):
    release(1)
    world.replicas[0].fails["smoke"] = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        release(2)

    assert world.live() == 1
    assert world.store.journal("best_model") is None


@pytest.mark.parametrize(("forgets", "serves"), [(False, 2), (True, 1)])
def test_an_interrupt_after_the_commit_looks_before_it_decides(world, release, forgets, serves):
    """Nobody gave a verdict on v2: it stays where every replica follows, and goes where one does not."""
    release(1)
    with (
        pytest.raises(KeyboardInterrupt),
        released(world.env, candidate_of(2), [world.engine]) as second,
    ):
        up_to(second, "commit")
        world.replicas[1].forgets = forgets
        raise KeyboardInterrupt

    assert world.live() == serves
    assert world.serving() == [serves, serves]
    assert world.registry.aliases == {("best_model", "A"): serves}


def test_a_recovery_that_fails_is_loud_and_leaves_the_journal_open(world, release):
    release(1)
    world.replicas[0].fails["follow"] = Broken("cannot load v1 either")

    with pytest.raises(RecoveryFailed, match="journal stays open"):
        release(2)

    assert world.store.journal("best_model") is not None
    world.replicas[0].comes_back()
    release(3)
    assert world.serving() == [3, 3]
