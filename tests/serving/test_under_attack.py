"""The real process with few descriptors, while clients hold more connections than it has: releases and users go on."""

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from itertools import cycle

import httpx
import psutil
import pytest
from support.ports import free_ports
from world.engines import environment, serving_engine
from world.fakes import FakeRegistry
from world.models import ROW, TOKEN, decide, iris

from interlock.records import Candidate
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.stack.processes import ROOT

pytestmark = pytest.mark.system
FILES = 1024
HELD = 1200
SENT = (
    b"",
    b"GET /he",
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n[[",
    b"GET / HTTP/1.1\r\n\r\n",
)


@contextmanager
def app(store, folder, files=FILES):
    """`python -m interlock.serving` with at most *files* open files; yield it, its public and its control address."""
    public, control = free_ports(2)
    environment = {
        "INTERLOCK_SERVING_PORT": str(public),
        "INTERLOCK_SERVING_CONTROL_PORT": str(control),
        "INTERLOCK_SERVING_REPOSITORY": str(store.root),
        "INTERLOCK_SERVING_TOKENS": TOKEN,
        "INTERLOCK_SERVING_LOG_FOLDER": str(folder / "log"),
    }
    command = ["/bin/sh", "-c", f"ulimit -n {files}; exec {sys.executable} -m interlock.serving"]
    with (folder / "stderr").open("wb") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=said)
    urls = [f"http://127.0.0.1:{port}" for port in (public, control)]
    try:
        until(lambda: is_ready(urls[1]) or process.poll() is not None, 60)
        yield process, *urls
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)


def is_ready(url):
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    return False


def until(is_so, seconds):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Holder:
    """So many connections that ask nothing, or half of something; each that is closed is opened again."""

    def __init__(self, url, number):
        self.address = httpx.URL(url).host, httpx.URL(url).port
        self.reopened = 0
        self.over = threading.Event()
        self.clients = [(self.opened(sent), sent) for _, sent in zip(range(number), cycle(SENT), strict=False)]

    def opened(self, sent):
        client = socket.create_connection(self.address, timeout=10)
        client.sendall(sent)
        client.settimeout(0)
        return client

    def hold(self):
        while not self.over.wait(0.25):
            for place, (client, sent) in enumerate(self.clients):
                if is_closed(client):
                    client.close()
                    with suppress(OSError):
                        self.clients[place] = (self.opened(sent), sent)
                        self.reopened += 1


@contextmanager
def held(url, number=HELD):
    """Let somebody hold so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, number + 500)), hard))
    holder = Holder(url, number)
    thread = threading.Thread(target=holder.hold)
    thread.start()
    try:
        yield holder
    finally:
        holder.over.set()
        thread.join()
        for client, _ in holder.clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(client):
    try:
        return client.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def asked(url):
    answer = httpx.post(f"{url}/predict", json=[ROW], timeout=10)
    return answer.status_code, answer.json().get("version")


def release(store, version, url):
    """Release *version* as a flow does, through the replica's address *url*."""
    made = iris(10.0)
    manifest = made.manifest(f"run-{version}")
    content = {"onnx/model.onnx": made.onnx, "manifest.json": manifest.model_dump_json().encode()}
    registry = FakeRegistry(artifacts={(version, name): bytes_ for name, bytes_ in content.items()})
    candidate = Candidate(
        model="best_model", alias="A", version=version, run_id=manifest.run_id, sha256=manifest.sha256
    )
    engine = serving_engine("dev", [url], TOKEN)
    with released(environment(store, engine, registry=registry), candidate, [engine]) as made:
        carry_out(made)
    return made.current


def test_a_release_probes_and_fresh_users_go_on_while_others_hold_every_connection(store, tmp_path):
    """1,200 connections, opened anew when they are closed, against a process that may open 1,024 files."""
    decide(store, "A", 1)
    with app(store, tmp_path) as (process, public, control), held(public) as holder:
        assert [asked(public) for _ in range(20)] == [(200, 1)] * 20
        current = release(store, 2, control)
        assert httpx.get(f"{control}/readyz", timeout=2).json()["versions"] == {"A": 2}
        assert [asked(public) for _ in range(20)] == [(200, 2)] * 20
        decide(store, "A", 1)
        until(lambda: asked(public) == (200, 1), 2)
        assert psutil.Process(process.pid).num_fds() < FILES
        assert holder.reopened

    assert [ref.urls for ref in current.variants["A"].engines] == [(control,)]
    said = (tmp_path / "stderr").read_text()
    assert "the public listener is full" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) < 100


def test_a_release_through_the_public_address_goes_on_too(store, tmp_path):
    """It was enrolled before there was a control listener."""
    decide(store, "A", 1)
    with app(store, tmp_path) as (_, public, control), held(public, 600):
        release(store, 2, public)
        assert asked(control) == (200, 2)


def test_the_soft_limit_of_files_is_raised_and_a_hard_one_lowers_the_number_of_clients(store, tmp_path):
    decide(store, "A", 1)
    with app(store, tmp_path, "-S 300") as (process, *_):
        assert psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE)[0] == 1024
    with app(store, tmp_path, 600) as (process, public, _), held(public, 700):
        assert asked(public) == (200, 1)
        assert psutil.Process(process.pid).num_fds() < 600
    assert "88 clients are connected at once, not 512" in (tmp_path / "stderr").read_text()


def test_too_few_files_for_any_client_is_said_at_the_start(store, tmp_path):
    with pytest.raises(AssertionError), app(store, tmp_path, 100) as (process, *_):
        assert process.poll() is None
    said = (tmp_path / "stderr").read_text()
    assert "serving does not start: a process may open 100 files" in said
