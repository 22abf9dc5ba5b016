"""Nobody outside is told of what we do, and this machine is asked directly, whatever proxy is set."""

import ast
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.wire import wire

from interlock import outbound
from interlock.cli import shell
from interlock.settings import Settings
from interlock.stack.processes import ROOT, environment
from interlock.stack.triton import server as triton_server

PACKAGES = ("benchmarks", "blocks", "demos", "flows", "interlock", "learners", "tasks")
IN_THE_STUB = {"interlock.stack.triton.onnxruntime_backend"}
"""Runs inside Triton's stub, in the environment that `interlock.stack.triton.server` gives to it."""
ASKERS = """
import flows, httpx, requests
from interlock.adapters.notify import Webhook
from interlock.adapters.http import HttpClient
from prefect.client.base import PrefectHttpxSyncClient
from interlock.cli.status import _answers
url = "{url}"
HttpClient(url, 2).call("GET", "/adapter")
assert _answers(url + "/status")
assert Webhook(url + "/chat", 2).say("hello")
requests.get(url + "/mlflow", timeout=2).raise_for_status()
PrefectHttpxSyncClient(base_url=url, timeout=2, enable_csrf_support=False).get("/prefect").raise_for_status()
"""
IDENTITY = """
import {module}, onnxruntime, numpy
from onnx import helper
row = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", row[:1], row[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
session.run(None, {{"x": numpy.ones(1, numpy.float32)}})
"""


def child(code: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in an environment that says nothing but where things are."""
    given = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=60, check=False
    )


def through(port: int, **more: str) -> dict[str, str]:
    """A company's proxy, which does not know this machine."""
    proxy = f"http://127.0.0.1:{port}"
    return {"http_proxy": proxy, "https_proxy": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy, **more}


@pytest.mark.parametrize("more", [{}, {"no_proxy": ".example.com"}])
def test_this_machine_is_asked_directly_whatever_proxy_is_set(more, free_port, tmp_path):
    """By our own clients, by Prefect's and by the library of MLflow's."""
    asked = ["GET /adapter", "GET /status", "POST /chat", "GET /mlflow", "GET /prefect"]
    with wire() as told:
        told.answers = dict.fromkeys(asked, lambda _: (200, {}))

        done = child(ASKERS.format(url=told.url), tmp_path, **through(free_port, **more))

        assert done.returncode == 0, done.stderr
        assert [key for key, _ in told.asked] == asked


def test_triton_is_asked_directly_over_grpc(free_port, tmp_path):
    """gRPC reads variables of its own; the first bytes of its connection arrive at Triton's port."""
    with socket.create_server(("127.0.0.1", 0)) as triton:
        arrived = []

        def listen() -> None:
            with triton.accept()[0] as connection:
                arrived.append(connection.recv(3))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        ask = (
            "from interlock.adapters.triton.control import TritonControl as C; "
            "C('127.0.0.1:{}', 'k', 2, 2).ready_versions()"
        )
        child(ask.format(triton.getsockname()[1]), tmp_path, **through(free_port))
        thread.join(5)

        assert arrived == [b"PRI"]


def test_hosts_that_a_person_exempts_stay_exempt_and_the_stack_is_added():
    given = {"NO_PROXY": "intern.example, 10.0.0.1", "no_proxy": ".example"}

    told = outbound.environment(given, ["http://[::1]:5000", "https://mlflow.example:443/base"])

    assert told["no_proxy"] == told["NO_PROXY"]
    assert told["no_proxy"].split(",") == [
        ".example", "intern.example", "10.0.0.1", "localhost", "127.0.0.1", "::1", "mlflow.example",
    ]  # fmt: skip


def test_every_part_of_the_stack_exempts_its_addresses_also_those_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intern.example")
    settings = Settings(home_folder=tmp_path, host="10.1.2.3", mlflow_url="http://m.example", serving_urls="http://s:1")

    told = environment(settings)

    assert {"intern.example", "127.0.0.1", "10.1.2.3", "m.example", "s"} <= set(told["NO_PROXY"].split(","))
    assert told["ORT_DISABLE_TELEMETRY"] == "1"


def test_the_printed_shell_line_exempts_the_stack_where_a_proxy_is_set(tmp_path, monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    settings = Settings(home_folder=tmp_path, host="10.1.2.3")
    assert "proxy" not in shell.lines(settings)[0]

    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert "NO_PROXY=localhost,127.0.0.1,::1,10.1.2.3,$NO_PROXY" in shell.lines(settings)[0]


def importers() -> list[str]:
    """The modules of ours that import onnxruntime, by name."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if imports_onnxruntime(path)]


def imports_onnxruntime(path: Path) -> bool:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [name for node in nodes for name in [getattr(node, "module", "") or "", *(a.name for a in node.names)]]
    return any(name.split(".")[0] == "onnxruntime" for name in named)


def telemetry_of(home: Path) -> list[Path]:
    """What onnxruntime leaves in a home when it means to tell its maker: it is there from the import on."""
    return [path for path in home.rglob("*") if "Microsoft" in path.parts or "onnxruntime" in path.name.lower()]


def test_onnxruntime_itself_would_tell_its_maker(tmp_path):
    """Without this the next test would prove nothing."""
    assert child(IDENTITY.format(module="sys"), tmp_path).returncode == 0
    if not telemetry_of(tmp_path):
        pytest.skip("this onnxruntime has no telemetry here")


@pytest.mark.parametrize("module", [name for name in importers() if name not in IN_THE_STUB])
def test_whoever_of_us_imports_onnxruntime_tells_nobody(module, tmp_path):
    done = child(IDENTITY.format(module=module), tmp_path)

    assert done.returncode == 0, done.stderr
    assert telemetry_of(tmp_path) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_any_package_of_ours_silences_every_library(package, tmp_path):
    done = child(f"import os, {package}; print(*map(os.environ.get, {list(outbound.SILENT)}))", tmp_path)

    assert done.stdout.split() == list(outbound.SILENT.values()), done.stderr


def test_the_stub_of_triton_is_silent_too():
    assert triton_server.environment().items() >= outbound.SILENT.items()


@pytest.mark.slow
def test_no_connection_leaves_this_machine_while_a_model_runs(tmp_path):
    """onnxruntime sends after some seconds, so a model is kept for longer than that."""
    if not (strace := shutil.which("strace")):
        pytest.skip("no strace")
    trace, code = (
        tmp_path / "trace",
        IDENTITY.format(module="interlock.serving.in_process") + "import time; time.sleep(20)",
    )
    home = tmp_path / "home"
    home.mkdir()
    given = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    watched = [
        strace,
        "-f",
        "-e",
        "trace=connect,sendto,sendmsg,sendmmsg",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        code,
    ]
    subprocess.run(watched, env=given, check=True, timeout=90)

    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line and "127.0.0.1" not in line] == []


def test_nobody_is_asked_through_a_proxy_where_the_person_says_so():
    """Beside other names, some libraries take `*` for a name."""
    assert outbound.environment({"NO_PROXY": "*"}, ["http://10.1.2.3"])["no_proxy"] == "*"
