"""The app in front of Triton: same routes, same answers; releases and rollbacks through it fail no request."""

import httpx
import pytest
from world.credit import FEATURES, credit
from world.engines import environment, serving_engine, triton_engine
from world.fakes import up_to
from world.kinds import KINDS, assert_same
from world.models import ROW, TOKEN, asked, confidence, iris, put, served, wrong

from demos.load import Load
from interlock.errors import Broken
from interlock.release.open import released
from interlock.store import Store


@pytest.fixture
def store(home):
    return Store(home / "repository")


@pytest.fixture
def app(triton, store):
    store.root.mkdir(exist_ok=True)
    with served(store, engine="triton", triton_url=triton.http) as url:
        yield url


@pytest.fixture
def release(app, triton, store):
    """Release a version to Triton and to the app in front of it, as one decision."""
    engines = [
        serving_engine("dev", [app], TOKEN),
        triton_engine("dev", [(triton.http, triton.grpc)], triton.key, store),
    ]

    env = environment(store, *engines)

    def release(version, trained, *, stop_after_commit=False):
        candidate = put(store, version, trained)
        with released(env, candidate, engines) as made:
            up_to(made, "commit", but="trial")
            made.switch()
            if stop_after_commit:
                raise Broken("somebody says that it is bad")
            made.confirm()

    return release


def test_the_same_answers_as_in_process(app, release):
    release(1, iris(1.0))

    answer = httpx.post(f"{app}/predict", json={"rows": [ROW] * 100, "probabilities": True}).json()

    assert answer["prediction"] == [0] * 100
    assert answer["version"] == 1
    assert answer["confidence"][99] == pytest.approx(confidence(iris(1.0)), abs=1e-5)
    assert httpx.post(f"{app}/predict", json=[[1, 2, 3]]).status_code == 422


def test_a_typed_record_with_a_missing_cell_has_the_same_answer(app, release, store):
    """The credit model imputes inside Triton; its golden rows, some with missing cells, proved it there."""
    release(1, credit())
    record = {"customer_id": "C-1", "features": FEATURES | {"annual_income": None, "occupation": None}}

    answer = httpx.post(f"{app}/predict", json=record).json()

    expected = asked(credit(), [record["features"]]).confidence()[0]
    assert answer["confidence"] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_model_answers_as_the_fitted_model_itself(app, release, kind):
    """Smoke and golden rows proved it in Triton; users' rows go there in binary."""
    kind = KINDS[kind]
    release(1, kind.trained())

    answer = httpx.post(f"{app}/predict", json={"rows": kind.rows * 20})

    assert answer.status_code == 200, answer.json()
    assert_same(answer.json()["prediction"], kind.expected() * 20)


def test_releases_and_a_rollback_under_load_fail_no_request(app, release, store):
    """Up, up, back by a verdict after the commit, and down to a lower number."""
    release(2, iris(1.0))
    with Load(app, rate=100) as load:
        release(3, iris(10.0))
        with pytest.raises(Broken, match=r"v3 serves .rolled back after the commit"):
            release(4, iris(5.0), stop_after_commit=True)
        release(1, iris(20.0))
    truth = {version: confidence(iris(c)) for version, c in ((2, 1.0), (3, 10.0), (4, 5.0), (1, 20.0))}

    assert load.tally.failures == {}
    assert load.tally.mislabelled(truth) == 0
    assert {2, 3, 1} <= load.tally.versions.keys()
    assert store.current("best_model").version_of("A") == 1


def test_a_candidate_that_answers_wrongly_is_refused_and_nothing_stays_loaded(app, triton, release, store):
    release(1, iris(1.0))

    with pytest.raises(Broken, match=r"golden rows.*v1 serves"):
        release(2, wrong(iris(10.0)))

    assert httpx.post(f"{app}/predict", json=[ROW]).json()["version"] == 1
    assert httpx.get(f"{triton.http}/v2/models/best_model--candidate").is_success is False


def test_triton_away_is_503_and_the_app_recovers_with_it(app, triton, release):
    release(1, iris(1.0))
    if not hasattr(triton, "kill"):
        triton.restart(())
        assert httpx.post(f"{app}/predict", json=[ROW]).status_code == 503
        triton.restart(("best_model",))
    else:
        triton.kill()
        answer = httpx.post(f"{app}/predict", json=[ROW])
        assert (answer.status_code, answer.json()["error"]) == (503, "engine_away")
        triton.start()

    assert httpx.post(f"{app}/predict", json=[ROW]).json()["version"] == 1
