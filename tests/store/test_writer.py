"""The model repository: atomic, checked, one writer."""

import json
import multiprocessing
import os

import pytest
from world.fakes import RUN, candidate_of

from interlock.errors import Busy, CorruptRecord, Damaged, DigestMismatch, InvalidName, StaleEpoch, Unwritable
from interlock.records import Current, HistoryEntry
from interlock.store import Store, Writer


def entry(before: Current, after: Current) -> HistoryEntry:
    return HistoryEntry(
        epoch=after.epoch,
        release_id=after.release_id,
        kind="release",
        run=RUN,
        at_utc="20251231T025902Z",
        why="test",
        alias="A",
        before=before,
        after=after,
    )


def test_nothing_was_decided_in_an_empty_repository(world):
    current = world.store.current("best_model")

    assert current.epoch == 0
    assert current.describe("A") == "best_model A: nothing serves"


def test_a_path_is_not_built_from_an_unsafe_name(world):
    with pytest.raises(InvalidName):
        world.store.current("../etc")


def test_materialize_checks_the_digest_before_the_folder_appears(world):
    world.registry.artifacts[1, "model.onnx"] = b"something else"
    with (
        Writer.locked(world.store, "best_model", RUN) as writer,
        pytest.raises(DigestMismatch, match="not the ones that were trained"),
    ):
        writer.materialize(candidate_of(1), lambda name, path: world.registry.fetch(candidate_of(1), name, path))

    assert not world.store.paths("best_model").version(1).exists()
    assert list(world.store.paths("best_model").staging.iterdir()) == []


def test_a_version_folder_with_other_bytes_is_refused_and_kept(world, release):
    """MLflow's numbering restarts when a model is deleted."""
    release(1)
    other = candidate_of(1).model_copy(update={"sha256": "0" * 64})
    with (
        Writer.locked(world.store, "best_model", RUN) as writer,
        pytest.raises(Damaged, match="already holds other bytes"),
    ):
        writer.materialize(other, lambda _name, path: path.write_bytes(b"other"))

    assert world.store.digest("best_model", 1) == candidate_of(1).sha256


def test_materialize_twice_fetches_once(world):
    fetched = []

    def fetch(name, path):
        fetched.append(name)
        world.registry.fetch(candidate_of(1), name, path)

    with Writer.locked(world.store, "best_model", RUN) as writer:
        assert writer.materialize(candidate_of(1), fetch)
        assert not writer.materialize(candidate_of(1), fetch)
    assert fetched == ["model.onnx", "manifest.json"]


def test_commit_refuses_a_decision_that_moved(world, release):
    """A release that looked at epoch 0 does not overwrite epoch 1."""
    old = world.store.current("best_model")
    release(1)
    late = old.having("A", None, epoch=2, release_id="late")
    with Writer.locked(world.store, "best_model", RUN) as writer, pytest.raises(StaleEpoch, match="v1 serves"):
        writer.commit(old, entry(old, late))
    assert world.live() == 1


def test_commit_refuses_an_epoch_that_another_release_claimed(world):
    """Fencing holds where the lock does not: the claim is an exclusive creation."""
    before = world.store.current("best_model")
    with Writer.locked(world.store, "best_model", RUN) as writer:
        path = writer.paths.entry(1)
        writer.commit(before, entry(before, before.having("A", None, epoch=1, release_id="first")))
        writer.paths.current.unlink()
        writer.restore_current(before)
        with pytest.raises(StaleEpoch, match="claimed by another release"):
            writer.commit(before, entry(before, before.having("A", None, epoch=1, release_id="second")))
    assert json.loads(path.read_text())["release_id"] == "first"


def test_commit_again_is_the_same_commit(world):
    before = world.store.current("best_model")
    after = before.having("A", None, epoch=1, release_id="one")
    with Writer.locked(world.store, "best_model", RUN) as writer:
        assert writer.commit(before, entry(before, after)) == writer.commit(before, entry(before, after)) == after


def test_a_voided_epoch_is_not_used_again(world):
    before = world.store.current("best_model")
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer._claim(entry(before, before.having("A", None, epoch=1, release_id="dead")))
        writer.void_claims_above(0)
        assert world.store.epochs("best_model") == []
        assert world.store.next_epoch("best_model") == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"model": "best_model"}', b"\xff\xfe", b"null"])
def test_a_damaged_decision_is_named_and_never_guessed(world, release, damage):
    release(1)
    world.store.paths("best_model").current.write_bytes(damage)

    with pytest.raises(CorruptRecord, match=r"interlock reconcile"):
        world.store.current("best_model")


def test_a_decision_changed_by_hand_is_noticed(world, release):
    release(1)
    path = world.store.paths("best_model").current
    path.write_text(path.read_text().replace('"active_version": 1', '"active_version": 2'))

    with pytest.raises(CorruptRecord, match="checksum"):
        world.store.current("best_model")


def test_a_lost_decision_is_not_an_empty_one(world, release):
    release(1)
    world.store.paths("best_model").current.unlink()

    with pytest.raises(CorruptRecord, match="is lost"):
        world.store.current("best_model")


def test_keys_that_a_newer_writer_added_are_no_damage(world, release):
    from interlock.records import sealed

    release(1)
    path = world.store.paths("best_model").current
    path.write_bytes(sealed(json.loads(path.read_text()) | {"added_later": True}))

    assert world.live() == 1


def test_the_second_writer_is_told_who_holds_the_lock(world):
    with (
        Writer.locked(world.store, "best_model", RUN),
        pytest.raises(Busy, match=rf"process {os.getpid()} on .* flow run test \(flow-1\)"),
        Writer.locked(world.store, "best_model", RUN),
    ):
        pass


def test_writers_of_different_models_do_not_wait_for_each_other(world):
    with Writer.locked(world.store, "best_model", RUN), Writer.locked(world.store, "other", RUN):
        pass


def _hold(root, held, stop):
    with Writer.locked(Store(root), "best_model", RUN):
        held.set()
        stop.wait(20)


def test_the_lock_of_a_killed_process_is_free(world):
    context = multiprocessing.get_context("spawn")
    held, stop = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(world.store.root, held, stop))
    holder.start()
    assert held.wait(20)
    with pytest.raises(Busy, match=f"process {holder.pid}"), Writer.locked(world.store, "best_model", RUN):
        pass
    holder.kill()
    holder.join()

    with Writer.locked(world.store, "best_model", RUN):
        pass


def test_a_repository_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(Unwritable, match="cannot be written"),
        Writer.locked(Store(tmp_path / "file"), "best_model", RUN),
    ):
        pass


def test_quarantine_moves_and_keeps_the_reason(world, release):
    release(1)
    with Writer.locked(world.store, "best_model", RUN) as writer:
        where = writer.quarantine(1, "answers wrongly")

    assert where is not None
    assert not where.is_relative_to(world.store.root / "models")  # Triton takes any name that begins with a digit
    assert (where / "model.onnx").exists()
    assert json.loads((where / "reason.json").read_text())["reason"] == "answers wrongly"
    assert not world.store.paths("best_model").version(1).exists()
