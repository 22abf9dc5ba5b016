"""Models that somebody else trained go live on the real stack: adopted from MLflow, or logged by one's own script."""

import json
import sys

import httpx
import mlflow
import pytest
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from world.kinds import flowers, species

from flows.adopt import adopt
from flows.train_register_reload import train_register_reload

NAMES = ["setosa", "versicolor", "virginica"]
ROW = {"sepal_length": 6.5, "sepal_width": 3.0, "petal_length": 5.5, "petal_width": 2.0}


@pytest.fixture
def tracked(api, monkeypatch):
    """MLflow's own client, as another team uses it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", api.settings.mlflow)
    mlflow.set_tracking_uri(api.settings.mlflow)
    mlflow.set_experiment("another team")
    return MlflowClient()


def logged(model, name: str, **more) -> str:
    given = {"input_example": flowers().head(5), "pip_requirements": ["scikit-learn"], "registered_model_name": name}
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(model, name="model", **given | more)
    return f"models:/{name}/{info.registered_model_version}"


def answer(api):
    return httpx.post(f"{api.url}/predict", json={"rows": [ROW]}, timeout=5).json()


@pytest.fixture
def live(api):
    """An iris that Interlock trained."""
    train_register_reload(params={"C": 4.0}, force=True, new_contract=True)
    return api.version()


def test_a_registered_model_of_another_team_is_proven_registered_with_its_lineage_and_live(api, tracked, live):
    forest = RandomForestClassifier(7, random_state=1).fit(flowers(), load_iris().target)
    source = logged(forest, "theirs", skops_trusted_types=["sklearn.tree._tree.Tree"])

    state = adopt(source, class_names=NAMES, return_state=True)

    assert state.is_completed(), state.message
    assert f"adopted from {source}: the ONNX answers as the original" in state.message
    assert api.version() > live
    assert answer(api)["prediction"] == forest.predict(flowers().iloc[:1].assign(**ROW)).tolist()
    version = tracked.get_model_version("best_model", str(api.version()))
    assert (version.tags["adopted_from"], version.tags["gate"]) == (source, "adopted")
    assert tracked.get_run(version.tags["original_run"]).info.run_id


def test_another_contract_is_refused_with_what_changed_and_released_if_it_is_wanted(api, tracked, live):
    source = logged(LogisticRegression(max_iter=500).fit(flowers(), species(["x", "y", "z"])), "renamed")

    refused = adopt(source, return_state=True)
    assert refused.is_failed()
    assert "it answers a new class x" in refused.message
    assert "it does not answer the class setosa any more" in refused.message
    assert "new_contract=true releases it all the same" in refused.message
    assert api.version() == live

    released = adopt(source, new_contract=True, return_state=True)
    assert released.is_completed(), released.message
    assert "new contract: it answers a new class x" in released.message
    assert answer(api)["prediction"] == ["z"]
    newest = json.loads(api.interlock("history", "--json").stdout)["decisions"][-1]
    assert "new contract: it answers a new class x" in newest["why"]

    back = api.interlock("rollback", "--version", str(live), "--reason", "clients did not know")
    assert back.returncode == 0, back.stderr
    assert answer(api)["prediction"] == [2]
    assert api.interlock("status").returncode == 0


def test_both_contracts_can_be_read_while_both_versions_are_in_memory(api, tracked, live):
    source = logged(LogisticRegression(C=0.5, max_iter=500).fit(flowers(), species(["p", "q", "r"])), "again")
    adopt(source, new_contract=True)

    now = httpx.get(f"{api.url}/metadata", timeout=5).json()
    before = httpx.get(f"{api.url}/metadata", headers={"x-version": str(live)}, timeout=5).json()

    assert (now["class_names"], before["class_names"]) == (["p", "q", "r"], NAMES)


def test_a_pickle_is_refused_by_the_sentence_that_says_why(api, tracked, live):
    source = logged(LogisticRegression().fit(flowers(), load_iris().target), "pickled", serialization_format="pickle")

    state = adopt(source, return_state=True)

    assert state.is_failed()
    assert "is a pickle: loading it runs whatever code its maker put into it" in state.message
    assert api.version() == live


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("theirs/1", "no address of a model in MLflow; write models:/"),
        ("models:/nobody/1", "nobody"),
        ("models:/nobody@champion", "nobody"),
        ("runs:/" + "0" * 32, "0" * 32),
    ],
)
def test_a_wrong_address_is_said_in_a_sentence(api, tracked, source, says):
    state = adopt(source, return_state=True)

    assert state.is_failed()
    assert says in state.message
    assert "Traceback" not in state.message


def test_a_task_that_is_none_is_said_before_anything_is_fetched(api, tracked):
    state = adopt("models:/theirs/1", task="clasification", return_state=True)

    assert state.is_failed()
    assert "task: 'clasification' is none; say classification, regression, multilabel" in state.message


def test_the_command_adopts_without_prefect(api, tracked):
    source = logged(LogisticRegression(C=0.7, max_iter=500).fit(flowers(), load_iris().target), "by_command")

    done = api.interlock("adopt", source, "--model", "by_command_too", "--json")

    assert done.returncode == 0, done.stderr
    candidate = json.loads(done.stdout)
    assert tracked.get_model_version("by_command_too", str(candidate["version"])).tags["adopted_from"] == source
    wrong = api.interlock("adopt", "by_command")
    assert wrong.returncode == 1
    assert "write models:/<name>/<version>" in wrong.stderr
    assert "Traceback" not in wrong.stderr


SCRIPT = """
import mlflow
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

import interlock

frame = load_iris(as_frame=True).frame.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
seen, held_out = train_test_split(frame, random_state=0)
model = XGBClassifier(n_estimators=20).fit(seen.drop(columns="target"), seen["target"])
with mlflow.start_run():
    logged = interlock.log_model(model, held_out, "target", class_names=["setosa", "versicolor", "virginica"],
        registered_model_name="best_model")
print(logged.version)
"""


def test_a_script_of_ones_own_logs_a_version_that_is_released_by_its_number(api, tracked, live, tmp_path, monkeypatch):
    pytest.importorskip("xgboost", reason="the extra `boosting` is not installed")
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.setitem(api.environment, "MLFLOW_TRACKING_URI", api.settings.mlflow)
    done = api.run(sys.executable, str(tmp_path / "train.py"))
    assert done.returncode == 0, done.stderr
    version = int(done.stdout.split()[-1])

    state = train_register_reload(version=version, return_state=True)

    assert state.is_completed(), state.message
    assert api.version() == version > live
    assert answer(api)["prediction"] == [2]
