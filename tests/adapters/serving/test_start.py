"""Down is when nobody answers; the command is run without a shell, and its failure is told."""

import os
import signal
import sys
import time
from contextlib import suppress

import pytest
from prefect.logging import disable_run_logger
from support.wire import wire

from blocks.serving_api import ServingApi
from interlock.adapters.http import HttpClient
from interlock.adapters.serving.start import ServingStart
from interlock.errors import Refused, Unreachable
from tasks.serving import ensure_up

NOT_READY = {"status": "error", "error": "not_ready", "message": "A: v2 is not loaded"}
"""A 503 of the app; most gateways answer 503 too when nobody is behind them, in other words."""
SERVER = """
import http.server, os, sys
if os.fork():
    sys.exit(0)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
open(sys.argv[2], "w").write(str(os.getpid()))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def app(url: str, *command: str, longest_s: float = 20) -> ServingStart:
    return ServingStart([url], command, timeout_s=1, longest_s=longest_s)


@pytest.mark.parametrize(
    "answer", [(200, b"ok"), (200, b"<html>nonsense"), (404, {}), (401, {}), (500, {}), (503, NOT_READY)]
)
def test_who_answers_is_up_whatever_the_answer_is(answer):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: answer
        assert app(told.url).down() == []


@pytest.mark.parametrize("answer", [(0, b""), (502, b""), (504, b""), (503, b""), (503, b"<html>"), (503, {})])
def test_who_hangs_up_and_a_gateway_with_nobody_behind_it_is_down(answer):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: answer
        assert app(told.url).down() == [told.url]


def test_silence_is_down_in_time(free_port):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: (time.sleep(2), (200, {}))[1]
        started = time.monotonic()
        assert app(told.url).down() == [told.url]
        assert time.monotonic() - started < 1.9
    nowhere = f"http://127.0.0.1:{free_port}"
    assert app(nowhere).down() == [nowhere]


def test_what_the_command_leaves_behind_is_waited_for_and_lives_on(free_port, tmp_path):
    """It keeps the command's output open, which must hold up nobody."""
    url, pid = f"http://127.0.0.1:{free_port}", tmp_path / "pid"
    start = app(url, sys.executable, "-c", SERVER, str(free_port), str(pid))
    try:
        assert start.start() == []
        assert start.down() == []
        assert os.getsid(int(pid.read_text())) != os.getsid(0)
    finally:
        with suppress(FileNotFoundError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        ([], Refused, "does not answer, and the block has no start_command"),
        (["/no/such/program"], Refused, "`/no/such/program` cannot be run: No such file"),
        (["sh", "-c", "echo no image; exit 3"], Refused, "failed with 3: no image"),
        (["sleep", "30"], Unreachable, "`sleep 30` did not return within 0.5 s"),
        (["true"], Unreachable, "is not alive 0.5 s after `true`"),
    ],
)
def test_a_command_that_does_not_start_it_is_told(free_port, command, error, says):
    with pytest.raises(error, match=says):
        app(f"http://127.0.0.1:{free_port}", *command, longest_s=0.5).start()


def test_nothing_in_the_command_is_a_shells(free_port, tmp_path):
    with pytest.raises(Unreachable, match="is not alive"):
        app(f"http://127.0.0.1:{free_port}", "echo", f"; touch {tmp_path}/mark", longest_s=0.2).start()
    assert list(tmp_path.iterdir()) == []


def block(urls, tmp_path, command=("touch",)) -> ServingApi:
    return ServingApi(urls=urls, token="t", start_command=[*command, str(tmp_path / "mark")], start_timeout_s=0.5)


def test_an_api_that_is_up_is_not_started(tmp_path):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: (500, b"nonsense")
        assert ensure_up.fn(block([told.url], tmp_path)) is None
    assert not (tmp_path / "mark").exists()


def test_one_replica_of_two_that_is_away_is_started_and_named(tmp_path, free_port):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: (200, b"{}")
        away = f"http://127.0.0.1:{free_port}"

        with disable_run_logger():
            done = ensure_up.fn(block([told.url, away], tmp_path))

    assert done == f"nobody answered at {away}, `touch {tmp_path}/mark` was run; {away} still does not answer"
    assert (tmp_path / "mark").exists()


def test_one_replica_that_answers_is_enough_where_nothing_can_be_started(free_port):
    with wire() as told:
        told.answers["GET /healthz"] = lambda _: (200, b"{}")
        assert ensure_up.fn(ServingApi(urls=[told.url, f"http://127.0.0.1:{free_port}"], token="t")) is None


@pytest.mark.parametrize("command", [[], "docker compose up"])
def test_a_command_is_a_list_of_words(command):
    with pytest.raises(ValueError, match="start_command"):
        ServingApi(urls=["http://x"], token="t", start_command=command)


def test_a_health_check_asks_one_question():
    with wire() as told:
        assert HttpClient(told.url, 1).is_answered("/healthz") is True
        assert told.count("GET /healthz") == 1
