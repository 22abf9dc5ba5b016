"""What an operator does on the real stack: go back, through the worker and without Prefect, and look."""

import json

import httpx
import pytest

from flows.manual_rollback import manual_rollback
from flows.reconcile import reconcile
from flows.train_register_reload import train_register_reload


@pytest.fixture
def two(api):
    """Two versions, the second one live."""
    train_register_reload(params={"C": 2.0}, force=True)
    before = api.version()
    train_register_reload(params={"C": 3.0}, force=True)
    return before, api.version()


def artifact(api, key):
    body = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    return api.prefect("artifacts/filter", body)[0]["data"]


def test_a_rollback_from_the_command_line_goes_through_the_worker(two, api, monkeypatch):
    before, after = two
    monkeypatch.setitem(api.environment, "PREFECT_API_URL", api.settings.prefect_api)
    command = ["prefect", "deployment", "run", "manual-rollback/dev", "-p", f"version={before}", "-p", "alias=A"]

    done = api.run(*command, "-p", "reason=customers complain", "--watch")

    assert done.returncode == 0, done.stdout + done.stderr
    assert api.version() == before
    assert f"v{before} serves again" in artifact(api, "release-best-model-a")
    newest = json.loads(api.interlock("history", "--json").stdout)["decisions"][-1]
    assert (newest["kind"], newest["before"], newest["after"]) == ("rollback", after, before)
    assert (newest["who"], newest["why"]) == ("flow manual-rollback", "customers complain")
    (row,) = [line for line in api.interlock("history").stdout.splitlines() if line.startswith(f"{newest['epoch']} ")]
    assert f"v{after} -> v{before}" in row
    assert "customers complain" in row


def test_what_was_left_behind_is_refused_also_when_it_is_trained_anew(two, api):
    """The same data and parameters make the same bytes under a new number."""
    before, after = two
    manual_rollback(version=before)

    state = train_register_reload(params={"C": 3.0}, return_state=True)

    assert state.is_failed()
    assert f"holds bytes that failed before (v{after}" in state.message
    assert api.version() == before


def test_going_back_to_what_serves_is_refused_quietly(two, api):
    state = manual_rollback(version=two[1], return_state=True)

    assert (state.name, state.is_completed()) == ("AlreadyLive", True)
    assert api.version() == two[1]


def test_a_version_that_is_nowhere_gets_a_clear_no(two, api):
    state = manual_rollback(version=999_999, return_state=True)

    assert state.is_failed()
    assert "v999999 is not in the model repository" in state.message
    assert f"v{two[1]} serves" in state.message


def test_the_command_needs_neither_prefect_nor_mlflow(two, api, free_port, monkeypatch):
    before, _ = two
    nowhere = f"http://127.0.0.1:{free_port}"
    monkeypatch.setitem(api.environment, "INTERLOCK_MLFLOW_URL", nowhere)
    monkeypatch.setitem(api.environment, "PREFECT_API_URL", nowhere)

    done = api.interlock("rollback", "--version", str(before), "--reason", "3 a.m.")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"v{before} serves (completed; alias A pending)" in done.stdout
    assert api.version() == before

    monkeypatch.undo()
    assert api.interlock("reconcile").returncode == 0
    assert api.registry.alias("best_model", "A") == before


def test_status_tells_the_truth_of_each_replica_and_is_red_when_something_disagrees(two, api):
    _, after = two
    told = api.interlock("status")
    assert told.returncode == 0, told.stdout
    assert f"serving-api/dev {api.settings.serving_control[0]}: v{after}" in told.stdout
    assert f"alias A in MLflow: v{after}, agrees" in told.stdout

    api.registry.set_alias("best_model", "A", two[0])
    red = api.interlock("status")

    assert red.returncode == 1
    assert f"! alias A is moved by hand (names {two[0]}, decided {after})" in red.stdout
    state = reconcile(policy="restore", return_state=True)
    assert state.name == "Mended"
    assert api.registry.alias("best_model", "A") == after
    assert reconcile(return_state=True).name == "Agrees"


def test_the_serving_app_names_the_version_that_it_went_back_to(two, api):
    before, _ = two
    manual_rollback()

    answer = httpx.post(f"{api.url}/predict", json=[[5.1, 3.5, 1.4, 0.2]], timeout=5).json()
    assert answer["version"] == before
