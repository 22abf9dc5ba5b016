"""The record says whether it is whole, and old versions go when an operator says so."""

import json

import pytest
from world.fakes import RUN, candidate_of

from interlock.errors import CorruptRecord, NotFollowed, Refused, SmokeFailed
from interlock.records import Outcome, sealed
from interlock.store import Writer
from interlock.upkeep.history import damage
from interlock.upkeep.prune import prune


@pytest.fixture
def cut(world):
    return lambda versions, failed=10: prune(world.env, "best_model", versions=versions, failed=failed)


def test_a_record_of_releases_and_rollbacks_is_whole(world, release):
    release(1)
    world.replicas[0].forgets = True
    with pytest.raises(Exception, match="v1 serves"):
        release(2)
    world.replicas[0].forgets = False
    release(3)

    assert list(damage(world.store, "best_model")) == []


def test_a_damaged_decision_is_named(world, release):
    release(1)
    release(2)
    path = world.store.paths("best_model").entry(1)
    path.write_bytes(path.read_bytes().replace(b"test", b"evil"))

    assert list(damage(world.store, "best_model")) == [
        f"{path} does not carry the checksum of its content; `interlock reconcile` mends it"
    ]


def test_a_decision_that_is_missing_in_between_is_named(world, release):
    for version in (1, 2, 3):
        release(version)
    world.store.paths("best_model").entry(2).unlink()

    assert "epoch 3 does not continue epoch 1" in next(damage(world.store, "best_model"))


def test_a_decision_that_was_written_past_the_record_is_named(world, release):
    release(1)
    paths = world.store.paths("best_model")
    forged = world.store.current("best_model").model_copy(update={"flow_run_id": "somebody else"})
    paths.current.write_bytes(sealed(forged.model_dump(mode="json")))

    assert "current.json says epoch 1, which is not the newest" in next(damage(world.store, "best_model"))


def test_pruning_keeps_what_may_be_gone_back_to(world, release, cut):
    for version in range(1, 8):
        release(version)

    assert cut(3) == [f"models/best_model/{version}" for version in (1, 2, 3, 4)]
    assert cut(3) == []
    assert [world.store.digest("best_model", v) for v in (5, 6, 7)] == [candidate_of(v).sha256 for v in (5, 6, 7)]
    assert not list(world.store.paths("best_model").staging.iterdir())


def test_pruning_keeps_each_aliass_versions_and_those_before_a_refused_one(world, release, cut):
    release(1, "B")
    for version in (2, 3, 4):
        release(version, "A")
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.refuse_digest(candidate_of(3).sha256, 3, "rolled back")

    assert cut(2) == []


def test_a_version_that_was_undone_does_not_count_among_the_last_two(world, release, cut):
    release(1)
    release(3)
    release(1)
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.refuse_digest(candidate_of(3).sha256, 3, "rolled back")
    world.replicas[1].forgets = True
    with pytest.raises(NotFollowed):
        release(2)
    world.replicas[1].forgets = False

    assert cut(2) == ["models/best_model/2"]


def test_pruning_bounds_the_quarantine(world, release, cut):
    release(1)
    world.replicas[0].answers_wrongly()
    for version in (2, 3, 4):
        with pytest.raises(SmokeFailed):
            release(version)

    removed = cut(2, failed=1)

    assert len(removed) == 2
    assert len(list(world.store.paths("best_model").failed.iterdir())) == 1


@pytest.mark.parametrize(("versions", "failed"), [(1, 0), (2, -1)])
def test_the_last_two_live_versions_are_never_pruned(release, cut, versions, failed):
    release(1)

    with pytest.raises(Refused, match="at least 2"):
        cut(versions, failed)


def test_a_version_whose_record_was_lost_is_not_pruned(world, release, cut):
    """The decision after it tells that it was live."""
    for version in (1, 2, 3):
        release(version)
    world.store.paths("best_model").entry(2).unlink()

    assert cut(2) == ["models/best_model/1"]


@pytest.mark.parametrize(
    ("text", "outcome", "note"),
    [
        ("open", Outcome.OPEN, ""),
        ("completed", Outcome.COMPLETED, ""),
        ("completed; degraded: http://a did not answer", Outcome.COMPLETED, "degraded: http://a did not answer"),
        ("completed by recovery", Outcome.RECOVERED, ""),
        ("undone by epoch 3: row 0: off", Outcome.UNDONE, "by epoch 3: row 0: off"),
    ],
)
def test_an_account_of_before_with_outcome_and_note_in_one_text_is_read(world, release, text, outcome, note):
    release(1)
    path = world.store.paths("best_model").entry(1)
    old = {key: value for key, value in json.loads(path.read_bytes()).items() if key != "note"}
    path.write_bytes(sealed({**old, "outcome": text}))

    entry = world.store.entry("best_model", 1)

    assert (entry.outcome, entry.note, entry.ended) == (outcome, note, text)


def test_an_outcome_that_nobody_knows_is_a_corrupt_record(world, release):
    release(1)
    path = world.store.paths("best_model").entry(1)
    path.write_bytes(sealed({**json.loads(path.read_bytes()), "outcome": "finished"}))

    with pytest.raises(CorruptRecord):
        world.store.entry("best_model", 1)
