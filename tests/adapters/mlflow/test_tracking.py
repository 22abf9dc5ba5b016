"""Training runs against a wire; the real MLflow is in tests/system."""

import json
import os
from types import SimpleNamespace

import pytest
from support.wire import wire
from world.fakes import manifest_of
from world.models import iris

from interlock.adapters.mlflow import flavour as mlflow_flavour
from interlock.adapters.mlflow.tracking import MlflowTracking, metric_key
from interlock.errors import Refused, Unreachable

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts/1/run-1/artifacts"
EXPERIMENT = {"experiment_id": "1", "lifecycle_stage": "active", "artifact_location": "mlflow-artifacts:/1"}
RUN = {"run": {"info": {"run_id": "run-1", "artifact_uri": "mlflow-artifacts:/1/run-1/artifacts"}}}


@pytest.fixture
def mlflow():
    with wire() as told:
        experiment = {"experiment": EXPERIMENT}
        told.answers[f"POST {API}/experiments/set-experiment-tag"] = lambda _: (200, {})
        told.answers[f"GET {API}/experiments/get-by-name"] = lambda _: (200, experiment)
        told.answers[f"POST {API}/runs/search"] = lambda _: (200, {})
        told.answers[f"POST {API}/runs/create"] = lambda _: (200, RUN)
        told.answers[f"GET {API}/runs/get"] = lambda _: (200, RUN)
        for call in ("log-batch", "update"):
            told.answers[f"POST {API}/runs/{call}"] = lambda _: (200, {})
        for file in (
            "onnx/model.onnx",
            "manifest.json",
            "confusion_matrix.png",
            "roc.png",
            "precision_recall.png",
            "calibration.png",
        ):
            told.answers[f"PUT {FILES}/{file}"] = lambda _: (200, {})
        yield told


def tracking(told, **options) -> MlflowTracking:
    return MlflowTracking(told.url, "interlock", **options)


def asked(told, call: str):
    return [body for key, body in told.asked if key == call]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("recall@1", "recall_1"),
        ("f1 (macro)", "f1 _macro_"),
        ("a/b-c.d:e_f", "a/b-c.d:e_f"),
        ("größe", "gr__e"),
        ("", "_"),
    ],
)
def test_a_metric_has_a_name_that_mlflow_takes(name, key):
    assert metric_key(name) == key


def test_a_long_parameter_and_a_list_are_logged_and_the_manifest_keeps_them_whole(mlflow):
    params = {"hidden_layer_sizes": [32, 16], "words": "x" * 7000}
    manifest = iris().manifest("run-1").model_copy(update={"params": params})

    tracking(mlflow).log("run-1", SimpleNamespace(**vars(iris()), truth=iris().truth, manifest=lambda _: manifest))

    (logged,) = [body for body in asked(mlflow, f"POST {API}/runs/log-batch") if "params" in body]
    values = {one["key"]: one["value"] for one in logged["params"]}
    assert values["hidden_layer_sizes"] == "[32, 16]"
    assert len(values["words"]) == 6000
    (written,) = asked(mlflow, f"PUT {FILES}/manifest.json")
    assert json.loads(written)["params"] == params


def test_a_model_is_uploaded_and_its_manifest_last(mlflow):
    run = tracking(mlflow).log_files("run-1", b"onnx", manifest_of(1))

    assert [key for key, _ in mlflow.asked if key.startswith("PUT")] == [
        f"PUT {FILES}/onnx/model.onnx",
        f"PUT {FILES}/manifest.json",
    ]
    assert asked(mlflow, f"PUT {FILES}/onnx/model.onnx") == [b"onnx"]
    assert run.source == "mlflow-artifacts:/1/run-1/artifacts/onnx"


def test_a_retried_call_makes_no_second_run_and_other_bytes_have_a_run_of_their_own(mlflow):
    """A repeated training would otherwise overwrite the artifacts of a version that is registered."""
    assert tracking(mlflow).open_run("flow-1", "0" * 64) == "run-1"
    made = asked(mlflow, f"POST {API}/runs/create")[0]
    assert {tag["key"]: tag["value"] for tag in made["tags"]} == {"interlock.flow_run_id": "flow-1", "sha256": "0" * 64}

    mlflow.answers[f"POST {API}/runs/search"] = lambda _: (200, {"runs": [RUN["run"]]})
    assert tracking(mlflow).open_run("flow-1", "0" * 64) == "run-1"
    assert mlflow.count(f"POST {API}/runs/create") == 1
    assert "0" * 64 in asked(mlflow, f"POST {API}/runs/search")[0]["filter"]


def test_a_bad_parameter_is_refused_and_not_tried_again(mlflow):
    """It was told as "does not answer", and retried."""
    no = {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid metric name"}
    mlflow.answers[f"POST {API}/runs/log-batch"] = lambda _: (400, no)

    with pytest.raises(Refused, match="Invalid metric name"):
        tracking(mlflow).close_run("run-1", {"gate": "passed"})


@pytest.mark.parametrize("status", [0, 500, 503])
def test_only_what_nobody_answered_is_tried_again(mlflow, status):
    mlflow.answers[f"POST {API}/runs/log-batch"] = lambda _: (status, b"oh")

    with pytest.raises(Unreachable):
        tracking(mlflow).close_run("run-1", {"gate": "passed"})


def test_an_experiment_that_was_deleted_is_told_with_the_command_that_restores_it(mlflow):
    gone = {"experiment": EXPERIMENT | {"experiment_id": "7", "lifecycle_stage": "deleted"}}
    mlflow.answers[f"GET {API}/experiments/get-by-name"] = lambda _: (200, gone)

    with pytest.raises(Refused, match="mlflow experiments restore -x 7"):
        tracking(mlflow).open_run("key", "0" * 64)


def test_an_experiment_that_is_new_is_made_also_when_another_run_is_first(mlflow):
    answers = [(404, {}), (200, {"experiment": EXPERIMENT | {"experiment_id": "3"}})]
    mlflow.answers[f"GET {API}/experiments/get-by-name"] = lambda _: answers.pop(0)
    mlflow.answers[f"POST {API}/experiments/create"] = lambda _: (400, {"error_code": "RESOURCE_ALREADY_EXISTS"})

    tracking(mlflow).open_run("key", "0" * 64)

    assert asked(mlflow, f"POST {API}/runs/search")[0]["experiment_ids"] == ["3"]


def test_artifacts_that_mlflow_does_not_proxy_are_refused_before_anything_is_uploaded(mlflow):
    away = {"run": {"info": {"run_id": "run-1", "artifact_uri": "s3://bucket/1"}}}
    mlflow.answers[f"GET {API}/runs/get"] = lambda _: (200, away)

    with pytest.raises(Refused, match="--serve-artifacts"):
        tracking(mlflow).log_files("run-1", b"onnx", manifest_of(1))


def test_what_is_not_finite_is_logged_as_mlflow_reads_it(mlflow):
    odd = manifest_of(1).model_copy(update={"metrics": {"a": float("nan"), "b": float("inf"), "c": -float("inf")}})

    tracking(mlflow)._log_numbers("run-1", odd)

    values = [metric["value"] for metric in asked(mlflow, f"POST {API}/runs/log-batch")[0]["metrics"]]
    assert values == ["NaN", "Infinity", "-Infinity"]


def test_logging_a_training_leaves_the_users_environment_alone(mlflow, monkeypatch):
    """User, password and limits of the block were written over what the user had set."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "mine")
    monkeypatch.setattr(mlflow_flavour, "LONGEST_S", 0.01)  # its client is not what this is about
    before = dict(os.environ)

    logged = tracking(mlflow, auth=("theirs", "secret")).log("run-1", iris(1.0))

    assert dict(os.environ) == before
    assert logged.model_id is None
    assert mlflow.count(f"PUT {FILES}/manifest.json") == 1


def test_a_password_is_not_shown(mlflow):
    client = tracking(mlflow, auth=("user", "hunter2"))
    flavour = mlflow_flavour.Flavour(mlflow.url, ("user", "hunter2"), "run-1", None, [])

    assert "hunter2" not in f"{client!r}{flavour!r}"
