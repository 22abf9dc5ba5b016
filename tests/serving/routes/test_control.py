"""Stage, drop, reload: what the deployer asks for, and who may."""

import pytest
from starlette.testclient import TestClient
from world.models import AUTH, ROW, decide, iris, onnx_path, put, settings_of, wrong

from interlock.serving.app import create_app
from interlock.serving.in_process import OnnxModel
from interlock.settings import ServingSettings

CONTROL = [
    ("POST", "/variant/A/stage"),
    ("DELETE", "/variant/A/stage"),
    ("POST", "/variant/A/reload"),
    ("POST", "/reload"),
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize("token", [None, b"", b"t", b"t" * 31, b"t" * 5000, b"\xff\xe9" * 16, b"T" * 32])
def test_without_a_valid_token_it_is_401(client, method, path, token):
    headers = {} if token is None else {b"x-token": token}

    answer = client.request(method, path, headers=headers, json={"version": 2})

    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


def test_both_tokens_are_valid_while_they_rotate(store, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("a" * 32 + "\n" + "b" * 32 + "\n")
    with TestClient(create_app(settings_of(store, tokens=(), token_file=file))) as client:
        for token in ("a" * 32, "b" * 32):
            assert client.post("/reload", headers={"x-token": token}).status_code == 200
        file.write_text("b" * 32)
        assert client.post("/reload", headers={"x-token": "a" * 32}).status_code == 401
        file.unlink()
        assert client.post("/reload", headers={"x-token": "b" * 32}).status_code == 401


def test_the_app_does_not_start_without_a_token_unless_told_so(store):
    with pytest.raises(ValueError, match="no token"):
        ServingSettings(repository=store.root)
    with pytest.raises(ValueError, match="at least 32 bytes"):
        ServingSettings(repository=store.root, tokens="short")
    assert ServingSettings(repository=store.root, without_token=True).valid_tokens() == []


def test_a_staged_version_answers_only_who_pins_it(client):
    answer = client.post("/variant/A/stage", json={"version": 2}, headers=AUTH)

    assert answer.json()["status"] == "success"
    assert client.post("/predict", json=[ROW]).json()["version"] == 1
    assert client.post("/predict", json=[ROW], headers={"x-version": "2"}).json()["version"] == 2
    assert client.get("/variant/A/model-info", headers={"x-version": "2"}).json()["live"] is False
    assert client.get("/variants").json()["staged"] == {"A": 2}

    client.delete("/variant/A/stage", headers=AUTH)
    assert client.post("/predict", json=[ROW], headers={"x-version": "2"}).status_code == 404


def test_reload_follows_the_decision_and_keeps_the_version_before_warm(client, store, monkeypatch):
    decide(store, "A", 2)

    answer = client.post("/variant/A/reload", headers=AUTH).json()

    assert (answer["status"], answer["version"], answer["epoch"]) == ("success", 2, 2)
    assert client.post("/predict", json=[ROW]).json()["version"] == 2
    assert client.post("/predict", json=[ROW], headers={"x-version": "1"}).json()["version"] == 1

    monkeypatch.setattr(
        "interlock.serving.in_process.OnnxSource._open", lambda *_: pytest.fail("going back must not load")
    )
    decide(store, "A", 1)
    back = client.post("/reload", headers=AUTH).json()
    assert (back["status"], back["epoch"], back["live"]["A"]["version"]) == ("success", 3, 1)
    assert back["live"] == client.get("/variants").json()["live"]


def test_an_answer_names_the_version_that_computed_it_when_a_swap_comes_between(client, store, monkeypatch):
    computed, follow = OnnxModel.answer, client.app.state.follower.follow_now

    async def then_swap(model, rows, timeout_s):
        answers = await computed(model, rows, timeout_s)
        decide(store, "A", 2)
        await follow()
        return answers

    before = client.post("/predict", json=[ROW]).json()
    monkeypatch.setattr(OnnxModel, "answer", then_swap)
    during = client.post("/predict", json=[ROW]).json()

    assert (during["version"], during["confidence"]) == (before["version"], before["confidence"])
    assert client.get("/model-info").json()["version"] == 2


class Recorder:
    """In the place of the prediction log."""

    def __init__(self):
        self.versions = []

    def put(self, prediction):
        self.versions.append(prediction.model.version)


def test_an_answer_that_is_under_way_during_a_swap_is_logged(client, store, monkeypatch):
    """It was asked of the live version; that another one is live when it is ready changes nothing."""
    log, computed, follow = Recorder(), OnnxModel.answer, client.app.state.follower.follow_now
    client.app.state.log = log

    async def then_swap(model, rows, timeout_s):
        answers = await computed(model, rows, timeout_s)
        decide(store, "A", 2)
        await follow()
        return answers

    client.post("/variant/A/stage", json={"version": 2}, headers=AUTH)
    client.post("/predict", json=[ROW], headers={"x-version": "2"})  # who proves a candidate is no client
    with monkeypatch.context() as swapping:
        swapping.setattr(OnnxModel, "answer", then_swap)
        client.post("/predict", json=[ROW])
    client.post("/predict", json=[ROW])
    client.post("/predict", json=[ROW], headers={"x-version": "1"})  # warm
    client.app.state.log = None

    assert log.versions == [1, 2]


def test_a_second_stage_that_waits_in_vain_is_told_to_come_back(client, monkeypatch):
    monkeypatch.setattr("interlock.serving.loading.WAIT_S", 0.01)
    turn = client.app.state.variants.loading._turn
    client.portal.call(turn.acquire)
    answer = client.post("/variant/A/stage", json={"version": 2}, headers=AUTH)
    client.portal.call(turn.release)

    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "busy", "1")
    assert client.post("/variant/A/stage", json={"version": 2}, headers=AUTH).status_code == 200


def test_the_app_follows_by_itself(client, store):
    import time

    decide(store, "A", 2)
    deadline = time.monotonic() + 5
    while client.get("/model-info").json()["version"] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_reload_that_fails_is_an_error_status_and_the_old_version_goes_on(client, store):
    decide(store, "A", 2)
    onnx_path(store, 2).write_bytes(b"garbage")
    client.app.state.variants._slots["A"] = client.app.state.variants["A"]

    answer = client.post("/reload", headers=AUTH)

    assert answer.status_code in (409, 422)
    assert answer.json()["status"] == "error"
    assert client.post("/predict", json=[ROW]).json()["version"] == 1
    assert client.get("/readyz").status_code == 503


def test_a_version_that_answers_otherwise_than_in_training_is_not_staged(client, store):
    put(store, 3, wrong(iris(5.0)))

    answer = client.post("/variant/A/stage", json={"version": 3}, headers=AUTH)

    assert (answer.status_code, answer.json()["error"]) == (422, "broken")
    assert "golden rows" in answer.json()["message"]
    assert client.get("/variants").json()["staged"] == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 9}, 404),
        ({"version": 2, "model": "other"}, 409),
        ({"version": 2, "sha256": "0" * 64}, 409),
        ({"version": "2"}, 422),
        ({"version": 0}, 422),
        ({"version": 2, "url": "http://x"}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_a_stage_that_cannot_be_is_told_by_its_kind(client, body, status):
    answer = client.post("/variant/A/stage", json=body, headers=AUTH)

    assert (answer.status_code, answer.json()["status"]) == (status, "error")


@pytest.mark.parametrize("alias", ["v1", "latest", "x" * 64, "a%0ab", "%00"])
def test_an_unsafe_alias_is_404(client, alias):
    assert client.post(f"/variant/{alias}/stage", json={"version": 2}, headers=AUTH).status_code == 404


def test_reading_is_not_reloading(client):
    assert client.get("/reload").status_code == 405
    assert client.get("/nothing").json() == {"status": "error", "error": "http", "message": "Not Found"}


def test_an_engine_that_is_not_enrolled_does_not_follow(store):
    decide(store, "A", 1, engine="somebody-else")
    with TestClient(create_app(settings_of(store))) as client:
        assert client.get("/model-info").status_code == 503


def test_an_undone_first_release_serves_nothing(client, store):
    decide(store, "A", None)
    client.post("/reload", headers=AUTH)

    assert client.post("/predict", json=[ROW]).status_code == 503


def test_two_aliases_live_side_by_side(client, store):
    decide(store, "B", 2)
    client.post("/reload", headers=AUTH)

    assert client.post("/variant/A/predict", json=[ROW]).json()["version"] == 1
    assert client.post("/variant/B/predict", json=[ROW]).json()["version"] == 2
    assert client.get("/readyz").json()["versions"] == {"A": 1, "B": 2}


def test_an_unreadable_decision_leaves_what_is_live(client, store):
    store.paths("best_model").current.write_bytes(b"{")

    assert client.post("/reload", headers=AUTH).status_code == 409
    assert client.post("/predict", json=[ROW]).json()["version"] == 1
    assert client.get("/readyz").status_code == 200


def test_a_model_that_hangs_in_its_self_test_is_refused(client, store, monkeypatch):
    import time

    from interlock.serving import in_process

    def hang(self, rows, options):
        while not options.terminate:
            time.sleep(0.01)
        raise RuntimeError("terminated")

    monkeypatch.setattr(in_process.OnnxModel, "compute", hang)
    monkeypatch.setattr(client.app.state.variants, "_self_test_timeout_s", 0.1)

    answer = client.post("/variant/A/stage", json={"version": 2}, headers=AUTH)
    assert "within 0.1 s" in answer.json()["message"]
