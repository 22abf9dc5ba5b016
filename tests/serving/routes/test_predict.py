"""What clients send, and what they get."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient
from world.models import ROW, TOKEN, confidence, decide, iris, settings_of

from interlock.serving.app import create_app

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def test_a_matrix_gets_labels_confidences_and_the_version_that_computed_them(client):
    answer = client.post("/predict", json=[ROW, ROW]).json()

    expected = confidence(iris(1.0))
    assert answer["prediction"] == [0, 0]
    assert answer["confidence"] == pytest.approx([expected, expected])
    assert (answer["model"], answer["alias"], answer["version"]) == ("best_model", "A", 1)


def test_rows_by_column_name_mean_the_same_in_any_order(client):
    by_name = dict(reversed(list(zip(NAMES, ROW, strict=True))))

    answer = client.post("/predict", json={"rows": [by_name], "ids": ["C-1"], "probabilities": True}).json()

    assert answer["prediction"] == [0]
    assert answer["ids"] == ["C-1"]
    assert sum(answer["probabilities"][0]) == pytest.approx(1, abs=1e-5)


def test_whole_numbers_are_numbers(client):
    assert client.post("/predict", json=[[5, 3, 1, 0]]).status_code == 200


def test_a_request_id_comes_back_and_an_unsafe_one_is_replaced(client):
    assert client.post("/predict", json=[ROW], headers={"x-request-id": "abc-1"}).json()["request_id"] == "abc-1"
    answer = client.post("/predict", json=[ROW], headers={"x-request-id": "a b\x7f"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] != "a b\x7f"


DEEP = b"[" * 100_000
NOT_JSON = [
    b"{",
    b"hello",
    b"[[1,2,3,4]",
    b"\xff\xfe[[1]]",
    DEEP,
    b"[[" + b"9" * 5000 + b",1,1,1]]",
    b'{"rows": [[1,2,3,4]}',
]
NOT_TAKEN = [
    b"",
    b"null",
    b"3",
    b"true",
    b'"rows"',
    b"[]",
    b"[[]]",
    b"{}",
    b'{"rows": []}',
    b"[[1,2,3]]",
    b"[[1,2,3,4,5]]",
    b"[[1,2,3,4],[1,2,3]]",
    b"[1,2,3,4]",
    b'[["1","2","3","4"]]',
    b"[[true,false,true,false]]",
    b"[[1,2,3,null]]",
    b"[[1,2,3,{}]]",
    b"[[[1,2,3,4]]]",
    b"[[NaN,1,1,1]]",
    b"[[Infinity,1,1,1]]",
    b"[[1e400,1,1,1]]",
    b"[[1e39,1,1,1]]",
    b"[[" + b"1" + b"0" * 400 + b",1,1,1]]",
    b'{"rows": [[1,2,3,4]], "extra": 1}',
    b'{"rows": [{"sepal_length": 1}]}',
    b'{"rows": [{"a": 1, "b": 2, "c": 3, "d": 4}]}',
    b'{"rows": [[1,2,3,4]], "ids": ["a","b"]}',
    b'{"rows": [[1,2,3,4]], "ids": [1.5]}',
    b'{"rows": [[1,2,3,4]], "ids": ["\\ud800"]}',
    b'{"rows": [[1,2,3,4]], "ids": "a"}',
    b'{"rows": [[1,2,3,4]], "probabilities": 1}',
    b'[["\\ud800",1,1,1]]',
    b'[["\\u0000",1,1,1]]',
    b'{"rows": "[[1,2,3,4]]"}',
    b'{"data": [[1,2,3,4]]}',
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_400(client, body):
    answer = client.post("/predict", content=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "not_json")


@pytest.mark.parametrize("body", NOT_TAKEN, ids=range(len(NOT_TAKEN)))
@pytest.mark.parametrize("path", ["/predict", "/variant/A/predict"])
def test_json_that_the_model_cannot_take_is_422(client, path, body):
    answer = client.post(path, content=body, headers={"content-type": "text/whatever"})

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


def test_an_error_names_row_and_column_and_never_the_value(client):
    message = client.post("/predict", json=[ROW, [1, 2, "4111-1111", 4]]).text

    assert "row 1, column petal_length: not a number" in message
    assert "4111" not in message


def test_too_many_bytes_and_too_many_rows_are_413(client):
    assert client.post("/predict", content=b" " * 300_000).status_code == 413
    assert client.post("/predict", json=[ROW] * 257).status_code == 413
    assert client.post("/predict", json=[ROW] * 256).status_code == 200


def test_a_version_in_memory_can_be_pinned_and_others_cannot(client):
    assert client.post("/predict", json=[ROW], headers={"x-version": "1"}).json()["version"] == 1
    assert client.post("/predict", json=[ROW], headers={"x-version": "2"}).status_code == 404
    assert client.post("/predict", json=[ROW], headers={"x-version": "x"}).status_code == 422


@pytest.mark.parametrize("alias", ["B", "..%2f", "a\u202eb", "x" * 500, "%00"])
def test_an_alias_that_nobody_decided_is_404(client, alias):
    assert client.post(f"/variant/{alias}/predict", json=[ROW]).status_code == 404


def test_before_the_first_release_it_is_503_and_says_when_to_come_back(tmp_path):
    from interlock.store import Store

    with TestClient(create_app(settings_of(Store(tmp_path)))) as empty:
        for answer in (empty.post("/predict", json=[ROW]), empty.get("/model-info"), empty.get("/readyz")):
            assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "no_model", "1")
        assert empty.get("/healthz").status_code == 200


def test_a_model_that_hangs_is_given_up(client, monkeypatch):
    import time

    def hang(self, rows, options):
        while not options.terminate:
            time.sleep(0.01)

    monkeypatch.setattr("interlock.serving.in_process.OnnxModel.compute", hang)
    slow = client.app.state.settings.model_copy(update={"predict_timeout_s": 0.1})
    monkeypatch.setattr(client.app.state, "settings", slow)

    assert client.post("/predict", json=[ROW]).json()["error"] == "too_slow"


def test_an_answer_that_is_not_finite_is_never_sent(client, monkeypatch):
    from interlock.model.answers import Answers
    from interlock.model.signature import Role

    nan = Answers(np.zeros(1, dtype=np.int64), np.full((1, 3), np.nan, dtype=np.float32), Role.PROBABILITIES)
    monkeypatch.setattr("interlock.serving.in_process.OnnxModel.compute", lambda *_: nan)

    answer = client.post("/predict", json=[ROW])
    assert (answer.status_code, answer.json()["error"]) == (503, "model_failed")


def test_predictions_may_need_the_token(store):
    decide(store, "A", 1)
    with TestClient(create_app(settings_of(store, predict_needs_token=True))) as closed:
        assert closed.post("/predict", json=[ROW]).status_code == 401
        assert closed.post("/predict", json=[ROW], headers={"x-token": TOKEN}).status_code == 200


def test_the_openapi_page_describes_the_body(client):
    body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["example"] == [ROW]


def test_requests_are_counted_by_route_and_status(client):
    client.post("/predict", json=[ROW])
    client.post("/predict", content=b"{")
    text = client.get("/metrics").text

    assert 'interlock_requests_total{route="/predict",status="200"} 1.0' in text
    assert 'interlock_requests_total{route="/predict",status="400"} 1.0' in text
    assert 'interlock_live_version{alias="A"} 1.0' in text
    assert json.loads(client.get("/metadata").text)["params"] == {"C": 1.0, "max_iter": 200}
