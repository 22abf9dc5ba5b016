"""What the operator's commands say in the wrong folder, to the wrong user, and about what is not there."""

import json
import os
import shutil
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from interlock.cli import loop, status
from interlock.cli import main as cli
from interlock.cli.announce import announcer
from interlock.settings import Settings
from interlock.stack.processes import ROOT
from interlock.store import Store

READERS = (
    ["status"], ["history"], ["rollback"], ["reconcile"], ["reconcile", "--every", "30"], ["prune", "--all"], ["down"],
    ["render-triton"],
)  # fmt: skip


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def interlock(monkeypatch, tmp_path, capsys):
    """Give a command in a folder of its own; return its exit code and what it said."""
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def give(*words):
        monkeypatch.setattr(sys, "argv", ["interlock", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return give


@pytest.fixture
def here(monkeypatch, tmp_path, release, world):
    """The repository of the world is that of the stack; three versions were live and one was put away."""
    monkeypatch.setenv("INTERLOCK_HOME_FOLDER", str(tmp_path / "home"))
    monkeypatch.setenv("INTERLOCK_REPOSITORY", str(world.store.root))
    monkeypatch.setenv("INTERLOCK_MLFLOW_URL", "http://127.0.0.1:9")
    for version in (1, 2, 3):
        release(version)
    return world.store


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_in_another_folder_a_command_refuses_and_names_the_variable(words, interlock, tmp_path):
    """As cron gives it, from `/`: it does not say that nothing runs, or that all is whole."""
    code, said = interlock(*words)

    assert code == 2, said
    assert f"there is no {tmp_path}/.interlock; INTERLOCK_HOME_FOLDER names the right folder" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", READERS[:-2], ids=" ".join)
def test_a_repository_that_is_not_there_is_refused_by_its_own_name(words, interlock, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLOCK_REPOSITORY", "/nowhere/repository")

    code, said = interlock(*words)

    assert code == 2, said
    assert "there is no /nowhere/repository; INTERLOCK_REPOSITORY names the right folder" in said


def test_a_stack_that_released_nothing_yet_is_in_order(interlock, tmp_path):
    (tmp_path / ".interlock").mkdir()

    assert interlock("reconcile")[1].startswith("nothing was ever released in")
    assert interlock("down") == (0, "nothing runs\n")


def powerless(*words: str, home: object) -> subprocess.CompletedProcess[str]:
    """Give a command as a user without an administrator's rights."""
    drop = [shutil.which("setpriv"), "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    if drop and not drop[0]:
        pytest.skip("no setpriv")
    code = f"import sys; sys.argv = ['interlock', *{words}]; from interlock.cli.main import main; main()"
    given = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT)}
    command = [*drop, sys.executable, "-c", code]
    return subprocess.run(
        command, env=given | {"INTERLOCK_HOME_FOLDER": str(home)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("words", [["status"], ["reconcile"], ["rollback"]], ids=" ".join)
def test_a_folder_of_another_user_is_told_in_a_sentence(words, home):
    for name in ("serving-token", "triton-key"):
        (home / name).touch(mode=0)

    done = powerless(*words, home=home)

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"interlock: {home}/serving-token: Permission denied")


def test_a_stack_of_another_user_is_not_nothing(home):
    with socket.socket(socket.AF_UNIX) as supervisor:
        supervisor.bind(str(home / "supervisor.sock"))
        supervisor.listen()
        (home / "supervisor.sock").chmod(0)

        done = powerless("down", home=home)

    assert done.returncode == 2, done.stdout + done.stderr
    assert f"the stack in {home} is another user's" in done.stderr


@pytest.mark.parametrize("words", [["history"], ["rollback"], ["prune"]], ids=" ".join)
def test_a_model_that_was_never_released_is_named_as_such(words, interlock, here):
    code, said = interlock(*words, "--model", "typo")

    assert code == 1, said
    assert "no model typo was ever released; there are best_model" in said


def test_a_user_without_a_name_is_recorded_by_number(interlock, here, monkeypatch):
    """As in a container that runs under any number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)

    assert interlock("prune", "--all", "--versions", "2")[0] == 0
    assert next(here.events("best_model")).message.startswith("uid-54321@")


def test_prune_asks_whose_versions_go(interlock, here):
    for words in ([], ["--model", "best_model", "--all"]):
        code, said = interlock("prune", *words)
        assert (code, "--model NAME, or --all" in said) == (2, True), said


def test_prune_lists_what_would_go_and_then_what_went(interlock, here):
    def prune(*words):
        code, said = interlock("prune", *words, "--versions", "2")
        assert code == 0
        return said.split("environment dev")[0]

    one = "  models/best_model/1\n"
    assert prune("--model", "best_model", "--dry-run") == f"best_model: 1 would be removed\n{one}"
    assert here.paths("best_model").version(1).is_dir()

    assert prune("--all") == f"best_model: 1 removed\n{one}"
    assert not here.paths("best_model").version(1).exists()
    assert prune("--all") == "best_model: 0 removed\n"


@pytest.mark.parametrize("every", ["0", "0.5", "-1", "nan", "inf", "-inf", "1e9"])
def test_a_period_that_is_none_is_refused(every, interlock, here):
    code, said = interlock("reconcile", "--every", every)

    assert code == 2, said
    assert "a pass every 1 to 86400 seconds" in said


def test_a_pass_that_hangs_ends_the_process_and_says_where(home):
    """Supervisor, or whoever keeps the loop alive, starts it anew."""
    hanging = (
        "import threading, types\nfrom interlock.cli import loop\nloop.PASS_S = 0.5\n"
        "def hang_here(*_): threading.Event().wait()\n"
        "store = types.SimpleNamespace(models=hang_here)\n"
        "loop.reconcile_for_ever(types.SimpleNamespace(env=types.SimpleNamespace(store=store)), 0.01, None)\n"
    )
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", hanging], env=given, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "hang_here" in done.stderr


def test_a_pass_in_time_is_left_alone(monkeypatch, world):
    """The watchdog is asleep between passes, also after an error."""
    slept = []

    def sleep(_):
        slept.append(1)
        if len(slept) == 2:
            raise InterruptedError

    monkeypatch.setattr(loop.time, "sleep", sleep)
    monkeypatch.setattr(loop, "PASS_S", 0.01)
    with pytest.raises(InterruptedError):
        loop.reconcile_for_ever(reconciler_of(world.store), 0.0001, announcer(Settings(home_folder=world.store.root)))


def reconciler_of(store):
    class Nothing:
        def __init__(self):
            self.env = SimpleNamespace(store=store)

        def reconcile(self, *_):
            return []

    return Nothing()


def test_status_is_red_before_the_disk_is_full(interlock, here, monkeypatch):
    """Room for three releases of the largest version, and never less than 200 MB."""
    assert status.room(here) is None

    monkeypatch.setattr(status.shutil, "disk_usage", lambda _: Usage(10**12, 0, 150_000_000))
    code, said = interlock("status")
    assert code == 1
    assert f"! the disk of {here.root} has 150 MB free, and the next releases may need 200 MB" in said

    with (here.paths("best_model").version(2) / "model.onnx").open("r+b") as file:
        file.truncate(100_000_000)
    assert "may need 300 MB" in status.room(here)


def test_the_room_of_a_repository_that_is_not_there_yet_is_that_of_its_disk(tmp_path):
    assert status.room(Store(tmp_path / "not" / "yet")) is None


def test_no_command_but_up_makes_secrets_also_with_a_named_repository(interlock, here, tmp_path):
    """As cron gives it, from another folder: new secrets would be none that any engine knows."""
    interlock("status")
    interlock("render-triton")
    _, said = interlock("engines")

    assert ["best_model", "A", "v3"] in [line.split()[:3] for line in said.splitlines()]
    assert f"environment dev, repository {here.root}" in said
    interlock("rollback", "--version", "1")
    assert [
        name for name in ("serving-token", "triton-key", "prefect-auth") if (tmp_path / "home" / name).exists()
    ] == []


def test_a_folder_that_holds_no_stack_is_refused(interlock, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLOCK_HOME_FOLDER", str(tmp_path))

    code, said = interlock("reconcile")

    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert f"nothing of a stack is in {tmp_path}; INTERLOCK_HOME_FOLDER names the right folder" in said


@pytest.mark.parametrize("words", [["engines"], ["engines", "--remove", "fake/fake"]], ids=" ".join)
def test_engines_of_a_mistyped_model_are_told_and_nothing_is_made(interlock, here, words):
    code, said = interlock(*words, "--model", "typo")

    assert code == 1
    assert "no model typo was ever released" in said
    assert here.models() == ["best_model"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "127.0.0.1:8080"),
        ("HOST", "http://127.0.0.1"),
        ("MLFLOW_URL", "http://a:b:c"),
        ("MLFLOW_URL", "mlflow"),
        ("SERVING_URLS", "http://[::1"),
    ],
)
def test_an_address_that_is_none_is_told_in_one_line(interlock, monkeypatch, name, value):
    monkeypatch.setenv(f"INTERLOCK_{name}", value)

    code, said = interlock("status")

    assert code == 1
    assert said.startswith(f"interlock: INTERLOCK_{name}")
    assert "Traceback" not in said


def test_up_in_the_place_of_a_file_is_told_in_one_line(interlock, tmp_path, monkeypatch):
    (tmp_path / "home").write_text("somebody's")
    monkeypatch.setenv("INTERLOCK_HOME_FOLDER", str(tmp_path / "home"))

    code, said = interlock("up")

    assert (code, (tmp_path / "home").read_text()) == (1, "somebody's")
    assert said.splitlines()[-1].startswith(f"interlock: {tmp_path}/home")


@pytest.mark.parametrize(
    "words",
    [["status"], ["history"], ["engines"], ["reconcile"], ["prune", "--all"], ["prune", "--all", "--dry-run"]],
    ids=" ".join,
)
def test_every_verb_speaks_json_and_nothing_else_on_stdout(here, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["interlock", *words, "--json"])
    with pytest.raises(SystemExit):
        cli.main()

    said = capsys.readouterr()
    json.loads(said.out)
    assert f"environment dev, repository {here.root}" in said.err
