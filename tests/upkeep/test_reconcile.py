"""Everything is made equal to the decision, and nothing else is touched."""

import shutil

import pytest
from world.fakes import RUN, FakeRegistry, candidate_of, up_to

from interlock.cli.loop import Rotation
from interlock.errors import Broken, NotFollowed, RecoveryFailed
from interlock.release.alias import AliasState, state_of
from interlock.release.engine import Served
from interlock.release.open import released
from interlock.release.recover import recover
from interlock.release.steps import carry_out
from interlock.store import Writer
from interlock.upkeep.reconcile import AliasPolicy, Reconciler
from interlock.upkeep.survey import survey


@pytest.fixture
def mend(world):
    return lambda: Reconciler(world.env).reconcile(["best_model"])[0]


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
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.note_alias("A", [1, 2])

    report = mend()

    assert report.done == ["alias A names v2 again, not v1"]
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

    with Writer.locked(world.store, "best_model", RUN):
        report = mend()

    assert "does not answer" in report.found[0]
    assert report.busy is None


def test_a_model_that_is_being_released_is_left_alone(world, release, mend):
    release(1)
    world.replicas[0].staged = {"A": 2}
    with Writer.locked(world.store, "best_model", RUN):
        report = mend()

    assert "is being changed by" in str(report.busy)
    assert world.replicas[0].staged == {"A": 2}


def test_the_registry_away_leaves_the_alias_unknown(world, release):
    release(1)
    world.registry.down = True

    assert state_of(world.store, world.registry, world.store.current("best_model"), "A")[0] is AliasState.UNKNOWN


def test_an_alias_killed_between_set_and_note_is_still_ours(world, release, mend):
    """The registry took v2, the note of it was lost, and then the decision went back to v1."""
    release(1)
    with Writer.locked(world.store, "best_model", RUN) as writer:
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
    monkeypatch.setattr("interlock.release.open.recover", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        release(2)
    monkeypatch.undo()
    world.registry.down = True
    world.replicas[0].forgets = True
    world.replicas[0].serves = {}
    with Writer.locked(world.store, "best_model", RUN) as writer:
        recovery = recover(writer, world.env)
    assert "alias A pending" in recovery.how
    assert world.live() == 1
    world.registry.down = world.replicas[0].forgets = False

    report = mend()

    assert "alias A names v1 again, not v2" in report.done
    assert world.registry.aliases["best_model", "A"] == 1


def release_of(world, model):
    candidate = candidate_of(1, model=model)
    with released(world.env, candidate, [world.engine]) as made:
        carry_out(made)


def release_without_alias(world, version):
    """The registry goes away after the bytes are there."""
    world.registry.down = False
    with released(
        world.env,
        candidate_of(version),
        [world.engine],
    ) as made:
        up_to(made, "switch")
        world.registry.down = True
        made.point_alias()


def moved_to(world, version):
    world.registry.aliases["best_model", "A"] = version


def with_policy(world, policy):
    return Reconciler(world.env, policy).reconcile(["best_model"])[0]


def test_an_alias_moved_by_hand_is_restored_if_that_is_the_policy(world, release):
    release(1)
    release(2)
    moved_to(world, 1)
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.note_alias("A", [2])

    report = with_policy(world, AliasPolicy.RESTORE)

    assert report.done == ["alias A names v2 again, not v1"]
    assert world.registry.aliases["best_model", "A"] == 2
    assert with_policy(world, AliasPolicy.RESTORE).found == []


def test_an_alias_moved_by_hand_is_a_wish_if_that_is_the_policy(world, release):
    release(1)
    moved_to(world, 7)

    report = with_policy(world, AliasPolicy.RELEASE)

    assert report.done == ["released v7, which alias A was moved to by hand"]
    assert world.serving() == [7, 7]
    assert with_policy(world, AliasPolicy.RELEASE).found == []


def test_a_wish_for_a_version_that_answers_wrongly_is_refused_and_not_tried_again(world, release):
    release(1)
    moved_to(world, 7)
    world.replicas[0].answers_wrongly()
    first = with_policy(world, AliasPolicy.RELEASE)
    world.replicas[0].comes_back()

    again = with_policy(world, AliasPolicy.RELEASE)

    assert first.failed
    assert again.failed
    assert "failed before" in again.found[-1]
    assert world.serving() == [1, 1]


def test_an_alias_removed_by_hand_is_no_wish(world, release):
    release(1)
    world.registry.aliases.clear()

    assert with_policy(world, AliasPolicy.RELEASE).done == ["alias A was removed by hand: nothing to release"]
    assert with_policy(world, AliasPolicy.RESTORE).done == ["alias A names v1 again, not vNone"]


@pytest.mark.parametrize("damage", ["flipped", "deleted", "folder deleted", "manifest deleted"])
def test_damaged_bytes_of_what_serves_are_fetched_again(world, release, mend, damage):
    release(1)
    paths = world.store.paths("best_model")
    if damage == "flipped":
        paths.onnx(1).write_bytes(b"bit flip")
    elif damage == "deleted":
        paths.onnx(1).unlink()
    elif damage == "manifest deleted":
        paths.manifest(1).unlink()
    else:
        shutil.rmtree(paths.version(1))

    report = mend()

    assert "v1 on disk are lost or damaged" in report.found[0]
    assert report.done == ["fetched the bytes of v1 again"]
    assert world.store.digest("best_model", 1) == candidate_of(1).sha256
    assert mend().found == []


def test_damaged_bytes_that_cannot_be_fetched_stop_nothing_else(world, release, mend):
    release(1)
    world.store.paths("best_model").onnx(1).unlink()
    world.registry.down = True
    world.replicas[1].serves = {}

    report = mend()

    assert report.failed
    assert "the registry does not answer" in report.found[-1]
    assert world.serving() == [1, 1]


def test_an_engine_that_was_away_when_a_first_release_was_undone_forgets_it(world, release, mend):
    """It is not enrolled any more, and still must not serve what was never proven everywhere."""
    world.replicas[0].fails["observe"] = world.replicas[1].fails["observe"] = NotFollowed("no")
    with pytest.raises(RecoveryFailed):
        release(1)
    world.replicas[0].comes_back()
    world.replicas[1].comes_back()
    world.replicas[1].serves = {"A": Served(1, candidate_of(1).sha256, 1)}

    mend()

    assert world.serving() == [None, None]


def test_replicas_are_asked_once_for_all_models(world):
    for model in ("one", "two", "three"):
        release_of(world, model)
    for replica in world.replicas:
        replica.asked.clear()

    survey(world.env, ["one", "two", "three"], audit=())

    assert [replica.asked for replica in world.replicas] == [["survey"], ["survey"]]


def test_a_model_that_fails_does_not_stop_the_others(world):
    for model in ("one", "two"):
        release_of(world, model)
    world.store.paths("one").current.write_bytes(b"{")
    (world.store.paths("one").history / "000001.json").unlink()
    world.store.paths("two").current.unlink()

    reports = Reconciler(world.env).reconcile(["one", "two"])

    assert world.store.current("two").version_of("A") == 1
    assert [report.model for report in reports] == ["one", "two"]


def test_an_alias_that_is_known_to_be_late_is_set_without_an_audit(world, release):
    release(1)
    release_without_alias(world, 2)
    world.registry.down = False

    reconciler = Reconciler(world.env)
    (report,) = reconciler.reconcile(["best_model"], audit=[])

    assert report.done == ["alias A names v2 again, not v1"]


def test_a_stale_request_to_stop_is_swept(world, release, mend):
    release(1)
    world.store.paths("best_model").stop.write_text("{}")

    assert mend().done == ["swept stop.json"]
    assert mend().found == []


def test_every_model_is_audited_within_a_quarter_of_an_hour():
    rotation, models = Rotation(every_s=30), [f"m{n}" for n in range(1000)]

    turns = [rotation.turn(models) for _ in range(30)]

    assert {model for turn in turns for model in turn} == set(models)
    assert max(map(len, turns)) == 34
    assert Rotation(every_s=30).turn(["one"]) == ["one"]
    assert Rotation(every_s=30).turn([]) == []


def test_a_recovery_that_keeps_failing_is_recorded_once(world, release, mend):
    release(1)
    world.replicas[0].fails["follow"] = Broken("cannot load v1 either")
    with pytest.raises(RecoveryFailed):
        release(2)

    assert mend().failed
    assert mend().failed

    kinds = [event.kind for event in world.store.events("best_model")]
    assert kinds.count("recovery failed") == 2  # one names why the release stopped, one does not know it
