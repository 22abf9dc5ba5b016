"""Every end of a run is told, in the chat and in its log, with a link to it; a rollback from the shell too."""

import json
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Crashed
from support.wire import wire
from world.runs import wait_for

from blocks.chat_webhook import ChatWebhook
from blocks.model_repository import ModelRepository
from flows.batch_predict import batch_predict
from flows.manual_rollback import manual_rollback
from flows.reconcile import reconcile
from flows.recover_run import recover_run
from flows.retention import retention
from flows.train_register_reload import train_register_reload
from interlock.store import Store


@pytest.fixture
def chat(api):
    """A chat under the block's name `wire`; `texts` is what it heard."""
    with wire() as told:
        told.answers["POST /hook"] = lambda _: (200, b"ok")
        told.texts = lambda: [body["text"] for _, body in told.asked]
        ChatWebhook(url=f"{told.url}/hook").save("wire", overwrite=True)
        yield told


@pytest.fixture
def live(api):
    if api.version() is None:
        train_register_reload(params={"C": 2.0}, force=True)
    return api.version()


def newest_run(api, flow):
    asked = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC", "limit": 1}
    (run,) = api.prefect("flow_runs/filter", asked)
    return run


def logs(api, run_id) -> str:
    """All that the run logged: lines arrive some seconds later, the hook's last."""
    body = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}

    def lines() -> str:
        return "\n".join(line["message"] for line in api.prefect("logs/filter", body))

    return wait_for(lambda: (text := lines()) and "run ended as Failed" in text and text, 30, "no log arrived")


@pytest.mark.parametrize(
    ("flow", "parameters", "why"),
    [
        (train_register_reload, {"learner": "irris"}, "no learner 'irris'"),
        (train_register_reload, {"alias": "latest"}, "alias 'latest'"),
        (train_register_reload, {"threshold": "high"}, "threshold: Input should be a valid number"),
        (train_register_reload, {"repository": "nowhere"}, "no block model-repository/nowhere"),
        (train_register_reload, {"feature_store": 3}, "feature_store: Input should be a valid string"),
        (manual_rollback, {"version": "two"}, "version: Input should be a valid integer"),
        (manual_rollback, {"version": 999_999}, "v999999 is not in the model repository"),
        (reconcile, {"model": "nobody"}, "no model nobody was ever released"),
        (batch_predict, {"parquet": "/nowhere.parquet"}, "/nowhere.parquet"),
        (retention, {"days": 0}, "days: Input should be greater than or equal to 1"),
        (retention, {"prediction_log": "nowhere"}, "no block prediction-log/nowhere"),
    ],
)
def test_a_typo_is_told_once_with_a_link_and_without_a_traceback(api, live, chat, flow, parameters, why):
    """Whether Prefect refuses it before the flow begins, or the flow does."""
    state = flow(**parameters, chat="wire", return_state=True)

    run = newest_run(api, flow.name)
    assert state.is_failed()
    (text,) = chat.texts()
    assert text.startswith("FAILED: ")
    assert why in text
    assert text.endswith(f"/runs/flow-run/{run['id']}")
    assert "\n" not in text
    assert "Traceback" not in logs(api, run["id"])


def test_what_serves_is_told_with_a_typo_in_the_model_left_out(api, live, chat):
    train_register_reload(learner="irris", chat="wire", return_state=True)
    train_register_reload(model="../x", chat="wire", return_state=True)

    typo, nobody = chat.texts()
    assert f"best_model A: v{live} serves" in typo
    assert "serves" not in nobody


def test_without_a_chat_the_runs_log_has_the_message(api, live):
    train_register_reload(learner="irris", return_state=True)

    logged = logs(api, newest_run(api, "train-register-reload")["id"])
    assert "FAILED: best_model A candidate (run none): no learner 'irris'" in logged


@pytest.mark.parametrize("state", [Crashed(message="its process was killed"), Cancelled(message="by an operator")])
def test_a_run_that_was_killed_or_cancelled_is_told_though_it_left_nothing_open(api, live, chat, state):
    run = FlowRun(flow_id=uuid4(), name="lucky-fox", parameters={"chat": "wire"})

    recover_run(train_register_reload, run, state)

    (text,) = chat.texts()
    assert text.startswith(f"{state.name.upper()}: train-register-reload best_model A (run none): {state.message}")
    assert f"best_model A: v{live} serves" in text
    assert text.endswith(f"/runs/flow-run/{run.id}")


def test_a_torn_journal_of_another_model_does_not_stop_the_hook(api, live, chat, tmp_path):
    store = Store(tmp_path / "repository")
    for model in ("torn", "unreadable"):
        paths = store.paths(model)
        paths.releases.mkdir(parents=True)
    store.paths("torn").journal.write_text("{")
    store.paths("unreadable").journal.mkdir()
    ModelRepository(root=store.root).save("torn", overwrite=True)
    parameters = {"chat": "wire", "repository": "torn"}

    recover_run(train_register_reload, FlowRun(flow_id=uuid4(), name="x", parameters=parameters), Crashed(message="x"))

    (text,) = chat.texts()
    assert text.startswith("CRASHED: ")


@pytest.mark.parametrize("record", ["releases/best_model/current.json", "releases"])
def test_a_disk_that_cannot_be_read_hides_no_failure(api, live, chat, tmp_path, record):
    path = tmp_path / "repository" / record
    if record == "releases":
        path.parent.mkdir()
        path.touch()
    else:
        path.mkdir(parents=True)
    ModelRepository(root=tmp_path / "repository").save("unreadable", overwrite=True)

    state = train_register_reload(learner="irris", repository="unreadable", chat="wire", return_state=True)

    assert "no learner 'irris'" in state.message
    (text,) = chat.texts()
    assert "no learner 'irris'" in text


def page(api, key):
    body = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    return api.prefect("artifacts/filter", body)[0]["data"]


def test_a_rollback_from_the_shell_is_told_and_the_newest_page_says_what_serves_now(api, chat, monkeypatch):
    train_register_reload(params={"C": 2.0}, force=True)
    before = api.version()
    train_register_reload(params={"C": 3.0}, force=True)
    after = api.version()
    monkeypatch.setitem(api.environment, "INTERLOCK_CHAT_URL", f"{chat.url}/hook")

    done = api.interlock("rollback", "--version", str(before), "--reason", "3 a.m.")

    assert done.returncode == 0, done.stdout + done.stderr
    (text,) = chat.texts()
    assert text.startswith(f"ROLLED BACK: best_model A v{before} (run ")
    assert "3 a.m." in text
    assert f"v{after} is left behind" in text
    assert f"v{before} serves again" in page(api, "release-best-model-a")

    refused = api.interlock("rollback", "--version", str(after))
    assert refused.returncode != 0
    assert "; --force goes back to it all the same" in refused.stderr
    assert "force=" not in refused.stderr
    assert chat.texts()[-1].startswith("ROLLBACK FAILED: best_model A: ")


def test_the_engines_that_are_enrolled_are_listed_and_the_last_one_stays(api, live):
    listed = api.interlock("engines")
    (control,) = api.settings.serving_control
    row = next(line.split() for line in listed.stdout.splitlines() if "serving-api/dev" in line)
    assert row[:5] == ["best_model", "A", f"v{api.version()}", "serving-api/dev", control]
    assert "repository" in listed.stderr
    (variant, *_) = json.loads(api.interlock("engines", "--json").stdout)
    assert control in [url for engine in variant["engines"] for url in engine["urls"]]

    train_register_reload(params={"C": 3.0}, alias="E", force=True)  # others may have enrolled a second engine for A
    kept = api.interlock("engines", "--remove", "serving-api/dev")
    assert kept.returncode != 0
    assert "is the last engine of best_model" in kept.stderr
    assert "--force leaves it out all the same" in kept.stderr


def test_the_stack_ships_the_automation_that_crashes_runs_without_a_heartbeat(api):
    (made,) = [a for a in api.prefect("automations/filter", {}) if a["name"] == "interlock dev: runs that fell silent"]

    assert made["enabled"]
    assert made["actions"][0]["state"] == "CRASHED"
