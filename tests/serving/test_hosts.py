"""A page whose name is bound anew to this machine is told nothing; probes by address are."""

import pytest
from starlette.testclient import TestClient
from world.models import ROW, decide, settings_of

from interlock.serving.app import create_app

OURS = [
    "localhost",
    "LOCALHOST:8080",
    "127.0.0.1:8080",
    "10.1.2.3",
    "[::1]:8080",
    "[fd00::1]",
    "box",
    "named.example:1",
]
FOREIGN = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]", ""]


@pytest.fixture
def client(store):
    decide(store, "A", 1)
    settings = settings_of(store, host="box", allowed_hosts="named.example, other.example")
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("host", OURS)
def test_under_its_own_names_and_any_address_it_answers(client, host):
    assert client.get("/readyz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/readyz", "/model-info", "/metrics", "/docs"])
def test_under_a_foreign_name_it_tells_nothing(client, host, path):
    answer = client.get(path, headers={"host": host})

    assert answer.status_code == 400
    assert "INTERLOCK_SERVING_ALLOWED_HOSTS" in answer.json()["message"]


def test_under_a_foreign_name_nothing_is_predicted(client):
    assert client.post("/predict", json=[ROW], headers={"host": "evil.example"}).status_code == 400


def test_every_name_passes_where_the_settings_say_so(store):
    with TestClient(create_app(settings_of(store, allowed_hosts="*"))) as client:
        assert client.get("/healthz", headers={"host": "any.example"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:3000", ""]
)
def test_what_a_foreign_page_posts_is_refused(client, origin):
    """Text needs no preflight: its rows would stand in the prediction log as a customer's."""
    headers = {"host": "localhost:8080", "origin": origin, "content-type": "text/plain"}

    answer = client.post("/predict", json=[ROW], headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_page")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("box", "https://box"),
        ("10.1.2.3", "https://named.example"),
    ],
)
def test_its_own_pages_and_those_of_names_that_are_allowed_may_ask(client, host, origin):
    assert client.post("/predict", json=[ROW], headers={"host": host, "origin": origin}).status_code == 200
