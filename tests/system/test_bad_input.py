"""Whatever goes wrong, users of the model notice nothing, and the message names what serves."""

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prefect.states import State
from support.ports import free_ports
from support.wire import wire
from world.engines import environment, serving_engine
from world.fakes import up_to
from world.models import TOKEN, iris, served, wrong

from blocks.chat_webhook import ChatWebhook
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from flows.train_register_reload import train_register_reload
from interlock.adapters.mlflow.registry import Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.errors import (
    Broken,
    Busy,
    DigestMismatch,
    InvalidName,
    InvalidTraining,
    NotFound,
    Refused,
    Unreachable,
    Unwritable,
)
from interlock.records import Candidate, Run
from interlock.release.open import released
from interlock.store import Writer
from interlock.training.dataset import Dataset
from learners.iris import Iris


@pytest.fixture(scope="module")
def live(stack):
    """A version serves before anything goes wrong."""
    with stack.pointed_at():
        train_register_reload(params={"C": 2.0})
    return stack.version()


@pytest.fixture
def unchanged(api, live):
    """After the test, everything is as it was: decision, answers, alias, candidates, journal."""
    before = api.store.current("best_model"), api.version()
    yield api
    assert (api.store.current("best_model"), api.version()) == before
    assert api.registry.alias("best_model", "A") == before[1]
    assert httpx.get(f"{api.url}/variants").json()["staged"] == {}
    assert api.store.journal("best_model") is None


def runs(api) -> int:
    experiments = httpx.get(f"{api.settings.mlflow}/api/2.0/mlflow/experiments/search?max_results=100").json()
    ids = [experiment["experiment_id"] for experiment in experiments["experiments"]]
    body = {"experiment_ids": ids, "max_results": 1000}
    return len(httpx.post(f"{api.settings.mlflow}/api/2.0/mlflow/runs/search", json=body).json().get("runs", []))


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"learner": "irris"}, NotFound, "no learner 'irris'"),
        ({"params": {"C": -1}}, InvalidTraining, "C: "),
        ({"params": {"depth": 3}}, InvalidTraining, "depth: "),
        ({"alias": "latest"}, InvalidName, "alias 'latest'"),
        ({"model": "../x"}, InvalidName, "model '../x'"),
        ({"threshold": float("nan")}, Refused, "finite threshold"),
        ({"serving": "nowhere"}, NotFound, "no block serving-api/nowhere; .*python -m blocks"),
        ({"registry": "nowhere"}, NotFound, "no block mlflow-registry/nowhere"),
        ({"repository": "nowhere"}, NotFound, "no block model-repository/nowhere"),
        ({"chat": "nowhere"}, NotFound, "no block chat-webhook/nowhere"),
    ],
)
def test_what_is_wrong_at_the_start_is_told_before_the_first_side_effect(unchanged, parameters, error, says):
    before = runs(unchanged)

    with pytest.raises(error, match=says):
        train_register_reload(**parameters)

    assert runs(unchanged) == before


def test_missing_values_in_the_training_set_are_refused(unchanged, monkeypatch):
    data = Iris().data()
    frame = data.frame.assign(sepal_length=data.frame["sepal_length"].where(data.frame.index > 0))
    spoiled = Dataset.of(frame, data.target, class_names=data.class_names)
    monkeypatch.setattr(Iris, "data", lambda _: spoiled)

    with pytest.raises(InvalidTraining, match=r"missing in sepal_length"):
        train_register_reload()


def test_mlflow_down_fails_within_fifteen_seconds(unchanged, free_port):
    MlflowRegistry(url=f"http://127.0.0.1:{free_port}").save("down", overwrite=True)

    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        train_register_reload(registry="down")
    assert time.monotonic() - started < 15


def test_the_serving_app_down_is_told_before_anything_is_trained(unchanged, free_port):
    """The message says what is decided, and not that it serves where nobody answers."""
    ServingApi(name="dev", urls=[f"http://127.0.0.1:{free_port}"], token=TOKEN).save("down", overwrite=True)
    before = runs(unchanged)

    with pytest.raises(
        Unreachable, match=rf"does not answer.*v\d+ is decided, but .*{free_port} does not answer for it"
    ):
        train_register_reload(serving="down", params={"C": 3.0})
    assert runs(unchanged) == before


def test_an_app_of_another_model_is_told_before_anything_is_trained(unchanged):
    before = runs(unchanged)

    with pytest.raises(Refused, match=r"serves best_model as the engine 'dev', not wine"):
        train_register_reload(model="wine")
    assert runs(unchanged) == before


def test_a_wrong_token_is_refused_and_shown_nowhere(unchanged):
    token = uuid4().hex
    ServingApi(name="dev", urls=[unchanged.url], token=token).save("stranger", overwrite=True)

    with pytest.raises(Refused, match="401"):
        train_register_reload(serving="stranger", params={"C": 3.0})

    home = unchanged.settings.home
    files = [*home.rglob("*.log"), *home.rglob("*.json"), *home.rglob("*.db"), *home.rglob("*.db-wal")]
    assert [path for path in files if token.encode() in path.read_bytes()] == []


def test_a_second_release_at_the_same_time_is_told_who_holds_the_lock(unchanged):
    with (
        Writer.locked(unchanged.store, "best_model", Run(flow_run_id="f-1", flow_run_name="the-first")),
        pytest.raises(Busy, match=r"flow run the-first \(f-1\).*serves"),
    ):
        train_register_reload(params={"C": 3.0})


@contextmanager
def mounted(folder: Path, options: str):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("options", "says"), [("ro", "Read-only"), ("size=16k", "No space left")])
def test_a_repository_that_cannot_be_written_is_told(unchanged, tmp_path, options, says):
    with mounted(tmp_path / "disk", options) as disk:
        ModelRepository(root=disk / "repository").save("small", overwrite=True)
        with pytest.raises(Unwritable, match=says):
            train_register_reload(repository="small", params={"C": 3.0})
        assert not list(disk.rglob("model.onnx"))
        assert not list(disk.rglob("journal.json"))


def test_people_are_told_of_the_end_whatever_it_is(unchanged, free_port):
    """Model, alias, version, run and what serves now; a chat that is down fails nothing."""
    with wire() as told:
        told.answers["POST /hook"] = lambda _: (200, b"ok")
        ChatWebhook(url=f"{told.url}/hook").save("wire", overwrite=True)

        train_register_reload(params={"max_iter": 1}, chat="wire")
        train_register_reload(release=False, chat="wire")
        with pytest.raises(Refused):
            train_register_reload(metric="auc", chat="wire")

        rejected, registered, failed = [body["text"] for _, body in told.asked]
        assert rejected.startswith("REJECTED: best_model A candidate (run ")
        assert registered.startswith("REGISTERED: best_model A v")
        assert failed.startswith("FAILED: best_model A candidate (run ")
        assert all(f"best_model A: v{unchanged.version()} serves" in text for text in (rejected, registered, failed))

    ChatWebhook(url=f"http://127.0.0.1:{free_port}").save("down", overwrite=True)
    assert isinstance(train_register_reload(params={"max_iter": 1}, chat="down", return_state=True), State)


def test_registered_is_not_released(unchanged):
    state = train_register_reload(params={"C": 4.0}, release=False, return_state=True)

    version = int(state.message.split(" A v")[1].split()[0])
    params = {"name": "best_model", "version": version}
    got = httpx.get(f"{unchanged.settings.mlflow}/api/2.0/mlflow/model-versions/get", params=params).json()
    assert state.name == "Registered"
    assert {"key": "gate", "value": "passed"} in got["model_version"]["tags"]
    assert version != unchanged.version()


def test_a_candidate_worse_than_the_champion_is_rejected(unchanged):
    state = train_register_reload(params={"C": 0.05}, threshold=0.5, beat_champion=True, return_state=True)

    assert state.name == "Rejected"
    assert "below the champion's" in state.message


def register(api, trained) -> Candidate:
    """Train elsewhere: log and register what the gate of a flow would never let pass."""
    tracking = MlflowTracking(api.settings.mlflow, "elsewhere")
    run = tracking.log(tracking.open_run(uuid4().hex, trained.sha256), trained)
    registration = Registration("best_model", run.run_id, run.source, run.model_id, {"sha256": trained.sha256})
    version = api.registry.register(registration)
    return api.registry.candidate("best_model", "A", version)


def release(env, candidate, engines, before_switch=lambda: None):
    with released(env, candidate, engines) as made:
        up_to(made, "commit", but="trial")
        before_switch()
        made.switch()
        made.confirm()
        made.point_alias()
    return made


def local(api):
    return [serving_engine("dev", [api.url], api.token)]


def test_a_model_that_answers_otherwise_than_in_training_is_refused_and_remembered(unchanged):
    candidate = register(unchanged, wrong(iris(6.0)))

    with pytest.raises(Broken, match=r"golden rows.*serves"):
        release(unchanged.env, candidate, local(unchanged))
    with pytest.raises(Refused, match="holds bytes that failed before"):
        release(unchanged.env, candidate, local(unchanged))


def test_bytes_that_are_not_the_trained_ones_are_refused(unchanged):
    candidate = register(unchanged, iris(7.0))
    (artifact,) = unchanged.settings.home.rglob(f"{candidate.run_id}/artifacts/onnx/model.onnx")
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"x")

    with pytest.raises(DigestMismatch, match="not the ones that were trained"):
        release(unchanged.env, candidate, local(unchanged))


@pytest.fixture
def pair(api, live, tmp_path):
    """Two replicas of an app of their own, over a repository of their own, with v1 live; they can be stopped."""
    from interlock.store import Store

    first, second = register(api, iris(1.0)), register(api, iris(10.0))
    ports = free_ports(2)
    engine = serving_engine("dev", [f"http://127.0.0.1:{port}" for port in ports], TOKEN, timeout_s=1)
    env = environment(Store(tmp_path / "repository"), engine, registry=api.registry)
    with served(env.store, ports[0]), served(env.store, ports[1]):
        release(env, first.model_copy(update={"alias": "B"}), [engine])
    return env, engine, ports, second.model_copy(update={"alias": "B"})


def versions(engine):
    return [replica.observe("best_model").serves["B"].version for replica in engine.replicas]


def test_one_replica_lost_after_the_commit_degrades_and_follows_when_it_is_back(pair):
    env, engine, ports, candidate = pair
    lost = served(env.store, ports[1])
    with served(env.store, ports[0]):
        lost.__enter__()
        done = release(env, candidate, [engine], before_switch=lambda: lost.__exit__(None, None, None))
        with served(env.store, ports[1]):
            assert versions(engine) == [candidate.version] * 2
    assert str(ports[1]) in done.account.ended


def test_every_replica_lost_after_the_commit_goes_back_and_they_come_back_with_the_version_before(pair):
    env, engine, ports, candidate = pair
    before = env.store.current("best_model").version_of("B")
    replicas = [served(env.store, port) for port in ports]
    for replica in replicas:
        replica.__enter__()

    def lose():
        for replica in replicas:
            replica.__exit__(None, None, None)

    with pytest.raises(Unreachable, match=f"v{before} serves .rolled back after the commit"):
        release(env, candidate, [engine], before_switch=lose)
    with served(env.store, ports[0]), served(env.store, ports[1]):
        assert versions(engine) == [before] * 2
