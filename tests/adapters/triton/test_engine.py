"""One contract, held by the fake Triton and by the real tritonserver: what the engine relies on."""

import shutil
from dataclasses import replace

import httpx
import pytest
from support.ports import free_ports
from world.engines import triton_engine
from world.fake_triton import FakeTriton
from world.models import iris, overwrite, put, wrong
from world.tritons import running

from interlock.adapters.triton.addresses import GRPC_KEY_HEADER
from interlock.errors import Damaged, NotFollowed, NotReady, Refused, SmokeFailed, Unreachable
from interlock.records import Candidate, Current, EngineRef, Variant
from interlock.release.engine import Seen, Served
from interlock.store import Store
from interlock.store.folders import candidate_folder

MODEL = "best_model"
REFS = (EngineRef(kind="triton", name="dev", urls=()),)


@pytest.fixture
def store(home):
    store = Store(home / "repository")
    for version, c in ((1, 1.0), (2, 10.0), (3, 5.0)):
        put(store, version, iris(c))
    return store


@pytest.fixture
def engine(triton, store):
    return triton_engine("dev", [(triton.http, triton.grpc)], triton.key, store)


@pytest.fixture
def replica(engine):
    return engine.replicas[0]


def candidate(store: Store, version: int) -> Candidate:
    digest = store.manifest(MODEL, version).sha256
    return Candidate(model=MODEL, alias="A", version=version, run_id=f"run-{version}", sha256=digest)


def decide(store: Store, active: dict[str, tuple[int, int | None]]) -> Current:
    """Write a decision: alias -> (active, previous)."""
    before = store.current(MODEL)
    current = before.model_copy(update={"variants": {}})
    for alias, (version, previous) in active.items():
        made = candidate(store, version)
        variant = Variant(
            alias=alias, active_version=version, run_id="r", sha256=made.sha256, previous_version=previous, engines=REFS
        )
        current = current.having(alias, variant, epoch=before.epoch + 1, release_id="r")
    return overwrite(store, current.model_copy(update={"epoch": before.epoch + 1}))


def unversioned(triton, name: str = MODEL) -> int | None:
    body = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}
    answer = httpx.post(f"{triton.http}/v2/models/{name}/infer", json=body)
    return int(answer.json()["model_version"]) if answer.is_success else None


def is_ready(triton, version: int, name: str = MODEL) -> bool:
    return httpx.get(f"{triton.http}/v2/models/{name}/versions/{version}/ready").is_success


def test_a_candidate_is_proved_under_another_name_and_exposed_to_nobody(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))

    replica.load(candidate(store, 2))
    replica.ready(candidate(store, 2))
    assert "golden rows" in replica.smoke(candidate(store, 2), store.manifest(MODEL, 2), timed=True)

    assert unversioned(triton) == 1
    assert not is_ready(triton, 2)
    assert replica.observe(MODEL).staged == {"candidate": 2}
    replica.drop(MODEL, "A")
    replica.drop(MODEL, "A")
    assert replica.observe(MODEL).staged == {}
    assert unversioned(triton) == 1


def test_following_switches_and_keeps_the_lower_version_before_warm(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    seen = replica.follow(decide(store, {"A": (2, 1)}))

    assert seen.serves == {"A": Served(2, candidate(store, 2).sha256)}
    assert unversioned(triton) == 2
    assert is_ready(triton, 1)


def test_going_back_serves_the_version_before_alone(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    replica.follow(decide(store, {"A": (2, 1)}))
    replica.follow(decide(store, {"A": (1, None)}))

    assert unversioned(triton) == 1
    assert not is_ready(triton, 2)


def test_what_serves_is_never_unloaded(home, store, monkeypatch):
    unloaded, unload = [], FakeTriton.RepositoryModelUnload

    def noted(fake, request, context):
        unloaded.append(request.model_name)
        return unload(fake, request, context)

    monkeypatch.setattr(FakeTriton, "RepositoryModelUnload", noted)
    with running("fake", home) as triton:
        (replica,) = triton_engine("dev", [(triton.http, triton.grpc)], triton.key, store).replicas
        for version, previous in ((1, None), (2, 1), (1, 2), (3, 1)):
            replica.load(candidate(store, version))
            replica.follow(decide(store, {"A": (version, previous)}))
            replica.drop(MODEL, "A")

    assert set(unloaded) == {candidate_folder(MODEL)}


def test_a_lower_version_can_be_released_over_a_higher_one(triton, replica, store):
    """Triton answers by the highest, so the higher one must not stay."""
    replica.follow(decide(store, {"A": (3, None)}))
    replica.follow(decide(store, {"A": (2, 3)}))

    assert unversioned(triton) == 2
    assert not is_ready(triton, 3)


def test_a_survey_sees_every_model_by_one_question(triton, replica, store):
    """A candidate has no folder, so the index does not list it."""
    current = decide(store, {"A": (1, None)})
    replica.follow(current)
    replica.load(candidate(store, 2))

    assert replica.survey([current, Current.nothing("other")]) == {
        MODEL: Seen({"A": replica.observe(MODEL).serves["A"]}),
        "other": Seen(),
    }


def test_following_twice_loads_once(triton, replica, store):
    current = decide(store, {"A": (1, None)})
    replica.follow(current)
    before = (triton.models / MODEL / "config.pbtxt").stat().st_mtime_ns

    assert replica.follow(current).serves["A"].version == 1
    assert (triton.models / MODEL / "config.pbtxt").stat().st_mtime_ns == before


def test_a_config_written_and_not_loaded_is_loaded_by_the_next_follow(triton, replica, store):
    """Killed between the file and the load: the file already says v1, the server still answers by v2."""
    replica.follow(decide(store, {"A": (1, None)}))
    one = (triton.models / MODEL / "config.pbtxt").read_text()
    replica.follow(decide(store, {"A": (2, 1)}))
    (triton.models / MODEL / "config.pbtxt").write_text(one)
    assert unversioned(triton) == 2

    replica.follow(decide(store, {"A": (1, None)}))

    assert unversioned(triton) == 1


def test_each_alias_has_a_folder_and_the_first_has_the_plain_one(triton, replica, store):
    seen = replica.follow(decide(store, {"A": (1, None), "B": (2, None)}))

    assert {alias: served.version for alias, served in seen.serves.items()} == {"A": 1, "B": 2}
    assert unversioned(triton) == 1
    assert unversioned(triton, f"{MODEL}--B") == 2


def test_an_undone_first_release_serves_nothing(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))

    assert replica.follow(decide(store, {})).serves == {}
    assert unversioned(triton) is None
    assert not (triton.models / MODEL / "config.pbtxt").exists()


def test_a_file_that_triton_cannot_load_is_refused_and_what_serves_goes_on(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    made = put(store, 4, replace(iris(10.0), onnx=b"not an onnx"))

    with pytest.raises(Refused):
        replica.load(made)
    assert unversioned(triton) == 1


def test_a_file_that_was_damaged_in_the_repository_condemns_nobody(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    store.paths(MODEL).onnx(2).write_bytes(b"not an onnx")

    with pytest.raises(Damaged):
        replica.load(candidate(store, 2))
    assert unversioned(triton) == 1


def test_what_triton_cannot_load_after_the_decision_is_not_followed_and_condemns_nobody(replica, store):
    decided = decide(store, {"A": (1, None)})
    store.paths(MODEL).onnx(1).write_bytes(b"not an onnx")

    with pytest.raises(NotFollowed):
        replica.follow(decided)


def test_a_wrong_answer_is_broken(replica, store):
    put(store, 4, wrong(iris(6.0)))
    replica.load(candidate(store, 4))

    with pytest.raises(SmokeFailed):
        replica.smoke(candidate(store, 4), store.manifest(MODEL, 4), timed=True)


def test_a_live_version_that_answers_otherwise_is_seen(replica, store):
    """The golden rows stand in for the digest, which Triton cannot tell."""
    replica.follow(decide(store, {"A": (1, None)}))
    manifest = wrong(iris(1.0)).manifest("run-1")
    store.paths(MODEL).manifest(1).write_text(manifest.model_dump_json())

    assert replica.observe(MODEL).serves["A"] != Served(1, manifest.sha256)


def test_what_was_not_loaded_is_not_ready(replica, store):
    with pytest.raises(NotReady):
        replica.ready(candidate(store, 1))


def test_a_wrong_key_is_refused_and_never_shown(triton, store):
    stranger = triton_engine("dev", [(triton.http, triton.grpc)], "not-the-key", store)

    with pytest.raises(Refused, match="control key") as told:
        stranger.load(candidate(store, 1))
    assert "not-the-key" not in f"{told.value}{stranger!r}"


def test_nobody_there_is_unreachable(store):
    http, grpc = free_ports(2)
    nobody = triton_engine("dev", [(f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}")], "key", store, load_timeout_s=1)

    with pytest.raises(Unreachable):
        nobody.load(candidate(store, 1))
    with pytest.raises(Unreachable):
        nobody.ready(candidate(store, 1))


# What Triton does, which the engine was built around: if one of these goes red, the design may be simplified.


def control(triton, name: str) -> str:
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    client = InferenceServerClient(triton.grpc)
    try:
        client.load_model(name, headers={GRPC_KEY_HEADER: triton.key})
    except InferenceServerException as error:
        return str(error)
    finally:
        client.close()
    return "ok"


def set_policy(triton, text: str) -> None:
    path = triton.models / MODEL / "config.pbtxt"
    head, _, rest = path.read_text().partition("version_policy")
    path.write_text(head + text + rest[rest.index("max_batch_size") :])


def test_measured_a_folder_that_begins_with_a_digit_is_a_version(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    for version in (2, 3):
        shutil.rmtree(triton.models / MODEL / str(version))
    (triton.models / MODEL / "13.failed_x").mkdir()
    set_policy(triton, "")

    assert "13" in control(triton, MODEL)
    assert unversioned(triton) == 1


def test_measured_without_a_policy_the_highest_serves_at_once(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    set_policy(triton, "")

    assert control(triton, MODEL) == "ok"
    assert unversioned(triton) == 3


def test_measured_a_missing_version_is_skipped_with_200(triton, replica, store):
    replica.follow(decide(store, {"A": (1, None)}))
    set_policy(triton, "version_policy { specific { versions: 1 versions: 9 } }\n")

    assert control(triton, MODEL) == "ok"
    assert (is_ready(triton, 1), is_ready(triton, 9)) == (True, False)


def test_measured_a_candidate_override_leaves_no_folder(triton, replica, store):
    replica.load(candidate(store, 1))

    assert not (triton.models / candidate_folder(MODEL)).exists()
