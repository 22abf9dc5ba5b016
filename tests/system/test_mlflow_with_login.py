"""A real MLflow behind its basic-auth, as README recommends: trainings go there, and what cannot is refused at once."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from support.ports import free_ports
from world.runs import wait_for

from blocks.mlflow_registry import MlflowRegistry as Block
from flows.train_register_reload import train_register_reload
from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.stack.processes import BIN

pytestmark = pytest.mark.in_turn

ADMIN = ("admin", "an admin's password")
READER = ("reader", "a reader's password")
API = "/api/2.0/mlflow"
UP_S = 90


@contextmanager
def mlflow_server(folder: Path, *words: str, **variables: str) -> Iterator[str]:
    """An MLflow of its own; nothing of it is left."""
    (port,) = free_ports(1)
    url, records = f"http://127.0.0.1:{port}", f"sqlite:///{folder}/mlflow.db"
    command = [f"{BIN}/mlflow", "server", "--port", str(port), "--workers", "1", "--backend-store-uri", records, *words]
    given = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | variables
    with (folder / "log").open("wb") as log:
        server = psutil.Popen(command, cwd=folder, env=given, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: answers(f"{url}/health"), UP_S, (folder / "log").read_text())
            yield url
        finally:
            family = [server, *server.children(recursive=True)]
            for process in family:
                process.kill()
            psutil.wait_procs(family)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def login(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = {ADMIN[0]}\n"
        f"admin_password = {ADMIN[1]}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the tests",
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
    }
    words = ["--app-name", "basic-auth", "--artifacts-destination", str(folder / "artifacts")]
    with mlflow_server(folder, *words, **variables) as url:
        user = {"username": READER[0], "password": READER[1]}
        httpx.post(f"{url}/api/2.0/mlflow/users/create", json=user, auth=ADMIN, timeout=30).raise_for_status()
        yield url


@pytest.fixture
def block(api, login, monkeypatch):
    """Save a block that asks this MLflow as somebody; return its name."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # what a training sets there ends with the test

    def save(user: tuple[str, str] | None, **more: Any) -> str:
        username, password = user or (None, None)
        saved = Block(url=login, username=username, password=password, timeout_s=30, **more)
        saved.save("with-login", overwrite=True)
        return "with-login"

    return save


def runs(url: str, experiment: str) -> list[object]:
    asked = {"experiment_name": experiment}
    found = httpx.get(f"{url}{API}/experiments/get-by-name", params=asked, auth=ADMIN, timeout=30)
    if found.status_code == 404:
        return []
    body = {"experiment_ids": [found.json()["experiment"]["experiment_id"]], "run_view_type": "ALL"}
    return httpx.post(f"{url}{API}/runs/search", json=body, auth=ADMIN, timeout=30).json().get("runs", [])


def test_a_training_is_logged_and_registered_by_the_user_of_the_block(block, login):
    state = train_register_reload(
        registry=block(ADMIN), model="with_login", release=False, params={"C": 2.0}, return_state=True
    )

    assert state.name == "Registered", state.message
    registry = MlflowRegistry(login, timeout_s=30, auth=ADMIN)
    assert registry.newest("with_login", "A").candidate.version == 1


def test_the_login_page_of_mlflow_is_there(login):
    assert httpx.get(f"{login}/signup", auth=ADMIN, timeout=30).status_code == 200


@pytest.mark.parametrize("user", [None, READER, ("admin", "a wrong password")])
def test_who_may_not_log_a_training_is_told_before_one_is_made(user, block, login):
    """Nobody, somebody who may only read, and a mistyped password."""
    train_register_reload(registry=block(ADMIN, experiment="kept"), model="kept", release=False, return_state=True)
    before = runs(login, "kept")

    state = train_register_reload(
        registry=block(user, experiment="kept"), model="kept", release=False, return_state=True
    )

    assert state.is_failed()
    assert "INTERLOCK_MLFLOW_USERNAME, INTERLOCK_MLFLOW_PASSWORD" in state.message
    assert runs(login, "kept") == before


def test_a_deleted_experiment_is_told_before_a_training_is_made(block, login):
    train_register_reload(registry=block(ADMIN, experiment="gone"), model="gone", release=False, return_state=True)
    found = httpx.get(
        f"{login}{API}/experiments/get-by-name", params={"experiment_name": "gone"}, auth=ADMIN, timeout=30
    )
    its_id = found.json()["experiment"]["experiment_id"]
    deleted = httpx.post(f"{login}{API}/experiments/delete", json={"experiment_id": its_id}, auth=ADMIN, timeout=30)
    deleted.raise_for_status()

    state = train_register_reload(
        registry=block(ADMIN, experiment="gone"), model="gone", release=False, return_state=True
    )

    assert state.is_failed()
    assert f"mlflow experiments restore -x {its_id}" in state.message


def test_artifacts_that_mlflow_does_not_carry_are_told_before_a_training_is_made(block, tmp_path):
    with mlflow_server(tmp_path, "--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "there")) as url:
        Block(url=url, timeout_s=30).save("no-proxy", overwrite=True)

        state = train_register_reload(registry="no-proxy", model="elsewhere", release=False, return_state=True)

    assert state.is_failed()
    assert "where no release can read them" in state.message
