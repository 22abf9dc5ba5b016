"""Whatever kind a model is of, the app answers what the fitted model itself answers, in the words of the data."""

import pytest
from starlette.testclient import TestClient
from world.kinds import KINDS, assert_same
from world.models import decide, put, settings_of

from interlock.serving.app import create_app
from interlock.store import Store


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def client(kind, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("kind") / "repository")
    put(store, 1, kind.trained())
    decide(store, "A", 1)
    with TestClient(create_app(settings_of(store)), raise_server_exceptions=False) as client:
        yield client


def test_rows_by_name_get_what_the_fitted_model_answers(kind, client):
    answer = client.post("/predict", json={"rows": kind.rows})

    assert answer.status_code == 200, answer.json()
    assert_same(answer.json()["prediction"], kind.expected())


def test_lists_get_the_same_as_rows_by_name(kind, client):
    lists = [[row[column.name] for column in kind.trained().signature.columns] for row in kind.rows]

    assert_same(client.post("/predict", json=lists).json()["prediction"], kind.expected())


def test_records_get_the_same_and_a_target_by_its_name(kind, client):
    records = [{"customer_id": n, "features": row} for n, row in enumerate(kind.rows)]

    answers = client.post("/predict", json=records).json()

    expected = kind.expected()
    if len(kind.trained().signature.targets) > 1:
        expected = [dict(zip(kind.trained().signature.targets, row, strict=True)) for row in expected]
    assert_same([answer["predict"] for answer in answers], expected)


def test_there_is_a_confidence_where_there_are_probabilities_of_one_class(kind, client):
    signature = kind.trained().signature
    answer = client.post("/predict", json={"rows": kind.rows}).json()

    has_one = signature.task == "classification" and signature.numbers.role == "probabilities"
    assert all((0 < confidence <= 1) if has_one else (confidence is None) for confidence in answer["confidence"])


def test_probabilities_or_scores_come_if_asked_for_and_a_regression_says_that_it_has_none(kind, client):
    signature = kind.trained().signature
    answer = client.post("/predict", json={"rows": kind.rows, "probabilities": True})

    if signature.task == "regression":
        assert answer.status_code == 422
        assert "neither probabilities nor scores" in answer.json()["message"]
    else:
        numbers = answer.json()[signature.numbers.role]
        assert [len(row) for row in numbers] == [signature.numbers.width] * len(kind.rows)


def test_metadata_says_what_the_model_takes_and_gives(kind, client):
    said, signature = client.get("/metadata").json(), kind.trained().signature

    assert said["task"] == signature.task
    assert [column["name"] for column in said["columns"]] == list(kind.rows[0])
    assert said["class_names"] == signature.class_names
    assert [output["role"] for output in said["outputs"]] == [output.role for output in signature.outputs]


def test_a_missing_cell_is_refused_where_the_data_never_missed_one(kind, client):
    for column in kind.trained().signature.columns:
        answer = client.post("/predict", json={"rows": [kind.rows[0] | {column.name: None}]})
        assert answer.status_code == (200 if column.nullable else 422), column
