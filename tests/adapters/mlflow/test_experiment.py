"""What would stop a release after a training is refused before it. The real MLflow is in tests/system."""

import pytest
from support.wire import wire

from interlock.adapters.mlflow.experiment import MlflowExperiment
from interlock.errors import Refused, Unreachable

API = "/api/2.0/mlflow/experiments"
FOUND, MADE, TAGGED = f"GET {API}/get-by-name", f"POST {API}/create", f"POST {API}/set-experiment-tag"
READY = {"experiment_id": "7", "artifact_location": "mlflow-artifacts:/7", "lifecycle_stage": "active"}


@pytest.fixture
def mlflow():
    with wire() as told:
        told.answers[FOUND] = lambda _: (200, {"experiment": READY})
        told.answers[TAGGED] = lambda _: (200, {})
        yield told


def ready(told) -> str:
    return MlflowExperiment(told.url, "interlock", timeout_s=0.5).ready()


def test_an_experiment_that_is_fit_is_found_and_can_be_written(mlflow):
    assert ready(mlflow) == "7"
    assert [key for key, _ in mlflow.asked] == [FOUND, TAGGED]


def test_an_experiment_that_is_not_there_is_made(mlflow):
    there = []
    mlflow.answers[FOUND] = lambda _: (200, {"experiment": READY}) if there else (404, {})
    mlflow.answers[MADE] = lambda body: (there.append(body), (200, {"experiment_id": "7"}))[1]

    assert ready(mlflow) == "7"
    assert there == [{"name": "interlock"}]


def test_an_experiment_that_another_run_makes_meanwhile_is_taken(mlflow):
    there = []
    mlflow.answers[FOUND] = lambda _: (200, {"experiment": READY}) if there else (404, {})
    mlflow.answers[MADE] = lambda _: (there.append(1), (400, {"message": "already exists"}))[1]

    assert ready(mlflow) == "7"


def test_a_deleted_experiment_is_named_with_the_command_that_restores_it(mlflow):
    mlflow.answers[FOUND] = lambda _: (200, {"experiment": READY | {"lifecycle_stage": "deleted"}})

    with pytest.raises(
        Refused, match=r"interlock was deleted.* `MLFLOW_TRACKING_URI=http.* mlflow experiments restore"
    ):
        ready(mlflow)


@pytest.mark.parametrize("where", ["s3://bucket/7", "/var/mlruns/7", "file:///var/mlruns/7", ""])
def test_artifacts_that_do_not_go_through_mlflow_are_refused(mlflow, where):
    mlflow.answers[FOUND] = lambda _: (200, {"experiment": READY | {"artifact_location": where}})

    with pytest.raises(Refused, match="keeps its artifacts at .* --artifacts-destination"):
        ready(mlflow)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("call", [FOUND, MADE, TAGGED])
def test_a_login_that_is_not_enough_is_told_with_the_variables_that_hold_it(mlflow, call, status):
    """As behind a proxy that wants a token, or with a user who may only read."""
    if call == MADE:
        mlflow.answers[FOUND] = lambda _: (404, {})
    mlflow.answers[call] = lambda _: (status, {"message": "no"})

    with pytest.raises(Refused, match=f"answers {status} .*INTERLOCK_MLFLOW_USERNAME, .*never with a token"):
        ready(mlflow)


def test_an_mlflow_that_is_away_is_worth_a_retry(free_port):
    with pytest.raises(Unreachable):
        MlflowExperiment(f"http://127.0.0.1:{free_port}", "interlock").ready()
