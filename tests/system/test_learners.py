"""Each learner that is shipped goes through the real stack: trained, logged, gated, registered, proven, live, asked."""

import httpx
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from world.models import TOKEN, served

from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from flows.train_register_reload import train_register_reload
from interlock.store import Store

CASES = {
    "diabetes": load_diabetes(as_frame=True, scaled=False).data.iloc[0].to_dict(),
    "messages": {"message": "Bitte senden Sie das Geld zurück, Zoë", "language": "fr"},
    "cancer": load_breast_cancer(as_frame=True).data.iloc[0].to_dict(),
}
PICTURES = {
    "diabetes": {"predicted_against_true.png", "residuals.png"},
    "messages": {"confusion_matrix.png", "roc.png", "precision_recall.png", "calibration.png"},
    "cancer": {"confusion_matrix.png", "roc.png", "precision_recall.png", "calibration.png"},
}


@pytest.fixture(params=CASES)
def learner(request, api, tmp_path):
    """A serving app of its own that follows the learner's model, and the blocks that lead there."""
    if request.param == "cancer":
        pytest.importorskip("xgboost", reason="the extra `boosting` is not installed")
    store = Store(tmp_path / "repository")
    with served(store, model=request.param) as url:
        ModelRepository(root=store.root).save("shipped", overwrite=True)
        ServingApi(urls=[url], token=TOKEN).save("shipped", overwrite=True)
        yield request.param, url


def test_it_goes_live_by_its_own_gate_and_answers(learner, api):
    name, url = learner

    state = train_register_reload(
        learner=name, model=name, repository="shipped", serving="shipped", force=True, return_state=True
    )

    assert state.is_completed(), state.message
    answer = httpx.post(f"{url}/predict", json={"customer_id": 1, "features": CASES[name]}, timeout=5).json()
    assert answer["version"] >= 1
    if name == "diabetes":
        assert 100 < answer["predict"] < 300
        assert answer["confidence"] is None
    else:
        assert answer["predict"] == {"messages": "refund", "cancer": "malignant"}[name]
        assert 0.3 < answer["confidence"] <= 1


def test_its_pictures_are_in_mlflow(learner, api):
    name, _ = learner
    train_register_reload(learner=name, model=name, repository="shipped", serving="shipped", release=False)

    mlflow = f"{api.settings.mlflow}/api/2.0/mlflow"
    body = {"filter": f"tags.learner = '{name}'", "experiment_ids": [str(n) for n in range(20)], "max_results": 1}
    (run,) = httpx.post(f"{mlflow}/runs/search", json=body).json()["runs"]
    files = httpx.get(f"{mlflow}/artifacts/list", params={"run_id": run["info"]["run_id"]}).json()["files"]
    assert {file["path"] for file in files} >= {*PICTURES[name], "manifest.json", "onnx"}
