"""What a killed tritonserver leaves in memory and in /tmp goes when the next one starts."""

import os
import subprocess
import time

import psutil
import pytest
from support.ports import free_ports
from world.real_triton import RealTriton, reason_for_none, settings_at

from interlock.stack.triton import left as triton_left

REGION = "triton_onnxruntime_backend_shm_region_1"


@pytest.fixture
def left(tmp_path):
    """A region, a candidate and an empty environment of an hour ago; and what only looks alike."""
    shared, temporary = tmp_path / "shm", tmp_path / "tmp"
    shared.mkdir()
    for name in ("folderAbCdEf", "folderGhIjKl", "python_env_AbCdEf", "python_env_GhIjKl"):
        (temporary / name).mkdir(parents=True)
    files = (shared / REGION, shared / "another", temporary / "folderAbCdEf/config.pbtxt")
    for file in (*files, temporary / "folderGhIjKl/mine", temporary / "python_env_GhIjKl/mine"):
        file.write_text("")
    for path in (*shared.iterdir(), *temporary.iterdir()):
        os.utime(path, (time.time() - 3600,) * 2)
    return shared, temporary


def test_what_nobody_needs_is_removed_and_what_looks_alike_is_not(left, monkeypatch):
    monkeypatch.setattr(psutil, "process_iter", list)
    shared, temporary = left

    assert {path.name for path in triton_left.sweep(*left)} == {REGION, "folderAbCdEf", "python_env_AbCdEf"}

    assert [path.name for path in shared.iterdir()] == ["another"]
    assert {path.name for path in temporary.iterdir()} == {"folderGhIjKl", "python_env_GhIjKl"}
    assert triton_left.sweep(*left) == []


def test_what_is_younger_than_a_living_server_is_left_to_it(left, tmp_path):
    server = tmp_path / triton_left.SERVER
    server.symlink_to("/bin/sleep")
    with subprocess.Popen([server, "60"]) as living:
        for path in left:
            for young in path.iterdir():
                os.utime(young)
        removed = triton_left.sweep(*left)
        living.kill()

    assert removed == []


@pytest.mark.system
def test_a_server_that_was_killed_leaves_nothing_once_it_is_stopped_for_good(home):
    if reason := reason_for_none(home):
        pytest.skip(reason)
    real = RealTriton(settings_at(home, free_ports(3)))
    began = time.time()
    real.start()
    real.stop()

    assert [path for path in triton_left.TEMPORARY.glob(triton_left.ENVIRONMENTS) if path.stat().st_mtime > began] == []
