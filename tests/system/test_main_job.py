"""The main job through a real worker: train, gate, register, prove, commit, swap under load."""

import json
import re
import time

import httpx
import pytest

from demos.load import Load, confidence_of


def deploy(stack, **parameters):
    passed = [word for name, value in parameters.items() for word in ("-p", f"{name}={json.dumps(value)}")]
    name = f"test-{time.monotonic_ns()}"
    done = stack.run(
        "prefect", "deployment", "run", "train-register-reload/dev", *passed, "--flow-run-name", name, "--watch"
    )
    (run,) = stack.prefect("flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    return done.returncode, run


@pytest.fixture(scope="module")
def first(stack):
    """A version is released through `prefect deployment run` from a shell in which the printed line was run."""
    up = stack.interlock("up")
    line = next(line for line in up.stdout.splitlines() if "PREFECT_API_URL=" in line)
    assert stack.settings.prefect_login().get_secret_value() not in up.stdout
    told = stack.run("sh", "-c", f"unset PREFECT_API_AUTH_STRING; {line} && env").stdout.splitlines()
    stack.environment.update(word.split("=", 1) for word in told if word.startswith("PREFECT_API_"))
    code, run = deploy(stack, params={"C": 1.0})
    assert code == 0, run["state"]
    return run | {"version": stack.version()}


def mlflow(stack, path, **params):
    answer = httpx.get(f"{stack.settings.mlflow}/api/2.0/mlflow/{path}", params=params, timeout=5)
    return answer.raise_for_status().json()


def test_a_release_through_the_worker_serves(stack, first):
    info = stack.info()
    row = httpx.post(f"{stack.url}/predict", json=[[5.1, 3.5, 1.4, 0.2]]).json()

    assert first["state"]["name"] == "Completed"
    current = stack.store.current("best_model")
    assert f"best_model A: v{info['version']} serves" in first["state"]["message"]
    assert (info["version"], info["epoch"], info["live"]) == (current.version_of("A"), current.epoch, True)
    assert (row["prediction"], row["version"]) == ([0], info["version"])
    assert httpx.get(f"{stack.url}/readyz").status_code == 200


def test_mlflow_holds_everything_about_the_training(stack, first):
    run_id = stack.info()["run_id"]
    run = mlflow(stack, "runs/get", run_id=run_id)["run"]
    files = {f["path"] for f in mlflow(stack, "artifacts/list", run_id=run_id)["files"]}
    number = str(stack.version())
    version = mlflow(stack, "model-versions/get", name="best_model", version=number)["model_version"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}

    assert {p["key"]: p["value"] for p in run["data"]["params"]} == {"C": "1.0", "max_iter": "200"}
    assert {"accuracy", "f1_macro", "parity_worst_difference"} <= {m["key"] for m in run["data"]["metrics"]}
    assert files >= {"onnx", "manifest.json", "confusion_matrix.png"}
    assert run["info"]["status"] == "FINISHED"
    assert version["source"].startswith("models:/m-")
    assert tags["sha256"] == stack.info()["sha256"]
    assert tags["gate"] == "passed"
    assert mlflow(stack, "registered-models/alias", name="best_model", alias="A")["model_version"]["version"] == number


def test_the_prefect_ui_has_the_steps_the_logs_and_the_page_of_the_release(stack, first):
    tasks = stack.prefect("task_runs/filter", {"flow_runs": {"id": {"any_": [first["id"]]}}})
    logs = stack.prefect("logs/filter", {"logs": {"flow_run_id": {"any_": [first["id"]]}}})
    (page,) = stack.prefect("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [first["id"]]}}})

    names = {task["name"].rsplit("-", 1)[0] for task in tasks}
    assert names >= {"train", "log_run", "judge", "register", "snapshot", "materialize", "load", "ready", "smoke"}
    assert names >= {"commit", "switch", "confirm", "point_alias"}
    assert any("worst held-out row" in line["message"] for line in logs)
    assert page["key"] == "release-best-model-a"
    for promised in ("before", "after", "accuracy", "| smoke |", "golden rows"):
        assert promised in page["data"]


def test_the_next_version_is_swapped_in_under_load_and_a_bad_one_is_refused(stack, first):
    with Load(stack.url, rate=100) as load:
        _, second = deploy(stack, params={"C": 10.0})
        code, third = deploy(stack, params={"max_iter": 1})

    before, after = first["version"], stack.version()
    truth = {version: confidence_of(stack.url, version) for version in (before, after)}
    assert second["state"]["name"] == "Completed"
    assert load.tally.failures == {}
    assert load.tally.versions.keys() == {before, after}
    assert load.tally.mislabelled(truth) == 0
    assert (code, third["state"]["name"]) == (0, "Rejected")
    assert "accuracy 0.8421 is not above 0.9" in third["state"]["message"]
    assert f"v{after} serves" in third["state"]["message"]


def test_up_again_changes_nothing_and_status_is_content(stack, first):
    pids = stack.run("pgrep", "-f", str(stack.settings.home)).stdout

    assert stack.interlock("up").returncode == 0
    status = stack.interlock("status")

    assert status.returncode == 0, status.stdout
    for part in ("prefect", "mlflow", "serving", "worker", "reconcile"):
        assert re.search(rf"^{part} +running", status.stdout, re.MULTILINE)
    assert f"best_model A: v{stack.version()}" in status.stdout
    assert stack.run("pgrep", "-f", str(stack.settings.home)).stdout == pids


def test_a_second_stack_on_taken_ports_is_told_by_what(stack, first, tmp_path):
    other = {"INTERLOCK_HOME_FOLDER": str(tmp_path)}
    done = type(stack)(stack.settings, stack.environment | other).interlock("up")

    assert done.returncode != 0
    assert "INTERLOCK_PREFECT_PORT" in done.stderr
    assert "is taken by process" in done.stderr
