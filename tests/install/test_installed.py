"""What is installed from the wheel, in an environment of its own and outside of the checkout, works."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from support.ports import free_ports
from world.models import TOKEN, decide, iris, put

from interlock.stack.processes import BIN, ROOT
from interlock.store import Store

pytestmark = pytest.mark.system
FOREIGN = ("prefect", "mlflow", "sklearn", "httpx", "typer", "tritonclient")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (made,) = folder.iterdir()
    return made


def installed(wheel: Path, folder: Path, extras: str) -> Path:
    """Install the wheel with *extras*, in the versions of the lock; return the folder of its programs."""
    locked = re.findall(r"^[^\s#].*?==[^\\\n]*", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(locked))
    subprocess.run([f"{BIN}/uv", "venv", "-q", "--python", sys.executable, folder / "venv"], check=True)
    command = [
        f"{BIN}/uv",
        "pip",
        "install",
        "-q",
        "--python",
        folder / "venv",
        "-c",
        constraints,
        f"{wheel}[{extras}]",
    ]
    subprocess.run(command, check=True, timeout=250, capture_output=True)
    return folder / "venv" / "bin"


def clean() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "PREFECT_", "PYTHON"))
    }


def test_the_serving_app_alone_serves_a_model(wheel, tmp_path, free_port):
    programs = installed(wheel, tmp_path, "serving")
    store = Store(tmp_path / "repository")
    put(store, 1, iris(1.0))
    decide(store, "A", 1)
    given = clean() | {
        "INTERLOCK_SERVING_REPOSITORY": str(store.root),
        "INTERLOCK_SERVING_PORT": str(free_port),
        "INTERLOCK_SERVING_TOKENS": TOKEN,
        "INTERLOCK_SERVING_LOG_FOLDER": str(tmp_path / "log"),
    }
    look = f"import importlib.util as u; print([m for m in {FOREIGN!r} if u.find_spec(m)])"

    there = subprocess.run([programs / "python", "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    command = subprocess.run(
        [programs / "interlock", "status"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    app = subprocess.Popen([programs / "python", "-m", "interlock.serving"], cwd=tmp_path, env=given)
    try:
        answer = answer_of(f"http://127.0.0.1:{free_port}/predict", app)
    finally:
        app.terminate()
        app.wait(20)

    assert there.stdout == "[]\n"
    assert "the extra `control` brings it" in command.stderr
    assert (answer["version"], len(answer["prediction"])) == (1, 1)


def answer_of(url: str, app: subprocess.Popen[bytes]) -> dict[str, object]:
    """Ask until the app answers; one that ended never will."""
    for _ in range(300):
        assert app.poll() is None
        try:
            return json.loads(httpx.post(url, json=[[5.1, 3.5, 1.4, 0.2]], timeout=5).raise_for_status().content)
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail("nobody answers")


@pytest.mark.slow
def test_an_installed_interlock_brings_its_stack_up_in_an_empty_folder(wheel, tmp_path, home):
    programs = installed(wheel, tmp_path, "control")
    ports = zip(("PREFECT", "MLFLOW", "SERVING", "SERVING_CONTROL"), free_ports(4), strict=True)
    given = clean() | {f"INTERLOCK_{name}_PORT": str(port) for name, port in ports}
    given |= {"INTERLOCK_HOME_FOLDER": str(home / "stack")}

    def interlock(*words: str) -> subprocess.CompletedProcess[str]:
        command = [programs / "interlock", *words]
        return subprocess.run(command, cwd=home, env=given, capture_output=True, text=True, timeout=280, check=False)

    try:
        up, status = interlock("up"), interlock("status", "--json")
    finally:
        down = interlock("down")

    assert up.returncode == 0, up.stdout + up.stderr
    assert {process["state"] for process in json.loads(status.stdout)["processes"]} == {"running"}
    assert down.returncode == 0, down.stdout + down.stderr
