"""A credit model from a table in PostgreSQL to typed predictions, and tables that it is not trained on."""

import httpx
import numpy as np
import pytest
from world.credit import FEATURES
from world.models import TOKEN, served
from world.postgres import DATABASES

from blocks.feature_store import FeatureStore
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from demos.credit_table import TABLE, credit_table
from flows.train_register_reload import train_register_reload
from interlock.adapters.feature_store import FeatureStore as Tables
from interlock.errors import InvalidTraining, NotFound, Unreachable
from interlock.stack.processes import BIN
from interlock.store import Store

PARAMETERS = {
    "learner": "credit_score",
    "params": {"iterations": 30},
    "threshold": 0.8,
    "model": "credit",
    "repository": "credit",
    "serving": "credit",
    "feature_store": "credit",
}


@pytest.fixture
def app(api, tmp_path):
    """A serving app of its own that follows the model `credit`, and the blocks that lead there."""
    store = Store(tmp_path / "repository")
    with served(store, model="credit") as url:
        ModelRepository(root=store.root).save("credit", overwrite=True)
        ServingApi(urls=[url], token=TOKEN).save("credit", overwrite=True)
        yield url


def seed(url, table):
    Tables(url).replace(TABLE, table)
    FeatureStore(url=url).save("credit", overwrite=True)


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_table_becomes_typed_predictions(app, database):
    seed(database, credit_table(4000))

    train_register_reload(**PARAMETERS)

    answer = httpx.post(f"{app}/predict", json={"customer_id": "C-1", "features": FEATURES | {"annual_income": None}})
    assert answer.json()["predict"] in ("Poor", "Standard", "Good")
    assert httpx.get(f"{app}/metadata").json()["params"]["iterations"] == 30


def runs(api) -> int:
    body = {"filter": "tags.learner = 'credit_score'", "experiment_ids": [str(n) for n in range(10)]}
    return len(httpx.post(f"{api.settings.mlflow}/api/2.0/mlflow/runs/search", json=body).json().get("runs", []))


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda t: {k: v[:0] for k, v in t.items()}, InvalidTraining, "no rows"),
        (lambda t: {k.replace("loans", "credits"): v for k, v in t.items()}, InvalidTraining, "no column loans"),
        (
            lambda t: t | {"occupation": np.full(500, None)},
            InvalidTraining,
            "column occupation: there is not a single value",
        ),
        (lambda t: t | {"credit_score": np.full(500, "Poor", dtype=object)}, InvalidTraining, "Standard.*Good"),
        (lambda t: {"customer_id": t["customer_id"]}, InvalidTraining, "no column age"),
    ],
)
def test_a_table_that_cannot_be_trained_on_ends_the_run_before_anything_is_written(
    app, api, tmp_path, spoil, error, says
):
    seed(f"sqlite:///{tmp_path}/features.db", spoil(credit_table(500)))
    before = runs(api)

    with pytest.raises(error, match=f"{says}.*nothing serves"):
        train_register_reload(**PARAMETERS)

    assert runs(api) == before


def test_a_feature_store_without_the_table_or_away_ends_the_run(app, api, tmp_path):
    for url, error in (
        (f"sqlite:///{tmp_path}/none.db", NotFound),
        ("postgresql+psycopg://user:hunter2@127.0.0.1:1/d", Unreachable),
    ):
        FeatureStore(url=url).save("credit", overwrite=True)
        with pytest.raises(error) as refused:
            train_register_reload(**PARAMETERS)
        assert "hunter2" not in str(refused.value)


def test_seed_credit_fills_the_stacks_feature_store(stack):
    done = stack.run(f"{BIN}/python", "-m", "demos", "seed-credit", "--rows", "300", "--seed", "5")

    assert done.returncode == 0, done.stderr
    table = Tables(stack.settings.feature_store.get_secret_value()).read(f"SELECT * FROM {TABLE}")
    np.testing.assert_array_equal(table["annual_income"].astype(float), credit_table(300, 5)["annual_income"])
