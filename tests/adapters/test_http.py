"""A timeout is not a deadline: against a peer that drips, or never stops, every call of every adapter ends in time."""

import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from inject.hanging_peers import (
    HOSTILE,
    drips_a_body,
    drips_a_handshake,
    drips_header_lines,
    hostile,
    in_time,
    never_stops_sending,
)
from support.wire import wire
from world.engines import serving_engine, triton_engine
from world.fakes import candidate_of, manifest_of

from interlock.adapters.http import HttpClient
from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.adapters.notify import Webhook
from interlock.adapters.serving.start import ServingStart
from interlock.adapters.triton.control import TritonControl
from interlock.errors import DeliveryError, Garbled, Unreachable
from interlock.records import Current
from interlock.store import Store

DEADLINE_S = 0.5
NO_ANSWER = {"Unreachable", "Garbled", "NotReady"}
"""None of them condemns a digest."""
NOTHING = Current.nothing("best_model")
REGISTRATION = Registration("best_model", "run-1", "models:/m-1", "m-1", {"sha256": "0" * 64})


def calls_of(url: str, store: Store):
    """Every call that goes over HTTP."""
    serving = serving_engine("dev", [url], "token", timeout_s=DEADLINE_S).replicas[0]
    triton = triton_engine("dev", [(url, "127.0.0.1:1")], "key", store, timeout_s=DEADLINE_S).replicas[0]
    registry = MlflowRegistry(url, timeout_s=DEADLINE_S)
    tracking = MlflowTracking(url, "experiment", timeout_s=DEADLINE_S)
    candidate, manifest = candidate_of(1), manifest_of(1)
    return {
        "serving load": lambda: serving.load(candidate),
        "serving ready": lambda: serving.ready(candidate),
        "serving smoke": lambda: serving.smoke(candidate, manifest, timed=True),
        "serving drop": lambda: serving.drop("best_model", "A"),
        "serving follow": lambda: serving.follow(NOTHING),
        "serving observe": lambda: serving.observe("best_model"),
        "serving survey": lambda: serving.survey([NOTHING]),
        "triton ready": lambda: triton.ready(candidate),
        "triton smoke": lambda: triton.smoke(candidate, manifest, timed=True),
        "registry register": lambda: registry.register(REGISTRATION),
        "registry candidate": lambda: registry.candidate("best_model", "A", 1),
        "registry newest": lambda: registry.newest("best_model", "A"),
        "registry alias": lambda: registry.alias("best_model", "A"),
        "registry set_alias": lambda: registry.set_alias("best_model", "A", 1),
        "registry delete_alias": lambda: registry.delete_alias("best_model", "A"),
        "registry fetch": lambda: registry.fetch(candidate, "model.onnx", store.root / "model.onnx"),
        "tracking open_run": lambda: tracking.open_run("key", "0" * 64),
        "tracking log_files": lambda: tracking.log_files("run-1", b"onnx", manifest),
        "tracking close_run": lambda: tracking.close_run("run-1", {"gate": "passed"}),
    }


def ends(call) -> str:
    """Return how a call ended, if it did in time."""
    with in_time(DEADLINE_S):
        try:
            return f"returned {call()}"
        except DeliveryError as error:
            return type(error).__name__


@pytest.mark.parametrize("act", HOSTILE)
def test_every_call_over_http_ends_in_time(act, tmp_path):
    with hostile(act) as port, ThreadPoolExecutor(32) as pool:
        calls = calls_of(f"http://127.0.0.1:{port}", Store(tmp_path))
        ended = dict(zip(calls, pool.map(ends, calls.values()), strict=True))

    assert {name: how for name, how in ended.items() if how not in NO_ANSWER} == {}


@pytest.mark.parametrize("act", HOSTILE)
def test_asking_whether_anybody_is_there_and_telling_people_end_in_time(act):
    with hostile(act) as port:
        url = f"http://127.0.0.1:{port}"
        with in_time(DEADLINE_S):
            assert HttpClient(url, DEADLINE_S).is_well("/") is False
        with in_time(DEADLINE_S):
            ServingStart([url], None, timeout_s=DEADLINE_S, longest_s=1).down()
        with in_time(DEADLINE_S):
            assert Webhook(f"{url}/hook", DEADLINE_S).say("hello") is False


@pytest.mark.parametrize("act", HOSTILE)
def test_every_call_over_grpc_ends_in_time(act):
    with hostile(act) as port:
        control = TritonControl(f"127.0.0.1:{port}", "key", DEADLINE_S, DEADLINE_S)
        calls = [lambda: control.load("m"), lambda: control.unload("m"), control.ready_versions]
        with ThreadPoolExecutor() as pool:
            assert set(pool.map(ends, calls)) <= NO_ANSWER


def test_a_handshake_that_drips_ends_in_time():
    with hostile(drips_a_handshake) as port:
        control = TritonControl(f"grpcs://127.0.0.1:{port}", "key", DEADLINE_S, DEADLINE_S)
        client = HttpClient(f"https://127.0.0.1:{port}", DEADLINE_S)
        assert [ends(control.ready_versions), ends(lambda: client.call("GET", "/"))] == ["Unreachable"] * 2


def test_a_name_that_is_looked_up_for_ever_ends_in_time(monkeypatch):
    """No library has a timeout for it."""
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait())
    try:
        assert ends(lambda: HttpClient("http://nowhere.example", DEADLINE_S).call("GET", "/")) == "Unreachable"
    finally:
        over.set()


@pytest.mark.parametrize("act", [drips_header_lines, drips_a_body])
def test_a_call_that_was_given_up_leaves_no_thread_and_the_next_one_works(act):
    with hostile(act) as port:
        client = HttpClient(f"http://127.0.0.1:{port}", 0.3)
        before = set(threading.enumerate())
        assert [ends(lambda: client.call("GET", "/")) for _ in range(3)] == ["Unreachable"] * 3
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_a_download_ends_in_time_and_at_its_limit(tmp_path):
    with hostile(drips_a_body) as port, (tmp_path / "file").open("wb") as file:
        client = HttpClient(f"http://127.0.0.1:{port}", DEADLINE_S)
        assert ends(lambda: client.call("GET", "/", into=file, largest=1 << 30)) == "Unreachable"
    with hostile(never_stops_sending) as port, (tmp_path / "file").open("wb") as file:
        client = HttpClient(f"http://127.0.0.1:{port}", 20)
        with pytest.raises(Garbled, match="more than the 33554432 bytes"):
            client.call("GET", "/", into=file, largest=32 << 20)
    assert (tmp_path / "file").stat().st_size <= 32 << 20


def test_a_download_may_take_longer_than_a_call_while_bytes_arrive(tmp_path):
    """A large model over a slow line is not a peer that hangs."""
    with wire() as told, (tmp_path / "file").open("wb") as file:
        told.answers["GET /file"] = lambda _: (200, bytes(8 << 20))
        HttpClient(told.url, 5).call("GET", "/file", into=file, largest=8 << 20)
    assert (tmp_path / "file").stat().st_size == 8 << 20


def test_a_body_without_an_end_is_not_held_in_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with hostile(never_stops_sending) as port, pytest.raises(Garbled):
        HttpClient(f"http://127.0.0.1:{port}", 20).call("GET", "/")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_an_upload_that_nobody_reads_ends_in_time():
    """The peer's buffer takes a little, and then nothing more."""
    with hostile(lambda _, over: over.wait()) as port:
        client = HttpClient(f"http://127.0.0.1:{port}", DEADLINE_S)
        started = time.monotonic()
        with pytest.raises(Unreachable):
            client.call("PUT", "/", content=bytes(1 << 25), sending=1 << 20)
        assert time.monotonic() - started < (DEADLINE_S + 1) * 1.1 + 1


def test_what_a_call_refuses_is_told_by_its_kind():
    """A page that some proxy answers with is no wrong answer of a model, and a 5xx is no verdict."""
    with wire() as told:
        told.answers["GET /ours"] = lambda _: (422, {"error": "broken", "message": "golden rows"})
        told.answers["POST /reload"] = told.answers["GET /ours"]
        replica = serving_engine("dev", [told.url], "token").replicas[0]
        with pytest.raises(Exception, match="golden rows") as plain:
            HttpClient(told.url, 1).call("GET", "/ours")
        with pytest.raises(Exception, match="golden rows") as app:
            replica.follow(NOTHING)
    assert (plain.type.__name__, app.type.__name__) == ("Refused", "Broken")
