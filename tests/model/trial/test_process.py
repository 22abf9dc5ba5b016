"""The child process by itself: whatever it does, it is listened to until a deadline, and nothing of it is left."""

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from interlock.errors import Refused
from interlock.model.trial import process
from interlock.model.trial.process import Cut, Ended, run

SAY = "import os, sys; say = lambda text: os.write(int(sys.argv[-1]), text)\n"


def run_script(script: str, wall_s: float = 10.0, most_bytes: int = 100_000, question: bytes = b"") -> Ended:
    return run(question, wall_s, most_bytes, [sys.executable, "-I", "-c", SAY + script])


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    files, before = set(Path("/proc/self/fd").iterdir()), children()
    yield
    assert children() == before
    assert set(Path("/proc/self/fd").iterdir()) == files


def test_what_it_says_is_heard_and_how_it_ended():
    ended = run_script("say(b'one\\n'); say(sys.stdin.buffer.read()); sys.exit(3)", question=b"asked")
    assert (ended.said, ended.code, ended.cut) == (b"one\nasked", 3, None)
    assert ended.cpu_s > 0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU])
def test_a_signal_that_ends_it_is_known(number):
    assert run_script(f"os.kill(os.getpid(), {int(number)})").code == -number


def test_a_large_question_does_not_wait_for_a_child_that_does_not_read():
    assert run_script("say(b'done')", question=b"x" * 10_000_000).said == b"done"


def test_a_child_that_waits_is_ended_at_its_deadline():
    started = time.monotonic()
    ended = run_script("say(b'begun'); import time; time.sleep(60)", wall_s=0.5)
    assert (ended.said, ended.cut) == (b"begun", Cut.LATE)
    assert time.monotonic() - started < 2


def test_a_child_that_ignores_signals_is_ended_at_its_deadline():
    script = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; say(b'x'); time.sleep(60)"
    assert run_script(script, wall_s=0.5).cut is Cut.LATE


def test_a_child_that_talks_without_end_is_ended_at_once():
    started = time.monotonic()
    ended = run_script("while True: say(b'x' * 1000)", wall_s=30)
    assert ended.cut is Cut.FLOOD
    assert len(ended.said) < 100_000 + 2 * process.PIECE
    assert time.monotonic() - started < 5


def test_a_child_that_prints_without_end_is_not_listened_to():
    ended = run_script("for _ in range(10_000): print('x' * 1000); print('x' * 1000, file=sys.stderr)\nsay(b'done')")
    assert (ended.said, ended.code) == (b"done", 0)


def test_what_a_child_started_ends_with_it():
    script = "import subprocess; p = subprocess.Popen(['sleep', '60']); say(str(p.pid).encode()); sys.exit(0)"
    ended = run_script(script)
    assert ended.code == 0
    psutil.wait_procs([psutil.Process(int(ended.said))] if psutil.pid_exists(int(ended.said)) else [], timeout=5)
    assert not psutil.pid_exists(int(ended.said)) or psutil.Process(int(ended.said)).status() == "zombie"


def test_it_knows_nothing_of_the_releasing_process(monkeypatch):
    """No variable, no open file, no folder, no words on its standard input but the question."""
    monkeypatch.setenv("INTERLOCK_SERVING_TOKENS", "a secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    script = (
        "import json; say(json.dumps([dict(os.environ), sys.path, os.listdir(), os.listdir('/proc/self/fd')]).encode())"
    )
    environment, path, folder, files = json.loads(run_script(script).said)
    assert {name for name in environment if name != "LC_CTYPE"} == {"ORT_DISABLE_TELEMETRY", "OPENBLAS_NUM_THREADS"}
    assert "/somewhere" not in path
    assert folder == []
    assert len(files) == 5  # three, the pipe, and the listing itself


def test_a_program_that_is_not_there_is_no_word_about_the_candidate():
    with pytest.raises(Refused, match="cannot be run on this machine: No such file"):
        run(b"", 5, 1000, ["/nowhere/python"])


def test_a_machine_that_starts_no_process_is_no_word_about_the_candidate(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(process.subprocess, "Popen", fail)
    with pytest.raises(Refused, match="Resource temporarily unavailable"):
        run(b"", 5, 1000)


def test_a_full_disk_is_no_word_about_the_candidate(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(process, "TemporaryDirectory", fail)
    with pytest.raises(Refused, match="No space left"):
        run(b"", 5, 1000)


def test_a_release_that_is_told_to_stop_leaves_no_child(monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_listen", stop)
    with pytest.raises(KeyboardInterrupt):
        run_script("import time; time.sleep(60)")


def test_the_folder_that_it_stood_in_is_gone():
    folder = Path(run_script("say(os.getcwd().encode())").said.decode())
    assert folder.name.startswith("interlock-trial-")
    assert not folder.exists()
