"""Only a wrong answer condemns a digest; whatever cannot judge leaves a release that serves alone."""

from dataclasses import replace

import pytest
from check.invariants import pass_of_reconcile
from inject.fuse import Killed
from world.fakes import RUN, candidate_of, onnx_of, up_to

from interlock.errors import (
    Broken,
    DeliveryError,
    DigestMismatch,
    Garbled,
    NotFollowed,
    NotFound,
    RecoveryFailed,
    Refused,
    SmokeFailed,
    TooSlow,
    TrialFailed,
    Unreachable,
    Unreadable,
)
from interlock.release.freshness import MOST_ATTEMPTS, Newest, compare
from interlock.release.open import released
from interlock.release.recover import recover
from interlock.release.steps import Release, carry_out
from interlock.store import Writer, versions

MODEL = "best_model"
NO_VERDICT = [
    pytest.param(Refused("401: a valid x-token is needed"), id="a rotated token"),
    pytest.param(NotFound("no block dev"), id="a missing block"),
    pytest.param(Unreadable("current.json: Input/output error"), id="an unreadable disk"),
    pytest.param(Garbled("a login page"), id="a proxy's page"),
]


def is_refused(world, version):
    return world.store.refusal(MODEL, candidate_of(version).sha256) is not None


def die(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["load", "ready", "smoke"])
@pytest.mark.parametrize(
    "error", [TooSlow("600 ms"), Garbled("a page"), Unreachable("503"), Refused("401"), Unreadable("EIO")]
)
def test_before_the_commit_nothing_but_a_wrong_answer_condemns(world, release, step, error):
    release(1)
    world.replicas[0].fails[step] = error

    with pytest.raises(type(error), match="v1 serves"):
        release(2)

    assert world.serving() == [1, 1]
    assert not is_refused(world, 2)
    world.replicas[0].comes_back()
    release(2)


@pytest.mark.parametrize("error", [SmokeFailed(""), Broken(""), SmokeFailed("row 0: off by 0.5")])
@pytest.mark.parametrize("step", ["smoke", "follow"])
def test_a_wrong_answer_condemns_also_without_words(world, release, step, error):
    release(1)
    world.replicas[1].fails[step] = error

    with pytest.raises(DeliveryError):
        release(2)
    world.replicas[1].comes_back()
    pass_of_reconcile(world.env)

    assert world.serving() == [1, 1]
    assert is_refused(world, 2)


def test_bytes_of_the_registry_that_are_not_their_digest_are_condemned(world, release):
    release(1)
    world.registry.artifacts[2, "model.onnx"] = onnx_of(3)

    with pytest.raises(DigestMismatch, match="v1 serves"):
        release(2)

    assert is_refused(world, 2)


@pytest.mark.parametrize("page", [b"<html>Please log in</html>", b"", b"{}", b"[]"])
def test_a_page_in_the_place_of_the_registrys_manifest_condemns_nothing(world, release, page):
    """A proxy answers 200; the bytes are the trained ones, and the next release may take them."""
    release(1)
    world.registry.artifacts[2, "manifest.json"] = page

    with pytest.raises(Garbled, match=r"manifest.json is no manifest.*v1 serves"):
        release(2)

    assert not is_refused(world, 2)
    del world.registry.artifacts[2, "manifest.json"]
    release(2)
    assert world.serving() == [2, 2]


def test_a_file_that_vanishes_while_it_is_checked_condemns_nothing(world, release, monkeypatch):
    release(1)
    checked = versions.sha256_of

    def after_a_sweep(path):
        path.unlink()
        return checked(path)

    monkeypatch.setattr(versions, "sha256_of", after_a_sweep)
    with pytest.raises(Unreadable, match=r"model.onnx is gone.*v1 serves"):
        release(2)
    assert not is_refused(world, 2)


def test_a_slow_release_is_tried_again_when_the_machine_is_fast_again(world, release):
    release(1)
    world.replicas[0].slow = True
    with pytest.raises(TooSlow, match="over the budget"):
        release(2)
    world.replicas[0].slow = False

    release(2)

    assert world.serving() == [2, 2]


@pytest.mark.parametrize("error", NO_VERDICT)
def test_after_the_commit_what_cannot_judge_leaves_the_release_and_is_tried_again(world, release, error):
    release(1)
    world.replicas[0].fails["follow"] = error

    with pytest.raises(RecoveryFailed, match=r"stays.*v2 serves"):
        release(2)

    assert world.live() == 2
    assert world.store.journal(MODEL) is not None
    assert next(world.store.events(MODEL)).kind == "recovery failed"
    assert not is_refused(world, 2)
    world.replicas[0].comes_back()
    pass_of_reconcile(world.env)
    assert world.serving() == [2, 2]
    assert world.store.journal(MODEL) is None


@pytest.mark.parametrize("error", NO_VERDICT)
def test_a_recovery_that_cannot_judge_a_killed_release_leaves_it(world, release, monkeypatch, error):
    release(1)

    def engine_for(_):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr("interlock.release.open.recover", lambda *_: None)
        with (
            pytest.raises(DeliveryError),
            released(
                world.env,
                candidate_of(2),
                [world.engine],
            ) as made,
        ):
            up_to(made, "commit")
            raise RuntimeError("the power goes")

    with Writer.locked(world.store, MODEL, RUN) as writer, pytest.raises(RecoveryFailed):
        recover(writer, replace(world.env, engine_for=engine_for))
    assert world.live() == 2
    assert not is_refused(world, 2)
    with Writer.locked(world.store, MODEL, RUN) as writer:
        recover(writer, world.env)
    assert world.serving() == [2, 2]


def test_silence_after_the_commit_goes_back_and_condemns_nobody(world, release):
    release(1)
    for replica in world.replicas:
        replica.fails["follow"] = Unreachable(f"{replica.address} does not answer")
    with pytest.raises(Unreachable, match="v1 serves"):
        release(2)

    assert not is_refused(world, 2)


def test_a_condemnation_survives_a_recovery_that_is_killed_before_it_is_written(world, release, monkeypatch):
    release(1)
    with monkeypatch.context() as killed:
        killed.setattr("interlock.store.writer.Writer.refuse_digest", die)
        with (
            pytest.raises(Killed),
            released(
                world.env,
                candidate_of(2),
                [world.engine],
            ) as made,
        ):
            carry_out(made)
            raise SmokeFailed("row 0: off by 0.5")

    pass_of_reconcile(world.env)

    assert world.serving() == [1, 1]
    assert is_refused(world, 2)


def test_an_engine_that_nobody_knows_any_more_does_not_stop_the_undoing_of_a_rehearsal(world, release, monkeypatch):
    release(1)
    monkeypatch.setattr("interlock.release.open.recover", lambda *_: None)
    with (
        pytest.raises(DeliveryError),
        released(world.env, candidate_of(2), [world.engine]) as made,
    ):
        made.snapshot()
        raise RuntimeError("the power goes")

    def engine_for(_):
        raise NotFound("no block dev")

    with Writer.locked(world.store, MODEL, RUN) as writer:
        recover(writer, replace(world.env, engine_for=engine_for))
    assert world.store.journal(MODEL) is None


def test_a_schedule_tries_a_digest_three_times_and_then_asks_a_person(world, release):
    release(1)
    world.replicas[0].slow = True
    manifest = world.store.manifest(MODEL, 1).model_copy(update={"trained_at_utc": "20260101T000000Z"})
    tried = 0
    for _ in range(10):
        comparison = compare(world.store, world.store.current(MODEL), "A", Newest(candidate_of(2), manifest))
        if comparison.release:
            tried += 1
            with pytest.raises(TooSlow):
                release(2)

    assert tried == MOST_ATTEMPTS
    assert "tried 3 times" in comparison.why
    world.replicas[0].slow = False
    release(2)
    assert world.store.attempts(MODEL, candidate_of(2).sha256) == 0


def test_replicas_are_loaded_one_after_the_other(world, release):
    """A candidate that brings a replica down brings down one of them, and the others are not asked."""
    release(1)
    world.replicas[0].fails["load"] = Unreachable("died")
    world.replicas[1].asked.clear()

    with pytest.raises(Unreachable):
        release(2)

    assert "load" not in world.replicas[1].asked


def test_a_replica_that_does_not_follow_goes_back_and_condemns_nobody(world, release):
    release(1)
    world.replicas[1].forgets = True
    with pytest.raises(NotFollowed):
        release(2)

    assert not is_refused(world, 2)


def test_no_engine_sees_a_candidate_that_fails_its_trial(world, release, monkeypatch):
    release(1)
    for replica in world.replicas:
        replica.asked.clear()

    def try_out(*_):
        raise TrialFailed("it needs 1,500 MiB")

    monkeypatch.setattr(Release, "try_out", staticmethod(try_out))
    with pytest.raises(TrialFailed, match=r"1,500 MiB.*v1 serves"):
        release(2)

    assert not {"load", "ready", "smoke"} & {verb for replica in world.replicas for verb in replica.asked}
    assert is_refused(world, 2)


def test_what_a_trial_measured_stays_beside_the_bytes_and_in_the_history(world, release):
    done = release(1)

    (check,) = [check for check in done.checks if check.step == "trial"]
    assert "MiB" in check.detail
    assert "load_memory_bytes" in world.store.paths(MODEL).trial(1).read_text()
    assert check in world.store.entry(MODEL, 1).checks
