"""Where there can be no Triton it is said why, and everything else works."""

import importlib.util
import stat
from pathlib import Path

import httpx
import pytest
from support.ports import free_ports
from world.models import iris, overwrite, put
from world.real_triton import RealTriton, reason_for_none

from interlock.adapters.triton.control import TritonControl
from interlock.records import Current, EngineRef, Variant
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.processes import processes
from interlock.stack.triton import server as triton_server
from interlock.store import Store


@pytest.fixture
def no_wheel(monkeypatch):
    triton_server.why_not.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    yield
    triton_server.why_not.cache_clear()


def test_without_the_wheel_the_stack_has_every_other_part(no_wheel, home):
    settings = Settings(home_folder=home)

    assert "nvidia-pytriton needs Linux with glibc 2.35" in triton_server.why_not(settings)
    assert [part.name for part in processes(settings)] == ["prefect", "mlflow", "serving", "worker", "reconcile"]


def test_a_path_with_a_space_is_refused(home):
    if reason := reason_for_none(home):
        pytest.skip(reason)
    with pytest.raises(StackError, match="breaks on spaces"):
        triton_server.check(Settings(home_folder=home / "my models"))


def test_a_stub_that_does_not_start_is_told_before_a_load_would_hang(home, monkeypatch):
    """As without libpython: the probe ends with 127."""
    if reason := reason_for_none(home):
        pytest.skip(reason)
    stub = home / "stub"
    stub.write_text("#!/bin/sh\necho 'libpython3.11.so.1.0: cannot open shared object file' >&2\nexit 127\n")
    stub.chmod(stub.stat().st_mode | stat.S_IEXEC)
    make = triton_server.make_backends

    def with_broken_stub(folder: Path) -> Path:
        root = make(folder)
        link = root / "python" / "triton_python_backend_stub"
        link.unlink()
        link.symlink_to(stub)
        return root

    monkeypatch.setattr(triton_server, "make_backends", with_broken_stub)
    with pytest.raises(StackError, match=r"cannot open shared object.*apt-get install libpython3"):
        triton_server.check(Settings(home_folder=home))


def test_the_control_apis_are_behind_the_key_and_everything_is_on_loopback(home):
    if reason := reason_for_none(home):
        pytest.skip(reason)
    line = triton_server.command(Settings(home_folder=home), home, ["best_model", "best_model"])

    assert line.count("--load-model=best_model") == 1
    assert "--model-control-mode=explicit" in line
    for option in ("--http-address", "--grpc-address", "--metrics-address"):
        assert f"{option}=127.0.0.1" in line
    assert any(word.startswith("--http-restricted-api=model-repository,") for word in line)
    assert any(word.startswith("--grpc-restricted-protocol=model-repository,") for word in line)


def test_what_no_decision_names_is_not_rendered_and_what_was_is_removed(home):
    store = Store(home / "repository")
    made = put(store, 1, iris(1.0))
    variant = Variant(
        alias="A",
        active_version=1,
        run_id="r",
        sha256=made.sha256,
        engines=(EngineRef(kind="triton", name="dev", urls=()),),
    )
    overwrite(store, Current.nothing("best_model").having("A", variant, epoch=1, release_id="r"))
    config = store.paths("best_model").versions / "config.pbtxt"

    assert triton_server.render(store, "dev") == ["best_model"]
    assert "versions: 1" in config.read_text()
    assert triton_server.render(store, "somebody-else") == []
    assert not config.exists()


@pytest.mark.system
def test_a_real_server_listens_on_an_ipv6_host_with_every_protocol(home):
    if reason := reason_for_none(home):
        pytest.skip(reason)
    http, grpc, metrics = free_ports(3)
    settings = Settings(
        home_folder=home, host="::1", triton_port=http, triton_grpc_port=grpc, triton_metrics_port=metrics
    )
    triton = RealTriton(settings)
    try:
        triton.start()

        assert TritonControl(triton.grpc, triton.key, 5, 5).ready_versions() == {}
        assert httpx.get(f"{settings.local_url('triton_metrics')}/metrics", timeout=5).is_success
    finally:
        triton.stop()
