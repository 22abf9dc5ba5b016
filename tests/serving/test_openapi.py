"""Every answer of every route, to good and to bad input, is one that the app's own /openapi.json describes."""

from itertools import product

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient
from world.credit import FEATURES, credit
from world.models import AUTH, ROW, decide, onnx_path, put, settings_of

from interlock.serving.app import create_app
from interlock.store import Store

RECORD = {"customer_id": "C-1", "features": dict(zip("abcd", ROW, strict=True))}
NAMED = dict(zip(["sepal_length", "sepal_width", "petal_length", "petal_width"], ROW, strict=True))
BODIES = {
    "rows": [ROW],
    "all options": {"rows": [ROW, ROW], "ids": ["a", 7], "probabilities": True},
    "named rows": {"rows": [NAMED]},
    "a record": {"customer_id": "C-1", "features": NAMED},
    "records": [{"customer_id": 1, "features": NAMED}, {"customer_id": 2, "features": NAMED}],
    "unknown columns": RECORD,
    "text": [["a", 1, 1, 1]],
    "too few": [[1]],
    "nothing": None,
    "too many": [ROW] * 257,
    "twice the same": [{"customer_id": 1, "features": NAMED}] * 2,
    "a version": {"version": 2},
    "a version that is nowhere": {"version": 99},
    "another model": {"version": 2, "model": "other"},
    "other bytes": {"version": 2, "sha256": "0" * 64},
    "no version": {"version": "x"},
}
RAW = {
    "empty": b"",
    "not json": b"{",
    "deep": b"[" * 100_000,
    "long number": b"[[" + b"9" * 5000 + b"]]",
    "too large": b" " * 300_000,
    "not utf-8": b"\xff\xfe",
}
ALIASES = ["A", "B", "zz", "%00", "x" * 500, "v1"]
PINS = [None, "1", "2", "99", "x", "-1", "9" * 100]
TOKENS = [AUTH, {}, {"x-token": "no"}]


def conforms(document, path, method, answer):
    """The status is documented for the route, and so are the kind of content and its shape."""
    described = document["paths"][path][method]["responses"].get(str(answer.status_code))
    assert described, f"{method} {path} answered {answer.status_code}, which is not described: {answer.text[:200]}"
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in described["content"]
    if kind == "application/json":
        schema = described["content"][kind]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())


def operations(document):
    return [(path, method) for path, methods in document["paths"].items() for method in methods]


def questions(method):
    """Bodies of every kind for what takes one; nothing for what takes none."""
    if method != "post":
        return [{}]
    as_json = {"content-type": "application/json"}
    return [{"json": body} for body in BODIES.values()] + [{"content": c, "headers": as_json} for c in RAW.values()]


def asked(client, document):
    """Every operation, with every body, and with one thing odd at a time."""
    seen = set()
    for path, method in operations(document):
        odd = [("A", None, headers) for headers in TOKENS] + [("A", pin, AUTH) for pin in PINS]
        odd += [(alias, None, AUTH) for alias in ALIASES]
        cases = [((("A", None, AUTH)), question) for question in questions(method)]
        cases += [(case, question) for case, question in product(odd, questions(method)[:2])]
        for (alias, pin, token), question in cases:
            headers = {**question.get("headers", {}), **token, **({"x-version": pin} if pin else {})}
            answer = client.request(method, path.replace("{alias}", alias), **{**question, "headers": headers})
            conforms(document, path, method, answer)
            seen.add((path, method, answer.status_code))
    return seen


def test_every_answer_is_as_openapi_describes_it(client):
    document = client.get("/openapi.json").json()

    seen = asked(client, document)

    assert {(path, method) for path, method, _ in seen} == set(operations(document))
    assert {status for *_, status in seen} == {200, 400, 401, 404, 409, 413, 422}
    for path in ("/predict", "/variant/{alias}/predict"):
        assert {status for p, _, status in seen if p == path} >= {200, 400, 413, 422}


def test_so_is_every_answer_of_an_app_without_a_model_and_of_one_that_asks_for_tokens(tmp_path):
    app = create_app(settings_of(Store(tmp_path), predict_needs_token=True))
    with TestClient(app, raise_server_exceptions=False) as client:
        seen = asked(client, client.get("/openapi.json").json())

    assert {status for path, _, status in seen if path == "/predict"} >= {401, 503}
    assert {status for path, _, status in seen if path == "/readyz"} == {503}


def test_so_is_every_answer_about_typed_records_and_about_damaged_bytes(client, store):
    put(store, 3, credit())
    decide(store, "A", 3)
    client.post("/reload", headers=AUTH)
    document = client.get("/openapi.json").json()
    for body in ({"customer_id": "C-1", "features": FEATURES}, {"customer_id": "C-1", "features": {"age": "x"}}):
        conforms(document, "/predict", "post", client.post("/predict", json=body))
    decide(store, "A", 2)
    onnx_path(store, 2).write_bytes(b"garbage")
    for path, method in operations(document):
        answer = client.request(method, path.replace("{alias}", "A"), headers=AUTH, json={"version": 2})
        conforms(document, path, method, answer)


@pytest.mark.parametrize("status", ["400", "408", "431", "503"])
def test_what_a_connection_may_answer_is_described_for_every_route(client, status):
    document = client.get("/openapi.json").json()
    for path, method in operations(document):
        described = document["paths"][path][method]["responses"][status]
        assert described["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}


def test_the_page_says_which_routes_need_a_token(client):
    paths = client.get("/openapi.json").json()["paths"]

    assert [path for path, method in operations({"paths": paths}) if paths[path][method].get("security")] == [
        "/variant/{alias}/stage",
        "/variant/{alias}/stage",
        "/variant/{alias}/reload",
        "/reload",
    ]
