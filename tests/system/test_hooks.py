"""The second responder: the hook of a run that could not recover by itself."""

import json
import os
import signal
import socket
import time
from contextlib import contextmanager

import httpx
import psutil
import pytest
from models import TOKEN
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed

from blocks.serving_api import ServingApi
from flows.recover_run import recover_run
from flows.train_register_reload import train_register_reload


@contextmanager
def black_hole():
    """Accepts everything and answers nothing."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(64)
        yield f"http://127.0.0.1:{hole.getsockname()[1]}"


def wait_for(what, seconds, why):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.1)
    return found


def flow_process(run_id: str) -> psutil.Process | None:
    """The process that the worker started for the run."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID", "").replace("-", "") == run_id.replace("-", ""):
                return process
        except psutil.Error:
            continue
    return None


@pytest.fixture
def live(api):
    train_register_reload(params={"C": 2.0})
    return api.store.current("best_model")


def test_a_flow_killed_in_its_release_is_undone_by_the_hook_in_a_fresh_process(api, live):
    """SIGKILL while it waits for a replica that never answers: only the journal knows how far it came."""
    with black_hole() as nowhere:
        ServingApi(name="dev", urls=[nowhere], token=TOKEN, timeout_s=30).save("hole", overwrite=True)
        body = {"parameters": {"serving": "hole", "params": {"C": 3.0}}}
        wanted = {"flows": {"name": {"any_": ["train-register-reload"]}}, "deployments": {"name": {"any_": ["dev"]}}}
        (deployment,) = api.prefect("deployments/filter", wanted)
        run = api.prefect(f"deployments/{deployment['id']}/create_flow_run", body)
        journal = wait_for(lambda: api.store.journal("best_model"), 60, "the release did not begin")
        assert journal.run.flow_run_id == run["id"]
        time.sleep(1)
        os.kill(flow_process(run["id"]).pid, signal.SIGKILL)

        wait_for(lambda: api.store.journal("best_model") is None, 30, "the hook did not recover")

    def state():
        return httpx.get(f"{api.settings.prefect_api}/flow_runs/{run['id']}").json()["state"]["type"]

    wait_for(lambda: state() == "CRASHED", 30, "the run is not shown as crashed")
    assert api.store.current("best_model") == live
    assert api.version() == live.version_of("A")
    events = [json.loads(path.read_text()) for path in api.store.paths("best_model").events.iterdir()]
    assert any(event["flow_run_id"] == run["id"] and event["kind"] == "recovery" for event in events)


@pytest.mark.parametrize("parameters", [{}, {"model": "../x", "params": 3}])
def test_the_hook_of_a_run_that_left_nothing_open_does_nothing(api, live, parameters):
    """It is called with what was passed only, or with what was never valid."""
    run = FlowRun(flow_id="00000000-0000-0000-0000-000000000000", name="other", parameters=parameters)

    recover_run(train_register_reload, run, Crashed())

    assert api.store.current("best_model") == live


def test_the_hook_leaves_another_runs_release_alone(api, live):
    """An open journal of a run that still lives is not its business, whatever model it names."""
    from fakes import RUN

    from delivery.attempt import released

    candidate = api.place.registry.candidate("best_model", "A", live.version_of("A"))
    stranger = FlowRun(flow_id="00000000-0000-0000-0000-000000000000", name="other", parameters={})
    with released(
        api.store, candidate, [], engine_for=api.place.engine_for, registry=api.place.registry, run=RUN
    ) as release:
        release.snapshot()
        recover_run(train_register_reload, stranger, Crashed())
        assert api.store.journal("best_model") is not None
        release.materialize()
        release.load()
        release.commit()
        release.switch(patient=False)
