"""Typed predictions: records by column name, checked against the manifest."""

import time

import pytest
from starlette.testclient import TestClient
from world.credit import FEATURES, credit
from world.models import ROW, decide, put, settings_of

from interlock.serving.app import create_app
from interlock.store import Store

RECORD = {"customer_id": "C-1", "features": FEATURES}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The app serves a credit model."""
    store = Store(tmp_path_factory.mktemp("credit") / "repository")
    put(store, 1, credit())
    decide(store, "A", 1)
    with TestClient(create_app(settings_of(store)), raise_server_exceptions=False) as client:
        yield client


def record(customer_id="C-1", **change):
    return {"customer_id": customer_id, "features": FEATURES | change}


def test_a_record_gets_its_class_by_name_the_confidence_and_the_version(client):
    answer = client.post("/predict", json=RECORD)

    content = answer.json()
    assert answer.status_code == 200
    assert content["customer_id"] == "C-1"
    assert content["predict"] in ("Poor", "Standard", "Good")
    assert 1 / 3 < content["confidence"] <= 1
    assert (content["version"], content["model"], content["alias"]) == (1, "best_model", "A")
    assert content["request_id"] == answer.headers["x-request-id"]


def test_a_list_of_records_gets_a_list_and_each_is_what_it_gets_alone(client):
    trouble = record(2, days_past_due=60, delayed_payments=25, outstanding_debt=9000, interest_rate=34)

    answers = client.post("/variant/A/predict", json=[RECORD, trouble]).json()

    assert [answer["customer_id"] for answer in answers] == ["C-1", 2]
    assert answers[1]["predict"] == "Poor"
    for asked, answer in zip([RECORD, trouble], answers, strict=True):
        alone = client.post("/predict", json=asked).json()
        assert alone["confidence"] == pytest.approx(answer["confidence"])
        assert alone["predict"] == answer["predict"]


def test_a_record_a_named_row_and_the_tensor_are_one_question(client):
    rows = [[list(FEATURES.values())], [FEATURES]]

    confidences = [client.post("/predict", json={"rows": asked}).json()["confidence"][0] for asked in rows]

    assert confidences == [client.post("/predict", json=RECORD).json()["confidence"]] * 2


def test_null_in_a_nullable_column_is_imputed(client):
    names = ("occupation", "annual_income", "monthly_balance", "delayed_payments", "credit_history_months")
    answer = client.post("/predict", json=record(**dict.fromkeys((*names, "pays_minimum_only"))))

    assert answer.status_code == 200
    assert 1 / 3 < answer.json()["confidence"] <= 1


WRONG = [
    (record(age=None), "row 0, column age: null, and the column is not nullable"),
    (record(age="4111"), "row 0, column age: not a number"),
    (record(annual_income=True), "row 0, column annual_income: not a number"),
    (record(occupation="pirate-4111"), "row 0, column occupation: not one of accountant"),
    (record(occupation=3), "row 0, column occupation: not one of"),
    (record(ssn="4111"), "row 0: unknown column ssn"),
    ({"customer_id": "C-1", "features": {"age": 3}}, "row 0: no column annual_income"),
    ({"customer_id": "C-1", "features": [1, 2]}, "row 0, features: not an object"),
    ({"customer_id": "C-1"}, "row 0: a record has exactly"),
    ({"features": FEATURES}, "row 0: a record has exactly"),
    (RECORD | {"extra": 1}, "row 0: a record has exactly"),
    (record(""), "row 0, customer_id:"),
    (record(None), "row 0, customer_id:"),
    (record(1.5), "row 0, customer_id:"),
    (record(customer_id=True), "row 0, customer_id:"),
    (record("a\x00b"), "row 0, customer_id:"),
    (record("x" * 129), "row 0, customer_id:"),
    (record(2**63), "row 0, customer_id:"),
    ([RECORD, record("C-2"), record("C-1")], "row 2, customer_id: the same as that of row 0"),
    ([RECORD, [1, 2, 3]], "row 1: a record has exactly"),
    ([RECORD, record("C-2", age=None)], "row 1, column age"),
    ([ROW, RECORD], "row 0: expected 14 values"),
]


@pytest.mark.parametrize(("body", "says"), WRONG, ids=[says for _, says in WRONG])
def test_everything_else_is_422_naming_the_column_and_never_the_value(client, body, says):
    answer = client.post("/predict", json=body)

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert says in answer.json()["message"]
    assert "4111" not in answer.text


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e39"])
def test_a_number_that_is_not_finite_is_422_even_where_null_is_taken(client, number):
    import json

    body = json.dumps(RECORD).encode().replace(b"40000.0", number)

    answer = client.post("/predict", content=body)
    assert "column annual_income: not a finite" in answer.json()["message"]


def test_ten_thousand_unknown_keys_are_422_soon_and_in_few_words(client):
    started = time.perf_counter()
    answer = client.post("/predict", json=record(**{f"key{n}": n for n in range(10_000)}))

    assert answer.status_code == 422
    assert time.perf_counter() - started < 1
    assert len(answer.text) < 1000


def test_too_many_records_are_413(client):
    assert client.post("/predict", json=[record(n) for n in range(257)]).status_code == 413


def test_metadata_says_what_is_taken_and_how_it_was_trained(client):
    said = client.get("/metadata").json()
    columns = {column["name"]: column for column in said["columns"]}

    assert (said["model_name"], said["model_version"]) == ("best_model", 1)
    assert said["live_since_utc"] == client.get("/model-info").json()["live_since_utc"]
    assert said["params"]["iterations"] == 30
    assert said["metrics"]["accuracy"] > 0.8
    assert columns["pays_minimum_only"] == {
        "name": "pays_minimum_only",
        "dtype": "string",
        "nullable": True,
        "categories": ["no", "yes"],
    }
