"""Damaged bytes and a restart together: the app says what is decided and what it lacks, and the next pass mends it."""

import pytest
from starlette.testclient import TestClient
from world.engines import environment, serving_engine
from world.fakes import FakeRegistry
from world.models import AUTH, ROW, TOKEN, decide, iris, onnx_path, put, served, settings_of

from interlock.serving.app import create_app
from interlock.serving.memory import Room
from interlock.upkeep.reconcile import Reconciler


def damage(store):
    onnx_path(store, 2).write_bytes(b"garbage")


def lose(store):
    onnx_path(store, 2).unlink()


def lose_all(store):
    onnx_path(store, 2).unlink()
    store.paths("best_model").manifest(2).unlink()


def tear_the_manifest(store):
    store.paths("best_model").manifest(2).write_bytes(b"{")


@pytest.mark.parametrize("harm", [damage, lose, lose_all, tear_the_manifest])
def test_a_restarted_app_says_which_version_is_decided_and_that_its_bytes_are_damaged(store, harm):
    decide(store, "A", 2)
    harm(store)
    with TestClient(create_app(settings_of(store))) as client:
        for answer in (client.post("/predict", json=[ROW]), client.get("/model-info")):
            assert (answer.status_code, answer.json()["error"]) == (503, "not_loaded")
            assert "v2 is decided for A, but its bytes are damaged or missing" in answer.json()["message"]
            assert str(store.root) not in answer.text
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["error"]) == (503, "not_ready")
        assert "A: v2 is not live: " in ready.json()["message"]
        assert client.get("/variants").json()["failures"].keys() == {"A"}


def test_an_app_that_has_no_room_for_what_is_decided_says_so(store):
    decide(store, "A", 2)
    app = create_app(settings_of(store))
    app.state.variants.source._room = Room(lambda: 0)
    with TestClient(app) as client:
        assert "this app could not load it" in client.post("/predict", json=[ROW]).json()["message"]
        assert "for a request, and 0 MiB are free" in client.get("/readyz").json()["message"]


def test_one_damaged_alias_is_told_and_the_other_serves(store):
    decide(store, "A", 1)
    decide(store, "B", 2)
    damage(store)
    with TestClient(create_app(settings_of(store))) as client:
        assert client.post("/predict", json=[ROW]).json()["version"] == 1
        assert client.post("/variant/B/predict", json=[ROW]).json()["error"] == "not_loaded"
        assert client.post("/variant/C/predict", json=[ROW]).status_code == 404
        assert client.post("/reload", headers=AUTH).status_code == 409


def test_the_next_pass_of_reconcile_finds_the_reason_and_fetches_the_bytes(store):
    """Not only the one in whose turn the model is audited."""
    decide(store, "A", 2)
    damage(store)
    registry = FakeRegistry({("best_model", "A"): 2})
    registry.artifacts[2, "model.onnx"] = iris(10.0).onnx
    registry.artifacts[2, "manifest.json"] = store.paths("best_model").manifest(2).read_bytes()
    with served(store) as url:
        reconciler = Reconciler(environment(store, serving_engine("dev", [url], TOKEN), registry=registry))
        (report,) = reconciler.reconcile(["best_model"], audit=[])
        seen = serving_engine("dev", [url], TOKEN).replicas[0].observe("best_model")

        assert any("cannot follow epoch 1: A: best_model v2: " in found for found in report.found)
        assert "fetched the bytes of v2 again" in report.done
        assert seen.serves["A"].version == 2
        assert reconciler.reconcile(["best_model"], audit=[])[0].found == []


def test_an_alias_that_serves_and_cannot_follow_is_mended_by_the_next_pass_too(store):
    """What serves is as decided, but the replica says that it could not look at the rest: nothing hides behind it."""
    decide(store, "A", 1)
    put(store, 3, iris(5.0))
    with served(store) as url:
        decide(store, "A", 3)
        onnx_path(store, 3).write_bytes(b"garbage")
        replica = serving_engine("dev", [url], TOKEN).replicas[0]
        registry = FakeRegistry({("best_model", "A"): 3})
        registry.artifacts[3, "model.onnx"] = iris(5.0).onnx
        registry.artifacts[3, "manifest.json"] = store.paths("best_model").manifest(3).read_bytes()
        reconciler = Reconciler(environment(store, serving_engine("dev", [url], TOKEN), registry=registry))
        reconciler.reconcile(["best_model"], audit=[])

        assert replica.observe("best_model").serves["A"].version == 3
