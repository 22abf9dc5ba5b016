"""A candidate that computes for minutes, at the real process: decisions reach clients, and SIGTERM ends it at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from inject import slow_models
from support.ports import free_ports
from world.models import AUTH, ROW, TOKEN, decide

pytestmark = pytest.mark.system
SIDE = 7000
"""Of two matrices whose product takes a core from ten seconds to a minute, and half a GiB."""
UP_S = 60


@contextmanager
def process(store) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m interlock.serving` over the repository, alive."""
    (port,) = free_ports(1)
    ours = {
        "PORT": str(port),
        "REPOSITORY": str(store.root),
        "TOKENS": TOKEN,
        "LOG_ENABLED": "false",
        "LOAD_TIMEOUT_S": "600",
        "SELF_TEST_TIMEOUT_S": "600",
    }
    variables = os.environ | {f"INTERLOCK_SERVING_{name}": value for name, value in ours.items()}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "interlock.serving"], env=variables) as app:
        try:
            deadline = time.monotonic() + UP_S
            while not answers(url):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield url, app
        finally:
            app.kill()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def version(url: str) -> int:
    return int(httpx.post(f"{url}/predict", json=[ROW]).raise_for_status().json()["version"])


@pytest.mark.parametrize("at_load", [True, False])
def test_a_decision_reaches_clients_and_a_stop_ends_the_app_while_a_candidate_computes(store, at_load):
    """Before: after 20.8 s, or not at all; and the stop took 10 s."""
    decide(store, "A", 1)
    slow_models.put(store, 9, slow_models.multiplying(SIDE, at_load=at_load))
    ends: list[httpx.Response] = []

    def stage_the_hostile_one():
        ends.append(httpx.post(f"{url}/variant/A/stage", json={"version": 9}, headers=AUTH, timeout=600))

    with process(store) as (url, app):
        httpx.post(f"{url}/variant/A/stage", json={"version": 2}, headers=AUTH, timeout=30).raise_for_status()
        staging = threading.Thread(target=stage_the_hostile_one)
        staging.start()
        busy_until = time.monotonic() + 2
        while time.monotonic() < busy_until:
            assert version(url) == 1

        decide(store, "A", 2)
        decided = time.monotonic()
        while version(url) != 2:
            assert time.monotonic() < decided + 1.0, "the decision did not reach clients within a second"
        assert httpx.get(f"{url}/readyz").is_success
        assert not ends, "the candidate did not compute for long enough"

        app.send_signal(signal.SIGTERM)
        told = time.monotonic()
        status = app.wait(timeout=30)
        took = time.monotonic() - told
        staging.join()
    assert took < 3
    assert status in (0, -signal.SIGTERM)
    assert (ends[0].status_code, ends[0].json()["message"]) == (409, "this app is being stopped")
