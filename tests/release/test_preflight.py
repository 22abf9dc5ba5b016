"""Engines are asked before anything is trained: one that cannot take part ends the run at once."""

import pytest
from world.fakes import candidate_of, engine_of

from interlock.errors import Refused, Unreachable
from interlock.release import preflight
from interlock.release.message import serving


@pytest.fixture
def ask(world):
    def ask(engines, *, patient=False):
        return preflight.ask(world.env, "best_model", "A", engines, patient=patient)

    return ask


def test_engines_that_answer_let_the_run_go_on(world, release, ask):
    release(1)

    ask([world.engine]).check()


def test_a_replica_that_is_away_is_asked_again_then_told(world, release, ask):
    release(1)
    world.replicas[1].goes_away()

    with pytest.raises(Unreachable, match="replica-2 does not answer"):
        ask([world.engine], patient=True)
    answers = ask([world.engine])

    with pytest.raises(Unreachable, match="replica-2 does not answer"):
        answers.check()
    assert "http://replica-2 does not answer for it" in serving(world.store.current("best_model"), "A", answers.seen)


def test_an_engine_that_is_enrolled_is_asked_though_nobody_names_it(world, release, ask):
    release(1)
    world.replicas[0].goes_away()

    with pytest.raises(Unreachable, match="replica-1 does not answer"):
        ask([engine_of([], "another")]).check()


def test_an_engine_that_serves_another_model_is_refused_and_said_to_serve_nothing_of_ours(world, release, ask):
    release(1)
    for replica in world.replicas:
        replica.fails["observe"] = Refused(f"{replica.address} serves wine, not best_model")

    answers = ask([world.engine], patient=True)

    with pytest.raises(Refused, match="serves wine") as error:
        answers.check()
    assert not isinstance(error.value, Unreachable)
    assert "v1 is decided, but http://replica-1 does not" in serving(
        world.store.current("best_model"), "A", answers.seen
    )


def test_a_lost_decision_is_left_to_the_release_which_rebuilds_it(world, release, ask):
    release(1)
    world.store.paths("best_model").current.unlink()

    ask([world.engine]).check()
    assert candidate_of(1).sha256 == world.store.digest("best_model", 1)
