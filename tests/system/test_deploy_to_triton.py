"""Registered versions go live on the real Triton through the flow, beside the serving app, as one decision."""

import json
import time

import httpx
import pytest
from world.real_triton import reason_for_none

from blocks.triton_server import TritonServer
from flows.deploy_to_triton import deploy_to_triton
from flows.train_register_reload import train_register_reload
from interlock.errors import Busy, InvalidName, NotFound, Refused, Unreachable
from interlock.records import Run
from interlock.store import Writer

ROW = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}


@pytest.fixture
def triton(api, home):
    if reason := reason_for_none(home):
        pytest.skip(reason)
    return api


def version_on_triton(stack, model="best_model"):
    url = stack.settings.local_url("triton")
    answer = httpx.post(f"{url}/v2/models/{model}/infer", json=ROW, timeout=5)
    return int(answer.json()["model_version"]) if answer.is_success else None


@pytest.fixture
def enrolled(triton):
    """What the app serves is enrolled on Triton, through the worker, by the command that a user types."""
    train_register_reload(params={"C": 2.0})
    if version_on_triton(triton) is None:
        name = f"enrol-{time.monotonic_ns()}"
        variables = {"PREFECT_API_URL": triton.settings.prefect_api}
        done = type(triton)(triton.settings, triton.environment | variables).run(
            "prefect", "deployment", "run", "deploy-to-triton/dev", "--flow-run-name", name, "--watch"
        )
        assert done.returncode == 0, done.stdout
        (run,) = triton.prefect("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
        tasks = triton.prefect("task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
        steps = {task["name"].rsplit("-", 1)[0] for task in tasks}
        assert steps >= {"resolve", "snapshot", "materialize", "load", "ready", "smoke", "commit", "switch", "confirm"}
        pages = triton.prefect("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
        assert [page["key"] for page in pages] == ["release-best-model-a"]
    return triton


def test_what_the_app_serves_is_enrolled_by_one_decision(enrolled):
    current = enrolled.store.current("best_model")

    assert version_on_triton(enrolled) == enrolled.version() == current.version_of("A")
    assert {engine.kind for engine in current.variants["A"].engines} == {"serving-api", "triton"}
    assert enrolled.interlock("status").returncode == 0


def test_the_next_training_goes_live_on_both(enrolled):
    before = enrolled.version()
    train_register_reload(params={"C": 12.0})

    assert version_on_triton(enrolled) == enrolled.version() > before


def test_an_older_version_can_be_deployed_by_its_number(enrolled):
    before = enrolled.store.current("best_model").variants["A"].previous_version
    deploy_to_triton(version=before)

    assert version_on_triton(enrolled) == enrolled.version() == before
    assert enrolled.registry.alias("best_model", "A") == before


def test_a_second_alias_has_a_folder_of_its_own(enrolled):
    version = enrolled.version()
    deploy_to_triton(alias="B", version=version)

    assert version_on_triton(enrolled, "best_model--B") == version
    assert enrolled.interlock("status").returncode == 0


@pytest.fixture
def unchanged(enrolled):
    before = enrolled.store.current("best_model"), enrolled.version(), version_on_triton(enrolled)
    yield enrolled
    assert (enrolled.store.current("best_model"), enrolled.version(), version_on_triton(enrolled)) == before
    candidate = f"{enrolled.settings.local_url('triton')}/v2/models/best_model--candidate"
    assert not httpx.get(candidate, timeout=5).is_success
    assert enrolled.store.journal("best_model") is None


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"version": 10**6}, NotFound, "answers 404.*serves"),
        ({"alias": "nobody"}, NotFound, "alias nobody of best_model names no version.*serves"),
        ({"model": "1model"}, InvalidName, "model '1model'"),
        ({"model": "my model"}, InvalidName, "model 'my model'"),
        ({"triton": "nowhere"}, NotFound, "no block triton/nowhere"),
    ],
)
def test_what_is_not_there_is_told(unchanged, parameters, error, says):
    with pytest.raises(error, match=says):
        deploy_to_triton(**parameters)


def block(stack, name, **change):
    ((http, grpc),) = stack.settings.triton
    plain = {"http": [http], "grpc": [grpc], "key": stack.settings.triton_key(), "repository": stack.store.root}
    TritonServer(**plain | change).save(name, overwrite=True)
    return name


def test_a_wrong_key_is_refused(unchanged):
    with pytest.raises(Refused, match="refuses the control key.*serves"):
        deploy_to_triton(triton=block(unchanged, "stranger", key="not-the-key"))


def test_triton_down_is_unreachable(unchanged, free_port):
    down = block(unchanged, "down", http=[f"http://127.0.0.1:{free_port}"], grpc=[f"127.0.0.1:{free_port}"])
    with pytest.raises(Unreachable, match=f"is decided, but .*:{free_port} does not answer for it"):
        deploy_to_triton(triton=down)


def test_two_releases_at_once(unchanged):
    with (
        Writer.locked(unchanged.store, "best_model", Run(flow_run_id="f-1", flow_run_name="the-first")),
        pytest.raises(Busy, match="the-first.*serves"),
    ):
        deploy_to_triton()


def test_a_killed_triton_comes_back_with_the_decided_version(enrolled):
    import os
    import signal

    from interlock.stack.supervisor import Supervisor

    supervisor, before = Supervisor(enrolled.settings), version_on_triton(enrolled)
    killed = supervisor.pids()["triton"]
    os.kill(killed, signal.SIGKILL)

    deadline = time.monotonic() + 30
    while supervisor.pids().get("triton") in (None, killed) or not _answers(enrolled):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert version_on_triton(enrolled) == before
    assert (
        json.loads(enrolled.store.paths("best_model").current.read_text())["variants"]["A"]["active_version"] == before
    )


def _answers(stack) -> bool:
    try:
        return version_on_triton(stack) is not None
    except httpx.TransportError:
        return False
