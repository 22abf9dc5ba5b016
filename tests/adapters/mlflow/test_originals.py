"""A model that somebody else logged is found by its address and fetched as data, within bounds."""

import pytest
from support.wire import wire

from interlock.adapters.mlflow import originals
from interlock.adapters.mlflow.originals import MlflowOriginals
from interlock.errors import NotFound, Refused

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
MODEL_ID = "m-" + "a" * 32
RUN_ID = "b" * 32
PLACE = f"1/models/{MODEL_ID}/artifacts"


@pytest.fixture
def mlflow():
    with wire() as told:
        version = {"model_version": {"version": "3", "source": f"models:/{MODEL_ID}", "run_id": RUN_ID}}
        logged = {"info": {"model_id": MODEL_ID, "name": "model", "artifact_uri": f"mlflow-artifacts:/{PLACE}"}}
        run = {"run": {"info": {"experiment_id": "1", "artifact_uri": f"mlflow-artifacts:/1/{RUN_ID}/artifacts"}}}
        told.answers[f"GET {API}/model-versions/get"] = lambda _: (200, version)
        told.answers[f"GET {API}/registered-models/alias"] = lambda _: (200, version)
        told.answers[f"GET {API}/logged-models/{MODEL_ID}"] = lambda _: (200, {"model": logged})
        told.answers[f"GET {API}/runs/get"] = lambda _: (200, run)
        told.answers[f"POST {API}/logged-models/search"] = lambda _: (200, {"models": [logged]})
        yield told


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("models:/churn/3", "models:/churn/3"),
        ("models:/churn@champion", "models:/churn/3"),
        (f"runs:/{RUN_ID}", f"runs:/{RUN_ID}"),
        (f"runs:/{RUN_ID}/model", f"runs:/{RUN_ID}/model"),
    ],
)
def test_a_version_an_alias_and_a_run_lead_to_the_same_files(mlflow, address, found):
    original = MlflowOriginals(mlflow.url).find(address)

    assert (original.address, original.run_id, original.path) == (found, RUN_ID, PLACE)


@pytest.mark.parametrize("address", ["churn", "models:/churn", "models:/churn/latest", "runs:/x", "/tmp/model", ""])
def test_what_is_no_address_is_refused_with_the_forms_that_are(mlflow, address):
    with pytest.raises(Refused, match="write models:/<name>/<version>, models:/<name>@<alias>, runs:/<run id>"):
        MlflowOriginals(mlflow.url).find(address)
    assert mlflow.asked == []


def test_files_that_do_not_go_through_mlflow_are_refused_with_what_to_do(mlflow):
    version = {"model_version": {"version": "3", "source": "s3://bucket/model", "run_id": RUN_ID}}
    mlflow.answers[f"GET {API}/model-versions/get"] = lambda _: (200, version)

    with pytest.raises(Refused, match="kept at s3.*--artifacts-destination"):
        MlflowOriginals(mlflow.url).find("models:/churn/3")


def serve(mlflow, files):
    mlflow.answers[f"GET {FILES}"] = lambda _: (200, {"files": [{"path": name, "is_dir": False} for name in files]})
    for name, content in files.items():
        mlflow.answers[f"GET {FILES}/{PLACE}/{name}"] = lambda _, content=content: (200, content)


def test_its_files_are_copied(mlflow, tmp_path):
    serve(mlflow, {"MLmodel": b"flavors: {}", "model.skops": b"x"})
    client = MlflowOriginals(mlflow.url)

    client.fetch(client.find("models:/churn/3"), tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "MLmodel": b"flavors: {}",
        "model.skops": b"x",
    }


def test_too_many_files_too_many_bytes_and_none_are_refused(mlflow, tmp_path, monkeypatch):
    client = MlflowOriginals(mlflow.url)
    original = client.find("models:/churn/3")
    serve(mlflow, {})
    with pytest.raises(NotFound, match="there are no files"):
        client.fetch(original, tmp_path)

    monkeypatch.setattr(originals, "MOST_FILES", 2)
    serve(mlflow, dict.fromkeys("abc", b"x"))
    with pytest.raises(Refused, match="more than 2 files"):
        client.fetch(original, tmp_path)


def test_a_name_that_leads_outside_is_never_written(mlflow, tmp_path):
    serve(mlflow, {"..": b"x"})
    client = MlflowOriginals(mlflow.url)

    with pytest.raises(Refused, match="lies outside of it"):
        client.fetch(client.find("models:/churn/3"), tmp_path / "inside")
    assert not (tmp_path / "x").exists()
