"""One contract, held by the fake replica and by the real serving app on a real socket."""

import httpx
import pytest
from world.engines import serving_engine
from world.fakes import FakeReplica
from world.models import ROW, TOKEN, iris, onnx_path, overwrite, put, served, wrong

from interlock.errors import Broken, NotReady, Refused, SmokeFailed, TooSlow, Unreachable
from interlock.records import SERVING_API, Candidate, Current, EngineRef, Variant
from interlock.release.engine import Replica, Served
from interlock.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "repository")
    put(store, 1, iris(1.0))
    put(store, 2, iris(10.0))
    return store


def candidate(store: Store, version: int) -> Candidate:
    digest = store.manifest("best_model", version).sha256
    return Candidate(model="best_model", alias="A", version=version, run_id=f"run-{version}", sha256=digest)


def decision(store: Store, version: int | None, epoch: int) -> Current:
    """Write current.json, and return it."""
    kinds = (EngineRef(kind=SERVING_API, name="dev", urls=()), EngineRef(kind="fake", name="fake", urls=()))
    current = Current.nothing("best_model")
    variant = None
    if version:
        made = candidate(store, version)
        variant = Variant(alias="A", active_version=version, run_id=made.run_id, sha256=made.sha256, engines=kinds)
    return overwrite(store, current.having("A", variant, epoch=epoch, release_id=f"r{epoch}"))


@pytest.fixture(params=["fake", "real"])
def replica(request, store):
    if request.param == "fake":
        yield FakeReplica()
        return
    with served(store) as url:
        yield serving_engine("dev", [url], TOKEN).replicas[0]


def test_a_survey_sees_the_same_as_a_look_at_the_model(replica: Replica, store):
    current = decision(store, 1, epoch=1)
    replica.follow(current)
    replica.load(candidate(store, 2))

    assert replica.survey([current])["best_model"] == replica.observe("best_model")


def test_a_loaded_candidate_is_ready_and_exposed_to_nobody(replica: Replica, store):
    replica.load(candidate(store, 1))
    replica.ready(candidate(store, 1))

    assert replica.smoke(candidate(store, 1), store.manifest("best_model", 1), timed=True)
    seen = replica.observe("best_model")
    assert (seen.serves, seen.staged) == ({}, {"A": 1})


def test_what_was_not_loaded_is_not_ready(replica: Replica, store):
    with pytest.raises((NotReady, Refused)):
        replica.ready(candidate(store, 1))


def test_dropping_forgets_and_dropping_nothing_is_fine(replica: Replica, store):
    replica.load(candidate(store, 1))
    replica.drop("best_model", "A")
    replica.drop("best_model", "A")

    assert replica.observe("best_model").staged == {}


def test_following_serves_the_decision_and_takes_the_candidate_over(replica: Replica, store):
    replica.load(candidate(store, 1))
    seen = replica.follow(decision(store, 1, epoch=1))

    assert seen.serves == {"A": Served(1, candidate(store, 1).sha256, 1)}
    assert seen.staged == {}


def test_following_twice_is_following_once(replica: Replica, store):
    current = decision(store, 1, epoch=1)

    assert replica.follow(current) == replica.follow(current)


def test_following_keeps_another_candidate(replica: Replica, store):
    """A replica never drops a candidate by itself."""
    replica.follow(decision(store, 1, epoch=1))
    replica.load(candidate(store, 2))
    decided = decision(store, None, epoch=2)

    assert replica.follow(decided).staged == {"A": 2}


def test_an_undone_first_release_serves_nothing(replica: Replica, store):
    replica.follow(decision(store, 1, epoch=1))

    assert replica.follow(decision(store, None, epoch=2)).serves == {}


@pytest.fixture
def real(store):
    with served(store) as url:
        yield serving_engine("dev", [url], TOKEN).replicas[0]


def test_a_wrong_answer_is_broken(real, store):
    put(store, 3, wrong(iris(5.0)))

    with pytest.raises(Broken, match="golden rows"):
        real.load(candidate(store, 3))


def test_smoke_compares_with_the_manifest_that_it_is_given(real, store):
    real.load(candidate(store, 1))

    with pytest.raises(SmokeFailed):
        real.smoke(candidate(store, 1), wrong(iris(1.0)).manifest("run-1"), timed=True)


def test_a_corrupt_file_is_refused_and_what_serves_goes_on(real, store):
    real.follow(decision(store, 1, epoch=1))
    onnx_path(store, 2).write_bytes(b"garbage")

    with pytest.raises((Broken, Refused), match="model.onnx is"):
        real.load(candidate(store, 2))
    assert httpx.post(f"{real.address}/predict", json=[ROW]).json()["version"] == 1


def test_a_wrong_token_is_refused_and_never_shown(real, store):
    stranger = serving_engine("dev", [real.address], "x" * 40).replicas[0]

    with pytest.raises(Refused, match="401") as told:
        stranger.load(candidate(store, 1))
    assert "x" * 40 not in str(told.value)
    assert "x" * 40 not in repr(stranger)


def test_an_app_of_another_name_or_model_is_refused_before_anything_is_staged(real, store):
    other = serving_engine("prod", [real.address], TOKEN).replicas[0]

    with pytest.raises(Refused, match="INTERLOCK_SERVING_NAME"):
        other.load(candidate(store, 1))
    assert real.observe("best_model").staged == {}


def test_nobody_there_is_unreachable(free_port, store):
    nobody = serving_engine("dev", [f"http://127.0.0.1:{free_port}"], TOKEN).replicas[0]

    with pytest.raises(Unreachable, match="does not answer"):
        nobody.load(candidate(store, 1))


def test_an_answer_over_the_latency_budget_is_too_slow_and_condemns_nothing(store):
    with served(store) as url:
        slow = serving_engine("dev", [url], TOKEN, latency_budget_ms=0.001).replicas[0]
        slow.load(candidate(store, 1))
        with pytest.raises(TooSlow, match="budget"):
            slow.smoke(candidate(store, 1), store.manifest("best_model", 1), timed=True)
