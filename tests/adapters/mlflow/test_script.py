"""One call in a training script: what it logs is proven, and what is wrong is said before anything is logged."""

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression
from world.kinds import diabetes, flowers, of_people, people, species

import interlock
from interlock.errors import InvalidName, InvalidTraining, Refused
from interlock.model.manifest import Manifest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # MLflow's own client, which warns as it likes


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = mlflow.create_experiment(tmp_path.name, artifact_location=str(tmp_path / "artifacts"))
    with mlflow.start_run(experiment_id=experiment) as run:
        yield run


def manifest(run) -> Manifest:
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="manifest.json")
    return Manifest.model_validate_json(open(path).read())  # noqa: PTH123


def test_a_fitted_model_is_logged_with_its_proof_and_registered(run, place):
    frame = flowers().assign(species=species(["no", "maybe", "yes"]))
    model = LogisticRegression(max_iter=500).fit(flowers().iloc[::2], frame["species"].iloc[::2])

    logged = interlock.log_model(model, frame.iloc[1::2], "species", registered_model_name="flowers")

    made = manifest(run)
    assert (made.sha256, made.signature.labels, made.run_id) == (logged.sha256, ["maybe", "no", "yes"], run.info.run_id)
    assert made.metrics["accuracy"] > 0.9
    version = MlflowClient(place).get_model_version("flowers", str(logged.version))
    assert (version.tags["sha256"], version.tags["gate"]) == (logged.sha256, "script")
    assert MlflowClient(place).get_run(run.info.run_id).data.metrics["accuracy"] == made.metrics["accuracy"]


def test_texts_flags_and_missing_cells_and_a_regression_too(run):
    frame = people().fillna({"job": ""})
    model = of_people().fit(frame.drop(columns="answer"), frame["answer"])

    assert interlock.log_model(model, frame.tail(200), "answer").signature.task == "classification"
    regression = LinearRegression().fit(diabetes().drop(columns="target"), diabetes()["target"])
    assert interlock.log_model(regression, diabetes(), "target", task="regression").metrics["r2"] > 0.4


def test_an_onnx_is_logged_as_it_is(run):
    frame = flowers().assign(species=species(["a", "b", "c"]))
    model = LogisticRegression(max_iter=500).fit(flowers().astype(np.float32), frame["species"])
    onnx = to_onnx(model, flowers().to_numpy(dtype=np.float32)[:1])

    for given in (onnx, onnx.SerializeToString()):
        logged = interlock.log_model(given, frame, "species")
        assert (logged.signature.labels, logged.version) == (["a", "b", "c"], None)
        assert logged.metrics["accuracy"] > 0.9


def test_a_wrong_call_logs_nothing(run, place):
    frame = flowers().assign(species=species(["a", "b", "c"]))
    model = LogisticRegression(max_iter=500).fit(flowers(), frame["species"])

    with pytest.raises(InvalidTraining, match="no column spezies to predict"):
        interlock.log_model(model, frame, "spezies")
    with pytest.raises(InvalidTraining, match="the model answers the classes .* the rows have"):
        interlock.log_model(model, frame.head(60), "species")
    with pytest.raises(InvalidName):
        interlock.log_model(model, frame, "species", registered_model_name="../up")
    assert MlflowClient(place).list_artifacts(run.info.run_id) == []


def test_without_a_run_it_says_where_to_call_it(place):
    with pytest.raises(Refused, match="call log_model inside of `with mlflow.start_run\\(\\):`"):
        interlock.log_model(LogisticRegression(), flowers(), "x")
