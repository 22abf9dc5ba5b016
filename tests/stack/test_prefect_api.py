"""What the local stack asks of Prefect's server, answered by a server on a real socket."""

import time

import pytest
from support.wire import wire

from interlock.stack.errors import StackError
from interlock.stack.prefect_api import PrefectApi

BLOCKS = [{"id": "1"}, {"id": "2"}]


@pytest.fixture
def server():
    with wire() as told:
        told.answers["GET /api/csrf-token"] = lambda _: (200, {"token": "t"})
        told.answers["POST /api/block_documents/filter"] = lambda _: (200, BLOCKS)
        yield told


def test_a_server_that_wants_no_token_for_a_change_gets_none(server):
    server.answers["GET /api/csrf-token"] = lambda _: (422, {})

    assert PrefectApi(f"{server.url}/api", None).post("block_documents/filter", {}) == BLOCKS


def test_a_server_whose_database_is_busy_is_asked_again(server):
    turns = iter([(503, {}), (503, {}), (200, BLOCKS)])
    server.answers["POST /api/block_documents/filter"] = lambda _: next(turns)

    assert PrefectApi(f"{server.url}/api", None).post("block_documents/filter", {}) == BLOCKS


def test_a_server_that_stays_busy_is_told_within_the_deadline(server):
    server.answers["POST /api/block_documents/filter"] = lambda _: (503, {})

    began = time.monotonic()
    with pytest.raises(StackError, match="with 503"):
        PrefectApi(f"{server.url}/api", None, timeout_s=1).post("block_documents/filter", {})
    assert time.monotonic() - began < 3
