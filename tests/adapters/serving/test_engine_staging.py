"""A replica that dies of a candidate says so by being another process afterwards; nothing else is such a verdict."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from support.wire import Wire, wire
from world.engines import serving_engine
from world.fakes import candidate_of
from world.models import TOKEN

from interlock.adapters.serving import engine as serving_api
from interlock.errors import TrialFailed, Unreachable

STAGE = "POST /variant/A/stage"
ASKED = "GET /variants"


@pytest.fixture
def app(monkeypatch) -> Iterator[Wire]:
    monkeypatch.setattr(serving_api, "RESTARTED_S", 1.0)
    with wire() as told:
        told.answers[STAGE] = lambda _: (0, {})
        yield told


def boots(app: Wire, *boots: str) -> None:
    """Let /variants name these processes, one after the other, the last one for good; "" hangs up."""
    names = chain(boots, repeat(boots[-1]))
    app.answers[ASKED] = lambda _: answer(next(names))


def answer(boot: str) -> tuple[int, object]:
    held = {"model_name": "best_model", "engine": "dev", "live": {}, "staged": {}}
    return (200, held | {"boot": boot}) if boot else (0, {})


def load(app: Wire) -> None:
    serving_engine("dev", [app.url], TOKEN).replicas[0].load(candidate_of(13))


def test_an_app_that_is_another_process_after_it_hung_up_died_of_the_candidate(app):
    boots(app, "one", "", "", "two")

    with pytest.raises(TrialFailed, match="died while it staged v13"):
        load(app)


@pytest.mark.parametrize("names", [("one", "one"), ("one", ""), ("", ""), ("one", "", "one")])
def test_an_app_that_is_the_same_or_stays_away_is_only_unreachable(app, names):
    boots(app, *names)

    with pytest.raises(Unreachable):
        load(app)


def test_an_app_that_tells_no_process_is_only_unreachable(app):
    """An app of an earlier version of this project."""
    app.answers[ASKED] = lambda _: (200, {"model_name": "best_model", "engine": "dev", "live": {}, "staged": {}})

    with pytest.raises(Unreachable):
        load(app)


def test_an_app_that_was_started_again_before_it_got_the_call_is_only_unreachable(app, monkeypatch, free_port):
    """The connection is refused: what was not received cannot have killed anybody."""
    boots(app, "one", "two")
    replica = serving_engine("dev", [app.url], TOKEN).replicas[0]
    ask = replica.client.ask
    nobody = serving_engine("dev", [f"http://127.0.0.1:{free_port}"], TOKEN).replicas[0].client

    def elsewhere(method, path, *rest, **more):
        return (nobody.ask if method == "POST" else ask)(method, path, *rest, **more)

    monkeypatch.setattr(replica.client, "ask", elsewhere)
    with pytest.raises(Unreachable):
        replica.load(candidate_of(13))


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_an_app_or_a_gateway_that_answers_come_back_later_did_not_die_of_the_candidate(app, status):
    """Several processes stand behind one address, or one of them is being replaced."""
    boots(app, "one", "two")
    app.answers[STAGE] = lambda _: (status, {"status": "error", "error": "busy", "message": "busy"})

    with pytest.raises(Unreachable):
        load(app)
