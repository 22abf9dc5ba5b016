"""The hook, called by itself; after a kill it is in `test_worker_scenarios`, and what it tells in `test_telling`."""

from dataclasses import replace

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed

from flows.recover_run import recover_run
from flows.train_register_reload import train_register_reload
from interlock.records import Run
from interlock.release.steps import Release
from interlock.store import Writer


@pytest.fixture
def live(api):
    train_register_reload(params={"C": 2.0})
    return api.store.current("best_model")


@pytest.mark.parametrize("parameters", [{}, {"model": "../x", "params": 3}])
def test_the_hook_of_a_run_that_left_nothing_open_does_nothing(api, live, parameters):
    """It is called with what was passed only, or with what was never valid."""
    run = FlowRun(flow_id="00000000-0000-0000-0000-000000000000", name="other", parameters=parameters)

    recover_run(train_register_reload, run, Crashed())

    assert api.store.current("best_model") == live


def test_the_hook_leaves_another_runs_release_alone(api, live):
    """An open journal of a run that still lives is not its business, whatever model it names."""
    from interlock.release.open import released

    candidate = api.registry.candidate("best_model", "A", live.version_of("A"))
    stranger = FlowRun(flow_id="00000000-0000-0000-0000-000000000000", name="other", parameters={})
    with released(api.env, candidate, []) as release:
        release.snapshot()
        recover_run(train_register_reload, stranger, Crashed())
        assert api.store.journal("best_model") is not None
        release.materialize()
        release.load()
        release.commit()
        release.switch()


def test_a_chat_that_is_gone_does_not_stop_a_recovery(api, live):
    """The block was deleted between the release and its crash."""
    candidate = api.registry.candidate("best_model", "A", live.version_of("A"))
    killed = FlowRun(flow_id="00000000-0000-0000-0000-000000000000", name="killed", parameters={"chat": "nowhere"})
    with Writer.locked(api.store, "best_model", Run(flow_run_id=str(killed.id))) as writer:
        env = replace(api.env, run=Run(flow_run_id=str(killed.id)))
        Release(env, writer, candidate, [], "", force=False).snapshot()

    recover_run(train_register_reload, killed, Crashed())

    assert api.store.journal("best_model") is None
    assert api.store.current("best_model") == live
