"""The limits that the child puts on itself, looked at from inside of it."""

import json
import os
import signal
import sys

import pytest

from interlock.model.trial import process

MIB = 1024 * 1024


def inside(script: str, memory_bytes: int = 64 * MIB, cpu_s: int = 5, parent: int | None = None) -> process.Ended:
    """Run *script* in a child that has confined itself; it says something by `say`."""
    setup = f"""
import json, os, resource, sys
*sys.path, handle = sys.argv[1:]
say = lambda said: os.write(int(handle), json.dumps(said).encode())
from interlock.model.confined import cage
cage.confine({os.getpid() if parent is None else parent}, {memory_bytes}, {cpu_s})
"""
    command = [setup + script if part == process.BOOT else part for part in process.COMMAND]
    return process.run(b"", 20, 100_000, command)


def test_memory_beyond_its_limit_is_an_error_inside():
    script = """
taken = bytearray(32 * 1024 * 1024)
try:
    bytearray(64 * 1024 * 1024)
except MemoryError:
    say("no more")
"""
    assert json.loads(inside(script).said) == "no more"


def test_processor_time_beyond_its_limit_ends_it():
    ended = inside("say('begun')\nwhile True: pass", cpu_s=1)
    assert ended.code == -signal.SIGXCPU
    assert 1 < ended.cpu_s < 4


def test_processor_time_ends_it_also_where_the_releasing_process_ignores_that_signal():
    before = signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXCPU])
    try:
        assert inside("while True: pass", cpu_s=1).code == -signal.SIGXCPU
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGXCPU])
        signal.signal(signal.SIGXCPU, before)


def test_it_cannot_write_a_file_nor_open_many():
    script = """
import errno, tempfile
found = []
try:
    with open("/tmp/interlock-trial-test", "wb") as file: file.write(b"x")
except OSError as error:
    found.append(errno.errorcode[error.errno])
os.unlink("/tmp/interlock-trial-test")
try:
    files = [open("/dev/null") for _ in range(100)]
except OSError as error:
    found.append(errno.errorcode[error.errno])
say(found)
"""
    assert json.loads(inside(script).said) == ["EFBIG", "EMFILE"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limits")
def test_it_is_nice_gains_no_rights_dumps_no_core_and_is_the_first_to_go():
    script = """
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
limits = [resource.getrlimit(kind) for kind in (resource.RLIMIT_CORE, resource.RLIMIT_NPROC)]
say([os.nice(0), status["NoNewPrivs"].strip(), limits, open("/proc/self/oom_score_adj").read().strip()])
"""
    nice, privileges, limits, badness = json.loads(inside(script).said)
    assert nice == min(19, os.nice(0) + 10)
    assert (privileges, limits, badness) == ("1", [[0, 0], [0, 0]], "1000")


def test_a_child_whose_parent_is_gone_already_does_not_begin():
    ended = inside("say('begun')", parent=1)
    assert (ended.said, ended.code) == (b"", 1)


def test_its_peak_begins_where_it_is_told_to():
    script = """
import gc
large = bytearray(40 * 1024 * 1024)
with_it = cage.peak() - cage.resident()
del large
dropped = cage.peak() - cage.resident()
cage.forget_the_peak()
say([with_it, dropped, cage.peak() - cage.resident()])
"""
    with_it, dropped, forgotten = json.loads(inside(script).said)
    assert with_it < 4 * MIB
    assert dropped > 36 * MIB
    assert forgotten < 4 * MIB
