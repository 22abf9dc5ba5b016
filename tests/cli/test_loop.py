"""The loop tells what changed, once, and claims nothing that it did not look at."""

import logging

import pytest
from support.wire import wire
from world.fakes import RUN, candidate_of

from interlock.adapters.notify import Webhook
from interlock.cli.announce import Announcer
from interlock.cli.loop import MOST, Teller
from interlock.errors import Busy
from interlock.records import Run
from interlock.store import Writer
from interlock.upkeep.reconcile import AliasPolicy, Reconciler, Report

MOVED = "alias A is moved by hand (names 1, decided 2)"
DRIFT = "http://replica-1 serves A v1, decided is epoch 2"


@pytest.fixture
def told():
    """What the chat heard, by a teller that hears passes."""
    with wire() as told:
        told.answers["POST /hook"] = lambda _: (200, b"ok")
        told.teller = Teller(Announcer(Webhook(f"{told.url}/hook", 1), "http://nowhere/api", "http://ui"))
        told.texts = lambda: [body["text"] for _, body in told.asked]
        yield told


def audited(*found, **more):
    return Report("m", list(found), **more)


def quick(*found, **more):
    return Report("m", list(found), audited=False, **more)


def test_an_alias_that_was_moved_is_told_once_whatever_passes_look_at(told, caplog):
    """Passes that look at no alias neither say that it is right nor make the next audit say it again."""
    caplog.set_level(logging.INFO)
    for _ in range(3):
        told.teller.hear([audited(MOVED)])
        told.teller.hear([quick()])

    assert told.texts() == [f"RECONCILED m: {MOVED} -> nothing done"]
    assert "equals the decision" not in caplog.text


def test_when_it_is_right_again_that_is_told_too(told):
    told.teller.hear([audited(MOVED)])
    told.teller.hear([audited()])
    told.teller.hear([audited()])

    assert told.texts()[1:] == ["RECONCILED m: everything equals the decision"]


def test_what_was_mended_is_told_and_needs_no_all_clear(told):
    told.teller.hear([quick(DRIFT, done=["dev follows epoch 2 again"])])
    told.teller.hear([quick()])

    assert told.texts() == [f"RECONCILED m: {DRIFT} -> dev follows epoch 2 again"]


def test_what_a_dead_run_left_is_told_with_a_link_to_it(told):
    open_release = "the release of v3 of 20260101T000000Z by lucky-fox is open"
    told.teller.hear([quick(open_release, done=["rolled back"], left_by=Run(flow_run_id="f-1"))])

    assert told.texts() == [f"RECONCILED m: {open_release} -> rolled back | http://ui/runs/flow-run/f-1"]


def test_a_model_that_somebody_is_releasing_is_no_news(told):
    told.teller.hear([quick("the release of v3 of .. by lucky-fox is open", busy=Busy("m is being changed by .."))])
    told.teller.hear([quick()])

    assert told.texts() == []


def test_one_engine_that_is_down_is_one_message_however_many_models_it_serves(told):
    told.teller.hear([Report(f"m{n}", ["http://replica-1 does not answer"]) for n in range(MOST + 5)])

    (text,) = told.texts()
    assert text.endswith("and 5 models more, see the log")


def test_a_pass_that_did_not_audit_does_not_say_that_everything_is_as_decided(world, release):
    release(1)
    passes = Reconciler(world.env)

    (closely,), (briefly,) = passes.reconcile(["best_model"]), passes.reconcile(["best_model"], [])

    assert closely.told == "best_model: everything equals the decision"
    assert briefly.told == "best_model: replicas serve, as far as this pass looked, the decision"


def test_a_decision_that_was_rebuilt_is_something_done(world, release):
    release(1)
    world.store.paths("best_model").current.unlink()

    (report,) = Reconciler(world.env).reconcile(["best_model"])

    assert "rebuilt the decision, epoch 1" in report.done


def test_a_refused_version_that_an_alias_was_moved_to_is_told_without_a_flag_that_the_loop_does_not_have(
    world, release
):
    release(1)
    release(2)
    with Writer.locked(world.store, "best_model", RUN) as writer:
        writer.refuse_digest(candidate_of(1).sha256, 1, "customers complained")
    world.registry.aliases["best_model", "A"] = 1

    (report,) = Reconciler(world.env, AliasPolicy.RELEASE).reconcile(["best_model"])

    assert report.failed
    assert "best_model v1 holds bytes that failed before (v1, " in report.told
    assert "customers complained" in report.told
    assert "force" not in report.told
