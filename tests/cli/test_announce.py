"""A rollback from the shell is told in the chat and on the newest page; whoever is away does not fail or delay it."""

import time

import pytest
from pydantic import SecretStr
from support.wire import wire
from world.fakes import run_rollback

from interlock.adapters.notify import Webhook
from interlock.cli.announce import Announcer, announcer
from interlock.errors import NotFound
from interlock.settings import Settings
from interlock.stack.prefect_api import PrefectApi


@pytest.fixture
def rollback(world, release):
    """Version 1 serves again, for a reason."""
    release(1)
    release(2)
    return run_rollback(world, why="3 a.m.")


def test_the_chat_and_the_newest_page_in_prefect_say_what_serves_now_and_why(rollback):
    with wire() as told:
        told.answers = {"POST /hook": lambda _: (200, b"ok"), "POST /api/artifacts/": lambda _: (201, {})}
        told.answers["GET /api/csrf-token"] = lambda _: (422, {})

        Announcer(Webhook(f"{told.url}/hook", 1), PrefectApi(f"{told.url}/api", None), told.url).released(rollback)

        (_, message), _, (_, page) = told.asked
    assert message["text"] == (
        "ROLLED BACK: best_model A v1 (run run-1): 3 a.m. (by test); v2 is left behind, and refused from now on "
        "| best_model A: v1 serves"
    )
    assert (page["key"], page["type"]) == ("release-best-model-a", "markdown")
    assert "v1 serves again" in page["data"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://[", "no url"])
def test_whoever_is_away_or_has_no_address_is_logged_and_that_is_all(rollback, free_port, url, caplog):
    there = url.format(port=free_port)
    started = time.monotonic()

    Announcer(Webhook(there, 1), PrefectApi(there, None), there).released(rollback)

    assert time.monotonic() - started < 5
    assert "the chat was not told" in caplog.text
    assert "the page release-best-model-a in Prefect still says what was before" in caplog.text


def test_a_rollback_that_was_not_made_is_told_too():
    with wire() as told:
        told.answers = {"POST /hook": lambda _: (200, b"ok")}

        Announcer(Webhook(f"{told.url}/hook", 1), PrefectApi("", None), "").failed(
            "m", "A", NotFound("m v9 is not there; m A: v1 serves")
        )

        assert told.asked[0][1] == {"text": "ROLLBACK FAILED: m A: m v9 is not there; m A: v1 serves"}


def test_the_stack_of_this_folder_is_told_and_not_the_one_that_the_shell_points_at(tmp_path, monkeypatch):
    """`make up` of dev tells people to point their shell at it; a rollback of prod is no news of dev."""
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    settings = Settings(home_folder=tmp_path, prefect_port=4321)
    assert (announcer(settings).prefect.url, announcer(settings).ui) == ("http://elsewhere/api", "http://elsewhere")

    settings.supervisor_config.touch()

    assert announcer(settings).prefect.url == settings.prefect_api == "http://127.0.0.1:4321/api"


def test_the_password_of_prefect_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:secret-word")

    assert Settings(home_folder=tmp_path).prefect_auth == SecretStr("me:secret-word")
    assert "secret-word" not in repr(announcer(Settings(home_folder=tmp_path)))
