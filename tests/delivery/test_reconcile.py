"""Everything is made equal to the decision, and nothing else is touched."""

import pytest
from fakes import RUN, FakeRegistry

from delivery.alias import AliasState, state_of
from delivery.reconcile import reconcile
from delivery.recovery import recover


@pytest.fixture
def mend(world):
    return lambda: reconcile(world.store, "best_model", engine_for=world.engine_for, registry=world.registry, run=RUN)


def test_a_replica_that_drifted_follows_again(world, release, mend):
    release(1)
    release(2)
    world.replicas[0].serves = {}

    report = mend()

    assert world.serving() == [2, 2]
    assert "follows epoch 2 again" in report.done[0]


def test_a_forgotten_candidate_is_dropped(world, release, mend):
    release(1)
    world.replicas[1].staged = {"A": 9}

    mend()

    assert world.replicas[1].staged == {}


def test_a_late_alias_of_ours_is_set(world, release, mend):
    """The registry was away at the end of the release: the alias still names what we wrote to it before."""
    release(1)
    release(2)
    world.registry.aliases["best_model", "A"] = 1
    with world.store.writer("best_model", RUN) as writer:
        writer.note_alias("A", [1, 2])

    report = mend()

    assert report.done == ["alias A names v2 again"]
    assert world.registry.aliases["best_model", "A"] == 2


def test_an_alias_deleted_by_hand_is_reported(world, release, mend):
    release(1)
    world.registry.aliases.clear()

    report = mend()

    assert "moved by hand (names None, decided 1)" in report.found[0]
    assert report.done == []


def test_an_alias_moved_by_hand_is_reported_and_not_touched(world, release, mend):
    release(1)
    release(2)
    world.registry.aliases["best_model", "A"] = 7

    report = mend()

    assert "moved by hand" in report.found[0]
    assert "names 7, decided 2" in report.found[0]
    assert report.done == []
    assert world.registry.aliases["best_model", "A"] == 7


def test_a_replica_that_is_away_is_reported_and_takes_no_lock(world, release, mend):
    release(1)
    world.replicas[0].goes_away()

    with world.store.writer("best_model", RUN):
        report = mend()

    assert "does not answer" in report.found[0]
    assert not report.busy


def test_a_model_that_is_being_released_is_left_alone(world, release, mend):
    release(1)
    world.replicas[0].staged = {"A": 2}
    with world.store.writer("best_model", RUN):
        report = mend()

    assert "is being changed by" in report.busy
    assert world.replicas[0].staged == {"A": 2}


def test_the_registry_away_leaves_the_alias_unknown(world, release):
    release(1)
    world.registry.down = True

    assert state_of(world.store, world.registry, world.store.current("best_model"), "A")[0] is AliasState.UNKNOWN


def test_an_alias_killed_between_set_and_note_is_still_ours(world, release, mend):
    """The registry took v2, the note of it was lost, and then the decision went back to v1."""
    release(1)
    with world.store.writer("best_model", RUN) as writer:
        writer.note_alias("A", [1, 2])
    world.registry.aliases["best_model", "A"] = 2

    mend()

    assert world.registry.aliases["best_model", "A"] == 1


def test_an_alias_set_by_a_killed_release_is_still_ours_after_the_way_back(world, release, mend, monkeypatch):
    """Killed right after the registry took v2; the registry is away while v2 is undone, and then it is back."""
    release(1)
    set_alias = FakeRegistry.set_alias

    def set_and_die(registry, model, alias, version):
        set_alias(registry, model, alias, version)
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeRegistry, "set_alias", set_and_die)
    monkeypatch.setattr("delivery.release.recover", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        release(2)
    monkeypatch.undo()
    world.registry.down = True
    world.replicas[0].forgets = True
    world.replicas[0].serves = {}
    with world.store.writer("best_model", RUN) as writer:
        recovery = recover(writer, world.engine_for, world.registry)
    assert "alias A pending" in recovery.how
    assert world.live() == 1
    world.registry.down = world.replicas[0].forgets = False

    report = mend()

    assert "alias A names v1 again" in report.done
    assert world.registry.aliases["best_model", "A"] == 1
