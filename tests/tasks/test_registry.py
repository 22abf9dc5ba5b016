"""What a flow asks of the registry: by the real client, against a wire."""

import pytest
from support.wire import wire
from world.fakes import candidate_of, manifest_of, onnx_of

from blocks.mlflow_registry import MlflowRegistry
from interlock.errors import DigestMismatch, InvalidName
from tasks.registry import champion, resolve

API = "/api/2.0/mlflow"
ONNX = "GET /api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts/onnx/model.onnx"
RUN = {"run": {"info": {"artifact_uri": "mlflow-artifacts:/1/abc/artifacts"}}}


@pytest.fixture
def mlflow():
    """The alias names v2; what is live is decided elsewhere."""
    with wire() as told:
        named = {"model_version": {"name": "best_model", "version": "2", "run_id": "run-2"}}
        told.answers[f"GET {API}/registered-models/alias"] = lambda _: (200, named)
        told.answers[f"GET {API}/runs/get"] = lambda _: (200, RUN)
        yield told


def registry(told) -> MlflowRegistry:
    return MlflowRegistry(url=told.url, timeout_s=2)


@pytest.mark.parametrize("version", [0, -1, 2**31])
def test_a_version_that_is_none_is_refused_and_not_taken_for_the_alias(mlflow, version):
    with pytest.raises(InvalidName):
        resolve.fn(registry(mlflow), "best_model", "A", version)
    assert mlflow.asked == []


def test_the_champion_is_what_is_live_and_not_what_the_alias_names(mlflow, world, release):
    release(1)

    assert champion.fn(registry(mlflow), world.store, "best_model", "A", compare=True).onnx == onnx_of(1)
    assert mlflow.asked == []


def test_nothing_live_is_no_champion(mlflow, world, release):
    assert champion.fn(registry(mlflow), world.store, "best_model", "A", compare=True) is None
    release(1)
    assert champion.fn(registry(mlflow), world.store, "best_model", "A", compare=False) is None


def test_a_champion_whose_bytes_are_damaged_is_fetched_and_checked(mlflow, world, release):
    release(1)
    world.store.paths("best_model").onnx(1).write_bytes(b"damaged")

    mlflow.answers[ONNX] = lambda _: (200, onnx_of(1))
    assert champion.fn(registry(mlflow), world.store, "best_model", "A", compare=True).onnx == onnx_of(1)

    mlflow.answers[ONNX] = lambda _: (200, onnx_of(2))
    with pytest.raises(DigestMismatch, match=f"{manifest_of(2).sha256[:12]}.*{candidate_of(1).sha256[:12]}"):
        champion.fn(registry(mlflow), world.store, "best_model", "A", compare=True)
