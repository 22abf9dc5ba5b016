"""The local stack provisions its own server and no other; writing into one elsewhere needs a word that says so."""

import sys

import pytest
from prefect.client.orchestration import get_client
from support.wire import wire

from blocks.chat_webhook import ChatWebhook
from blocks.serving_api import ServingApi

MINE = {"INTERLOCK_CHAT_URL": "http://chat/mine"}


@pytest.fixture
def company():
    """Another Prefect server, at which the shell points."""
    with wire() as told:
        yield told


def with_variables(stack, **more):
    return type(stack)(stack.settings, stack.environment | more)


def test_up_heals_its_own_server_and_writes_into_no_other_whatever_the_shell_says(api, company):
    """A token and passwords were written into the company's server, and the own one never got its blocks."""
    before = ServingApi.load("dev").token
    ServingApi.delete("dev")
    shell = {"PREFECT_API_URL": f"{company.url}/api", "PREFECT_API_AUTH_STRING": "company:secret"}

    done = with_variables(api, **shell, PREFECT_API_KEY="company-key").interlock("up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert company.asked == []
    assert ServingApi.load("dev").token == before


def test_blocks_that_are_there_are_replaced_only_when_that_is_said(api):
    write = [sys.executable, "-m", "blocks", "--server", api.settings.prefect_api]
    mine = with_variables(api, **MINE)

    refused = mine.run(*write)
    assert refused.returncode == 1
    assert "serving-api/dev" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert ChatWebhook.load("dev").url is None

    assert mine.run(*write, "--overwrite").returncode == 0
    assert ChatWebhook.load("dev").url.get_secret_value() == MINE["INTERLOCK_CHAT_URL"]
    assert api.run(*write, "--overwrite").returncode == 0
    assert ChatWebhook.load("dev").url is None


def test_blocks_go_to_a_server_that_has_none_and_only_there(api):
    write = [sys.executable, "-m", "blocks", "--server", api.settings.prefect_api]
    prod = with_variables(api, INTERLOCK_ENVIRONMENT="prod", PREFECT_API_URL="http://127.0.0.1:1/api")

    done = prod.run(*write)

    assert done.returncode == 0, done.stderr
    assert "serving-api/prod" in done.stdout
    with get_client(sync_client=True) as client:
        for kind, _, name in (slug.partition("/") for slug in done.stdout.split()):
            client.delete_block_document(client.read_block_document_by_name(name, kind).id)
