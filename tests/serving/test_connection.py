"""Clients that hold on to connections, send too slowly, too much, or what is no HTTP: others get their answers."""

import asyncio
import json
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import pytest
from world.models import AUTH, ROW, TOKEN, decide, served

from interlock.serving import connection, problem
from interlock.serving.connection import SECONDS, Phase
from interlock.serving.in_process import OnnxModel

ASK = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
BEGUN = POST + b"content-length: 50\r\n\r\n[["
CLOSED_S = 5.0
FEW = 16


@pytest.fixture
def live(store):
    decide(store, "A", 1)
    return store


@pytest.fixture
def impatient(monkeypatch):
    """Every deadline is over soon."""
    for phase in SECONDS:
        monkeypatch.setitem(SECONDS, phase, 0.3)


@contextmanager
def connected(url, number=1, sent=b""):
    """So many connections that have sent so much."""
    address = httpx.URL(url).host, httpx.URL(url).port
    clients = [socket.create_connection(address, timeout=CLOSED_S) for _ in range(number)]
    try:
        for client in clients:
            with suppress(OSError):  # it may be closed already, to make room
                client.sendall(sent)
        yield clients
    finally:
        for client in clients:
            client.close()


def received(client):
    """All that arrives until the server closes; fails if it does not."""
    content = b""
    with suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            content += chunk
    return content


def told(client):
    """Status and error of the answer, after which the server closes."""
    header, _, body = received(client).partition(b"\r\n\r\n")
    answer = json.loads(body)
    assert answer.keys() == {"status", "error", "message"}
    return int(header.split()[1]), answer["error"]


def answers(url):
    answer = httpx.post(f"{url}/predict", json=[ROW], timeout=5)
    return answer.status_code, answer.json().get("version")


@pytest.mark.parametrize("sent", [b"", b"G", ASK[:-2], BEGUN, ASK], ids=["nothing", "a byte", "header", "body", "all"])
def test_more_waiting_connections_than_there_is_room_for_keep_nobody_out(live, sent):
    with served(live, limit_concurrency=FEW) as url, connected(url, 5 * FEW, sent):
        assert [answers(url) for _ in range(3)] == [(200, 1)] * 3


def test_the_connection_that_was_waited_for_longest_makes_room(live):
    with served(live, limit_concurrency=FEW) as url, connected(url, FEW, ASK[:-2]) as clients:
        assert httpx.get(f"{url}/healthz").is_success
        assert received(clients[0]) == b""
        clients[1].sendall(b"\r\n")
        assert b" 200 " in clients[1].recv(100)


@contextmanager
def answering(url, number, monkeypatch):
    """So many requests are being computed until this is over; then each gets its answer."""
    computed, begun, go_on = OnnxModel.answer, threading.Semaphore(0), threading.Event()

    async def wait(model, rows, timeout_s):
        begun.release()
        while not go_on.is_set():  # noqa: ASYNC110 - another thread sets it, and a waiting thread is what reload needs
            await asyncio.sleep(0.01)
        return await computed(model, rows, timeout_s)

    monkeypatch.setattr(OnnxModel, "answer", wait)
    got = []
    threads = [threading.Thread(target=lambda: got.append(answers(url))) for _ in range(number)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=10)
    try:
        yield
    finally:
        go_on.set()
        for thread in threads:
            thread.join(10)
    assert got == [(200, 1)] * number


def test_when_every_connection_is_being_answered_a_user_is_told_and_control_and_probes_go_on(
    live, monkeypatch, free_port
):
    with served(live, limit_concurrency=FEW, control_port=free_port) as url, answering(url, FEW, monkeypatch):
        control = f"http://127.0.0.1:{free_port}"
        busy = httpx.get(f"{url}/healthz")
        assert (busy.status_code, busy.json()["error"], busy.headers["retry-after"]) == (503, "busy", "1")
        assert httpx.get(f"{control}/readyz").status_code == 200
        decide(live, "A", 2)
        assert httpx.post(f"{control}/reload", headers=AUTH, timeout=10).json()["live"]["A"]["version"] == 2
        decide(live, "A", 1)
        httpx.post(f"{control}/reload", headers=AUTH, timeout=10)


def test_without_a_control_port_the_public_one_serves_everything(live):
    with served(live) as url:
        assert httpx.post(f"{url}/reload", headers=AUTH).is_success


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(b"GET /he", (408, "too_slow")), (ASK[:-2], (408, "too_slow")), (BEGUN, (408, "too_slow"))],
    ids=["line", "header", "body"],
)
def test_a_request_that_arrives_byte_by_byte_has_a_total_deadline(live, impatient, sent, expected):
    """Each byte is well within the deadline; all of them are not."""
    with served(live) as url, connected(url, 1, sent) as (client,):
        began = time.monotonic()
        client.settimeout(0.05)
        content = b""
        while time.monotonic() < began + CLOSED_S:
            with suppress(TimeoutError, OSError):
                client.sendall(b"1" if sent is BEGUN else b"x")
            with suppress(TimeoutError, ConnectionResetError):
                content = client.recv(65536)
                break
        assert 0.25 < time.monotonic() - began < 2
        assert int(content.split()[1]) == expected[0]
        assert json.loads(content.partition(b"\r\n\r\n")[2])["error"] == expected[1]


@pytest.mark.parametrize("sent", [b"", ASK, ASK + b"\r\n"], ids=["never asks", "asked once", "and a blank line"])
def test_a_connection_on_which_nothing_is_asked_is_closed(live, impatient, sent):
    with served(live) as url, connected(url, 1, sent) as (client,):
        began = time.monotonic()
        received(client)
        assert time.monotonic() - began < 2


def test_a_client_that_does_not_read_its_answers_is_cut(live, monkeypatch):
    """It is late by the one deadline only that is for reading; then there is no more than the kernel holds for it."""
    monkeypatch.setitem(SECONDS, Phase.SENDING, 0.3)
    with served(live) as url, connected(url) as (client,):
        client.settimeout(0.1)
        with suppress(TimeoutError, ConnectionError):
            client.sendall(ASK.replace(b"/healthz", b"/openapi.json") * 1000)
        time.sleep(2)
        client.settimeout(CLOSED_S)
        assert received(client).count(b"HTTP/1.1 200") < 1000


def test_clients_that_hang_up_with_many_requests_on_one_connection_leave_no_traceback(live, caplog):
    """uvicorn tells only the last of them that nobody is there; the one that is answered writes on."""
    with served(live) as url:
        for _ in range(20):
            with connected(url, 1, ASK.replace(b"/healthz", b"/openapi.json") * 200) as (client,):
                client.recv(1000)
        assert httpx.get(f"{url}/healthz").is_success

    assert [record for record in caplog.records if record.exc_info] == []


def test_a_long_answer_of_the_app_is_not_cut(live, impatient, monkeypatch):
    """The app has deadlines of its own for what it computes."""
    with served(live) as url, answering(url, 1, monkeypatch):
        time.sleep(2 * SECONDS[Phase.HEADER])


def test_a_body_that_arrives_after_its_answer_leaves_a_usable_connection(live):
    """401 does not wait for the body."""
    with served(live, predict_needs_token=True) as url, connected(url, 1, BEGUN) as (client,):
        assert b" 401 " in client.recv(65536)
        client.sendall(b"x" * 48 + ASK)
        assert b"alive" in client.recv(65536)


NOT_HTTP = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", (400, "not_http")),
    "two lengths": (POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n[]", (400, "not_http")),
    "length and chunks": (POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n[]", (400, "not_http")),
    "negative length": (POST + b"content-length: -1\r\n\r\n", (400, "not_http")),
    "a huge length": (POST + b"content-length: " + b"9" * 40 + b"\r\n\r\n", (400, "not_http")),
    "a bad chunk": (POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", (400, "not_http")),
    "no such address": (b"GET http://[/ HTTP/1.1\r\n\r\n", (400, "not_http")),
    "bytes in the path": (b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n", (400, "not_http")),
}


@pytest.mark.parametrize("kind", NOT_HTTP)
def test_what_is_not_http_gets_an_error_of_the_usual_shape(live, kind):
    sent, expected = NOT_HTTP[kind]
    with served(live) as url, connected(url, 1, sent) as (client,):
        assert told(client) == expected


@pytest.mark.parametrize("header", [b"x: " + b"y" * 1_000_000, b"x: y\r\n" * 200_000], ids=["one line", "many lines"])
def test_a_header_without_an_end_is_refused_early(live, header):
    with served(live) as url, connected(url, 1, POST + header) as (client,):
        assert told(client) == (431, "header_too_large")


@pytest.mark.parametrize(
    "rest", [b"0\r\nx: " + b"y" * 1_000_000, b"0\r\n" + b"x: y\r\n" * 200_000, b"1;" + b"x" * 1_000_000]
)
def test_trailers_and_chunk_extensions_without_an_end_are_refused_early(live, rest):
    with served(live) as url, connected(url, 1, POST + b"transfer-encoding: chunked\r\n\r\n" + rest) as (client,):
        assert told(client) == (431, "header_too_large")


def test_a_trailer_is_no_header(live):
    """It would come after the token was looked at, and proxies do not check it."""
    sent = POST.replace(b"/predict", b"/variant/A/stage") + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    sent += b'd\r\n{"version":2}\r\n0\r\nx-token: ' + TOKEN.encode() + b"\r\n\r\n"
    with served(live) as url, connected(url, 1, sent) as (client,):
        assert told(client) == (401, "unauthorized")


def test_small_chunks_of_a_good_body_are_taken(live):
    body = json.dumps([ROW] * 50).encode()
    with served(live) as url:
        answer = httpx.post(f"{url}/predict", content=(bytes([byte]) for byte in body))
    assert (answer.status_code, len(answer.json()["prediction"])) == (200, 50)


def test_requests_that_are_sent_without_waiting_for_answers_are_answered_in_their_order(live):
    body = json.dumps([ROW] * 200).encode()
    asks = [POST + b"x-request-id: %d\r\ncontent-length: %d\r\n\r\n" % (n, len(body)) + body for n in range(30)]
    with served(live) as url, connected(url) as (client,):
        threading.Thread(target=client.sendall, args=[b"".join(asks)], daemon=True).start()
        content = b""
        while content.count(b'"request_id":"') < len(asks):
            content += client.recv(65536)
    assert re.findall(rb'"request_id":"(\d+)"', content) == [b"%d" % n for n in range(30)]


def test_a_header_of_64_kilobytes_is_no_failure_of_the_server(live):
    with served(live) as url:
        assert httpx.get(f"{url}/healthz", headers={"x-long": "y" * 65_000}).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/variant/A/stage"])
def test_a_body_without_an_end_is_refused_and_then_cut(live, impatient, path):
    """The control routes too: FastAPI reads a body before it asks for the token."""
    asked = POST.replace(b"/predict", path.encode()) + b"transfer-encoding: chunked\r\n\r\n"
    with served(live, max_body_bytes=1024) as url, connected(url, 1, asked) as (client,):
        began, content = time.monotonic(), b""
        client.settimeout(0.05)
        with suppress(ConnectionError):
            while time.monotonic() < began + CLOSED_S:
                client.sendall(b"4\r\nxxxx\r\n" * 1000)
                with suppress(TimeoutError):
                    content += client.recv(65536)
        assert b" 413 " in content
        assert time.monotonic() - began < CLOSED_S


@pytest.mark.parametrize("path", ["/predict", "/variant/A/stage"])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}", b'{"a":' * 50_000])
def test_json_that_python_cannot_take_is_the_clients_fault(live, path, body):
    with served(live) as url:
        answer = httpx.post(f"{url}{path}", content=body, headers={"content-type": "application/json", **AUTH})
    assert 400 <= answer.status_code < 500
    assert answer.json()["status"] == "error"


def test_a_hundred_clients_that_hang_up_in_mid_body_leave_a_line_and_no_traceback(live, caplog, monkeypatch):
    monkeypatch.setattr(problem.hung_up, "_quiet_until", 0.0)
    before = problem.hung_up.count
    with served(live) as url:
        with connected(url, 100, BEGUN):
            pass
        deadline = time.monotonic() + 10
        while problem.hung_up.count < before + 100:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert httpx.get(f"{url}/metrics").text.count('status="499"} 100.0') == 1

    lines = [record for record in caplog.records if record.name.startswith(("interlock.serving", "uvicorn"))]
    assert [record for record in lines if record.exc_info] == []
    assert 1 <= sum("hung up" in record.message for record in lines) <= 5


def test_a_hundred_clients_that_send_garbage_leave_a_line(live, caplog, monkeypatch):
    monkeypatch.setattr(connection.refused, "_quiet_until", 0.0)
    with served(live) as url:
        for _ in range(100):
            with connected(url, 1, b"\x00\r\n\r\n") as (client,):
                told(client)

    lines = [record.message for record in caplog.records if record.name.startswith(("interlock.serving", "uvicorn"))]
    assert 1 <= sum("were refused so far" in line for line in lines) <= 5
    assert len(lines) < 15


def test_a_client_in_mid_body_does_not_hold_up_the_end_of_the_app(live, monkeypatch):
    monkeypatch.setattr(connection, "LINGER_S", 0.3)
    with served(live) as url:
        client = connected(url, 1, BEGUN)
        client.__enter__()
        assert httpx.get(f"{url}/healthz").is_success
        began = time.monotonic()
    assert time.monotonic() - began < 3
    client.__exit__(None, None, None)
