"""One contract, held by the fake MLflow of the fault tests and by the real one: what the registry's client hears."""

from uuid import uuid4

import httpx
import pytest
from world.fake_mlflow import fake_mlflow

from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.errors import NotFound, Refused

SHA256 = "0" * 64


@pytest.fixture(params=["fake", "real"])
def mlflow(request):
    """A server, and a training run on it with its files."""
    if request.param == "fake":
        with fake_mlflow() as fake:
            yield fake.url
    else:
        yield request.getfixturevalue("stack").settings.mlflow


@pytest.fixture
def model():
    return f"contract_{uuid4().hex[:8]}"


@pytest.fixture
def run(request, mlflow):
    """A run's id and where its artifacts are: the fake takes any name of a run, the real one makes one."""
    if request.node.callspec.params["mlflow"] == "fake":
        return "run-1", "mlflow-artifacts:/1/run-1/artifacts"
    made = httpx.post(f"{mlflow}/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).raise_for_status()
    info = made.json()["run"]["info"]
    return info["run_id"], info["artifact_uri"]


def registration(model: str, run: tuple[str, str]) -> Registration:
    run_id, artifacts = run
    return Registration(model, run_id, f"{artifacts}/onnx", None, {"sha256": SHA256})


def test_one_run_is_one_version_and_carries_its_digest(mlflow, model, run):
    registry = MlflowRegistry(mlflow)

    assert registry.register(registration(model, run)) == registry.register(registration(model, run)) == 1
    assert registry.candidate(model, "A", 1).sha256 == SHA256
    with pytest.raises(NotFound):
        registry.candidate(model, "A", 2)


def test_an_alias_is_set_over_and_removed_twice(mlflow, model, run):
    registry = MlflowRegistry(mlflow)
    assert registry.alias(model, "A") is None
    registry.register(registration(model, run))
    assert registry.alias(model, "A") is None

    registry.set_alias(model, "A", 1)
    registry.set_alias(model, "A", 1)
    assert registry.alias(model, "A") == 1
    with pytest.raises(Refused):
        registry.set_alias(model, "A", 7)

    registry.delete_alias(model, "A")
    registry.delete_alias(model, "A")
    assert registry.alias(model, "A") is None


def test_an_artifact_that_is_not_there_is_not_found(mlflow, model, run, tmp_path):
    registry = MlflowRegistry(mlflow)
    registry.register(registration(model, run))

    with pytest.raises(NotFound):
        registry.fetch(registry.candidate(model, "A", 1), "manifest.json", tmp_path / "manifest.json")
