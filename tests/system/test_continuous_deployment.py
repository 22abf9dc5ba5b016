"""A tick releases what was trained last and passed the gate, or says why not; an API that is down is started."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from support.wire import wire
from world.fakes import RUN
from world.models import TOKEN, iris, served, wrong

from blocks.chat_webhook import ChatWebhook
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from flows.continuous_deployment import continuous_deployment
from flows.manual_rollback import manual_rollback
from flows.train_register_reload import train_register_reload
from interlock.adapters.mlflow.registry import Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.stack.processes import BIN
from interlock.store import Store, Writer

EARLY, LATE, LATEST = "20260101T000000Z", "20260102T000000Z", "20260103T000000Z"


class Model:
    """A model of its own in the stack's MLflow, a repository and a serving app of its own."""

    def __init__(self, api, root, name):
        self.api, self.name, self.store = api, name, Store(root)
        self.names = {"model": name, "repository": name, "serving": name, "chat": name}

    def trained(self, trained, trained_at_utc, gate="passed") -> int:
        """Register what was trained then, as a training does."""
        trained = replace(trained, trained_at_utc=trained_at_utc)
        tracking = MlflowTracking(self.api.settings.mlflow, "elsewhere")
        run = tracking.log(tracking.open_run(uuid4().hex, trained.sha256), trained)
        tags = {"sha256": trained.sha256, "gate": gate, "trained_at_utc": trained_at_utc}
        return self.api.registry.register(Registration(self.name, run.run_id, run.source, run.model_id, tags))

    def tick(self):
        return continuous_deployment(**self.names, return_state=True)

    def live(self):
        return self.store.current(self.name).version_of("A")


@pytest.fixture
def model(api, tmp_path):
    model = Model(api, tmp_path / "repository", f"ticks-{uuid4().hex[:6]}")
    with served(model.store, model=model.name, name=model.name) as url, wire() as told:
        told.answers["POST /hook"] = lambda _: (200, b"ok")
        model.url, model.chat = url, told
        ModelRepository(root=model.store.root).save(model.name)
        ServingApi(name=model.name, urls=[url], token=TOKEN).save(model.name)
        ChatWebhook(url=f"{told.url}/hook").save(model.name)
        yield model


def page(api, key):
    body = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    return api.prefect("artifacts/filter", body)[0]["data"]


def test_a_tick_releases_what_is_newer_and_says_why_or_why_not(model, api):
    """In the state, on the page and in the chat."""
    told = []
    for train, state, why in [
        (None, "Skipped", "no version of ticks"),
        ((iris(1.0), LATE), "Released", "nothing is live, v1 was trained at " + LATE),
        (None, "Skipped", f"v1, trained at {LATE}, is the newest"),
        ((iris(2.0), LATEST, "rejected"), "Skipped", f"v1, trained at {LATE}, is the newest"),
        ((iris(3.0), EARLY), "Skipped", f"v1, trained at {LATE}, is the newest"),
        ((iris(4.0), LATEST), "Released", f"what is live is older: v1 was trained at {LATE}, v4 at {LATEST}"),
    ]:
        if train:
            model.trained(*train)
        ended = model.tick()
        assert (ended.name, ended.is_completed()) == (state, True), ended.message
        assert why in ended.message
        assert why in page(api, f"release-{model.name}-a")
        told.append(ended.message)

    texts, links = zip(*[body["text"].rsplit(" | ", 1) for _, body in model.chat.asked], strict=True)
    assert list(texts) == told
    assert len({link for link in links if "/runs/flow-run/" in link}) == len(told)
    assert told[-1].endswith(f"{model.name} A: v4 serves")
    assert model.live() == api.registry.alias(model.name, "A") == 4
    assert model.store.current(model.name).epoch == 2


def test_ten_ticks_make_one_attempt_of_a_bad_version(model):
    model.trained(iris(1.0), EARLY)
    model.tick()
    model.trained(wrong(iris(2.0)), LATE)

    ended = [model.tick() for _ in range(10)]

    assert [state.name for state in ended] == ["Failed"] + ["Skipped"] * 9
    assert "golden rows" in ended[0].message
    assert "v2 is the newest and holds bytes that failed before (v2, " in ended[-1].message
    assert ended[-1].message.endswith(f"{model.name} A: v1 serves")
    assert model.live() == 1
    assert len(list(model.store.paths(model.name).failed.iterdir())) == 1


def test_no_tick_undoes_an_operator(model):
    model.trained(iris(1.0), EARLY)
    model.tick()
    model.trained(iris(2.0), LATE)
    model.tick()
    manual_rollback(model=model.name, repository=model.name, chat=model.name, reason="customers complain")
    epoch = model.store.current(model.name).epoch

    ended = [model.tick() for _ in range(10)]

    assert {state.name for state in ended} == {"Skipped"}
    assert "customers complain" in ended[-1].message
    assert (model.live(), model.store.current(model.name).epoch) == (1, epoch)


def test_an_api_that_answers_nonsense_is_not_down(model, tmp_path):
    """It is not started, and what waits to be released is not blamed."""
    model.trained(iris(1.0), EARLY)
    for answer in [(200, b"<html>"), (200, {"status": 1}), (500, b"oops"), (404, {}), (200, b"[]")]:
        with wire() as nonsense:
            for path in ("GET /healthz", "POST /reload", "GET /variants"):
                nonsense.answers[path] = lambda _, answer=answer: answer
            mark = ["touch", f"{tmp_path}/mark"]
            ServingApi(name=model.name, urls=[nonsense.url], token=TOKEN, start_command=mark).save(
                model.name, overwrite=True
            )
            ended = model.tick()
        assert ended.is_failed()
        assert f"{nonsense.url} answers" in ended.message
        assert f"{model.name} A: nothing serves" in ended.message
    assert not (tmp_path / "mark").exists()
    assert model.live() is None

    ServingApi(name=model.name, urls=[model.url], token=TOKEN).save(model.name, overwrite=True)
    assert model.tick().name == "Released"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (None, "does not answer, and the block has no start_command"),
        (["sh", "-c", "echo no image; exit 3"], "failed with 3: no image"),
        (["true"], "is not alive 0.5 s after `true`"),
    ],
)
def test_an_api_that_stays_down_fails_the_tick_and_nothing_is_released(model, free_port, command, says):
    model.trained(iris(1.0), EARLY)
    nowhere = f"http://127.0.0.1:{free_port}"
    app = ServingApi(name=model.name, urls=[nowhere], token=TOKEN, start_command=command, start_timeout_s=0.5)
    app.save(model.name, overwrite=True)

    ended = model.tick()

    assert ended.is_failed()
    assert says in ended.message
    assert model.chat.asked[-1][1]["text"].startswith(f"FAILED: {model.name} A candidate")
    assert (model.live(), model.store.journal(model.name)) == (None, None)


def test_of_two_ticks_at_once_one_releases_and_the_other_skips(model, api):
    model.trained(iris(1.0), EARLY)
    call = (
        f"from flows.continuous_deployment import continuous_deployment as c; c(**{model.names!r}, return_state=True)"
    )
    environment = api.environment | {"PREFECT_API_URL": api.settings.prefect_api}
    both = [subprocess.Popen([sys.executable, "-c", call], env=environment) for _ in range(2)]
    assert [tick.wait(120) for tick in both] == [0, 0]

    flow = {"flows": {"name": {"any_": ["continuous-deployment"]}}, "sort": "START_TIME_DESC", "limit": 2}
    states = [run["state"] for run in api.prefect("flow_runs/filter", flow)]
    assert sorted(state["name"] for state in states) == ["Released", "Skipped"], states
    assert (model.live(), model.store.current(model.name).epoch) == (1, 1)


def test_a_tick_while_somebody_releases_skips_and_tells_nobody(model):
    model.trained(iris(1.0), EARLY)
    with Writer.locked(model.store, model.name, RUN):
        ended = model.tick()

    assert ended.name == "Skipped"
    assert f"{model.name} is being changed by" in ended.message
    assert model.chat.asked == []
    assert model.live() is None


LAUNCH = """
import pathlib, subprocess, sys
pathlib.Path(sys.argv[1]).write_text(str(subprocess.Popen([sys.executable, "-m", "interlock.serving"]).pid))
"""


def test_an_app_that_was_killed_is_started_again_by_the_blocks_command_follows_and_gets_the_newest(
    model, tmp_path, free_port
):
    """First there is none at all; then it is killed with a version live and a newer one waiting."""
    pid, token = tmp_path / "pid", tmp_path / "token"
    token.write_text(TOKEN)
    settings = {
        "NAME": model.name,
        "MODEL": model.name,
        "PORT": free_port,
        "REPOSITORY": model.store.root,
        "TOKEN_FILE": token,
        "LOG_ENABLED": "false",
    }
    variables = [f"INTERLOCK_SERVING_{name}={value}" for name, value in settings.items()]
    command = ["env", *variables, sys.executable, "-c", LAUNCH, str(pid)]
    url = f"http://127.0.0.1:{free_port}"
    ServingApi(name=model.name, urls=[url], token=TOKEN, start_command=command).save(model.name, overwrite=True)

    def served_version():
        return httpx.get(f"{url}/model-info", timeout=5).json()["version"]

    model.trained(iris(1.0), EARLY)
    try:
        assert model.tick().name == "Released"
        assert served_version() == 1

        os.kill(int(pid.read_text()), signal.SIGKILL)
        model.trained(iris(2.0), LATE)
        ended = model.tick()

        assert ended.name == "Released", ended.message
        assert f"nobody answered at {url}" in ended.message
        assert served_version() == model.live() == 2

        os.kill(int(pid.read_text()), signal.SIGKILL)
        ended = model.tick()
        assert ended.name == "Skipped"
        assert f"nobody answered at {url}" in ended.message
        assert served_version() == 2
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def stop_serving(api):
    done = api.run(f"{BIN}/supervisorctl", "-c", str(api.settings.supervisor_config), "stop", "serving")
    assert "serving: stopped" in done.stdout, done.stdout + done.stderr


def test_the_stacks_api_is_started_follows_and_gets_what_was_trained_meanwhile(api, monkeypatch):
    """Through the worker, as the schedule does it; the block's command is the stack's own."""
    train_register_reload(params={"C": 0.7}, force=True)
    before = api.version()
    train_register_reload(params={"C": 0.8}, release=False, force=True)
    stop_serving(api)
    monkeypatch.setitem(api.environment, "PREFECT_API_URL", api.settings.prefect_api)

    name = f"tick-{uuid4().hex}"
    done = api.run("prefect", "deployment", "run", "continuous-deployment/dev", "--flow-run-name", name, "--watch")

    (run,) = api.prefect("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    assert done.returncode == 0, json.dumps(run["state"])
    assert run["state"]["name"] == "Released"
    assert "start serving` was run; what is live is older: " in run["state"]["message"]
    assert api.version() == api.store.current("best_model").version_of("A") > before

    stop_serving(api)
    ended = continuous_deployment(return_state=True)
    assert ended.name == "Skipped"
    assert f"was run; v{api.version()}, trained at " in ended.message
