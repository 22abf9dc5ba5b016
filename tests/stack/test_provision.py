"""The local stack provisions its own server, again whenever anything that it is made of changed."""

import subprocess
import sys
from itertools import count

import pytest
from support.wire import wire

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.prefect_api import PrefectApi
from interlock.stack.processes import ROOT
from interlock.stack.provision import fingerprint

OURS = "interlock dev: runs that fell silent"


def block(number: str, updated: str = "2025-12-31T02:59:02Z") -> dict[str, str]:
    return {"id": number, "updated": updated}


@pytest.fixture
def server():
    """A Prefect server that has two blocks."""
    with wire() as told:
        told.answers["GET /api/csrf-token"] = lambda _: (200, {"token": "t"})
        told.answers["POST /api/block_documents/filter"] = lambda _: (200, [block("1"), block("2")])
        told.answers["POST /api/deployments/filter"] = lambda _: (200, [{"id": "d"}])
        told.answers["POST /api/automations/filter"] = lambda _: (200, [{"id": "a", "name": OURS}])
        yield told


def settings(server, home, **change) -> Settings:
    return Settings(home_folder=home, prefect_port=int(server.url.rsplit(":", 1)[1]), **change)


def print_of(made: Settings) -> str:
    return fingerprint(made, PrefectApi.of(made))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mlflow_password", ("one", "two")),
        ("chat_url", ("http://chat/one", "http://chat/two")),
        ("serving_log_url", ("postgresql+psycopg://u:one@h/d", "postgresql+psycopg://u:two@h/d")),
        ("feature_store_url", ("postgresql+psycopg://u:one@h/d", "postgresql+psycopg://u:two@h/d")),
        ("batch_runner", ("threads", "dask")),
    ],
)
def test_a_changed_setting_also_a_secret_is_provisioned_anew_and_stands_nowhere(server, home, name, values):
    one, same, two = (settings(server, home, **{name: value}) for value in (values[0], *values))

    assert print_of(one) == print_of(same) != print_of(two)
    assert not [value for value in values if value in print_of(one)]


def test_a_rotated_token_is_provisioned_anew(server, home):
    before = print_of(settings(server, home))
    (home / "serving-token").write_text("t" * 32)

    assert print_of(settings(server, home)) != before


@pytest.mark.parametrize(
    "blocks",
    [[], [block("1")], [block("1"), block("3")], [block("1"), block("2", "2025-12-31T03:00:00Z")]],
    ids=["emptied", "fewer", "others", "overwritten"],
)
def test_a_server_that_lost_its_blocks_or_is_another_one_is_provisioned_anew(server, home, blocks):
    before = print_of(settings(server, home))
    server.answers["POST /api/block_documents/filter"] = lambda _: (200, blocks)

    assert print_of(settings(server, home)) != before


@pytest.mark.parametrize("what", ["deployments", "automations"])
def test_a_deployment_or_automation_that_was_deleted_comes_back(server, home, what):
    before = print_of(settings(server, home))
    server.answers[f"POST /api/{what}/filter"] = lambda _: (200, [])

    assert print_of(settings(server, home)) != before


def test_an_automation_of_somebody_elses_is_none_of_ours(server, home):
    before = print_of(settings(server, home))
    ours, theirs = {"id": "a", "name": OURS}, {"id": "b", "name": "theirs"}
    server.answers["POST /api/automations/filter"] = lambda _: (200, [ours, theirs])

    assert print_of(settings(server, home)) == before


def test_another_environment_of_python_is_provisioned_anew(server, home, monkeypatch):
    """Deployments name the folder that they were made in, and a block the interpreter."""
    before = print_of(settings(server, home))
    monkeypatch.setattr(sys, "executable", "/elsewhere/.venv/bin/python")

    assert print_of(settings(server, home)) != before


def test_the_order_in_which_the_server_names_its_blocks_says_nothing(server, home):
    turn = count()
    blocks = [block("1"), block("2")]
    server.answers["POST /api/block_documents/filter"] = lambda _: (200, blocks[:: 1 if next(turn) % 2 else -1])

    assert print_of(settings(server, home)) == print_of(settings(server, home))


@pytest.mark.parametrize(("status", "says"), [(401, "make down && make up"), (500, "answers .* with 500")])
def test_a_server_that_does_not_let_us_in_is_told_in_one_sentence(server, home, status, says):
    server.answers["POST /api/block_documents/filter"] = lambda _: (status, {})
    made = settings(server, home)

    with pytest.raises(StackError, match=says) as told:
        print_of(made)

    assert made.prefect_login().get_secret_value() not in str(told.value)


def test_blocks_are_not_written_where_a_shell_happens_to_point(server, home):
    """`python -m blocks` wrote the token and the passwords into whatever server PREFECT_API_URL named."""
    shell = {"PREFECT_API_URL": f"{server.url}/api", "INTERLOCK_HOME_FOLDER": str(home), "HOME": str(home)}
    command = [sys.executable, "-m", "blocks"]

    done = subprocess.run(command, env=shell, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--server" in done.stderr
    assert server.asked == []
