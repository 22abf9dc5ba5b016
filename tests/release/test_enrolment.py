"""An engine that was taken away is left out by a decision, so that releases go on without it."""

from dataclasses import replace

import pytest
from world.fakes import FakeReplica, candidate_of, engine_of

from interlock.errors import LastEngine, NotFound, Unreachable
from interlock.release.enrolment import unenrol
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.upkeep.history import damage

SECOND = ("fake", "second")


@pytest.fixture
def both(world):
    """Two engines, of one replica each, with version 1 live on both; and how to release."""
    replicas = {"fake": FakeReplica("http://first"), "second": FakeReplica("http://second", "second")}

    def engine_for(ref):
        return engine_of([replicas[ref.name]], ref.name)

    env = replace(world.env, engine_for=engine_for)

    def release(version, names=("fake",)):
        with released(env, candidate_of(version), [engine_of([replicas[name]], name) for name in names]) as made:
            carry_out(made)

    def leave_out(key, *, force=False):
        return unenrol(env, "best_model", key, force=force, why="the machine was sold")

    release(1, ("fake", "second"))
    return replicas, release, leave_out


def test_a_release_goes_on_without_an_engine_that_was_taken_away_and_un_enrolled(world, both):
    replicas, release, leave_out = both
    replicas["second"].goes_away()
    with pytest.raises(Unreachable, match="second does not answer"):
        release(2)

    assert leave_out(SECOND) == ["A"]
    release(2)

    assert world.live() == 2
    assert [ref.name for ref in world.store.current("best_model").variants["A"].engines] == ["fake"]


def test_it_is_a_decision_with_a_reason_after_which_the_record_is_whole_and_everybody_follows(world, both):
    replicas, _, leave_out = both

    leave_out(SECOND)

    newest = next(world.store.entries("best_model"))
    assert (newest.epoch, newest.why) == (2, "un-enrols fake/second: the machine was sold")
    assert list(damage(world.store, "best_model")) == []
    assert replicas["fake"].serves["A"].epoch == 2
    assert replicas["second"].serves == {}, "it still answered, so it was told to stop"


def test_the_last_engine_stays_unless_it_is_forced(world, both):
    _, _, leave_out = both
    leave_out(SECOND)

    with pytest.raises(LastEngine, match="nobody would serve it"):
        leave_out(("fake", "fake"))
    assert world.store.current("best_model").epoch == 2

    leave_out(("fake", "fake"), force=True)
    assert world.store.current("best_model").variants["A"].engines == ()


def test_an_engine_that_is_not_enrolled_is_told_with_those_that_are(both):
    _, _, leave_out = both

    with pytest.raises(NotFound, match="fake/third is not enrolled for best_model; there are fake/fake, fake/second"):
        leave_out(("fake", "third"))
