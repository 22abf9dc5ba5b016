"""The registry's client against a wire that loses answers or talks nonsense. The real MLflow is in tests/system."""

import pytest
from support.wire import wire
from world.fakes import candidate_of, manifest_of

from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.errors import CorruptRecord, DigestMismatch, Garbled, InvalidName, NotFound, Refused, Unreachable

API = "/api/2.0/mlflow"
REGISTRATION = Registration("best_model", "run-1", "models:/m-1", "m-1", {"sha256": "0" * 64})


@pytest.fixture
def mlflow():
    with wire() as told:
        told.answers[f"GET {API}/registered-models/get"] = lambda _: (200, {})
        yield told


def registry(told) -> MlflowRegistry:
    return MlflowRegistry(told.url, timeout_s=0.5)


def version(number: int) -> dict[str, object]:
    return {"name": "best_model", "version": str(number), "run_id": "run-1"}


def of_bytes(number: int, sha256: str) -> dict[str, object]:
    return version(number) | {"tags": [{"key": "sha256", "value": sha256}]}


def remembers(told, sha256: str = REGISTRATION.tags["sha256"]) -> list[int]:
    """MLflow that makes a version per POST and finds the first again, which is of the bytes *sha256*."""
    made: list[int] = []
    told.answers[f"GET {API}/model-versions/search"] = lambda _: (
        200,
        {"model_versions": [of_bytes(made[0], sha256)]} if made else {},
    )
    return made


def test_registering_twice_makes_one_version(mlflow):
    made = remembers(mlflow)

    def create(_):
        made.append(len(made) + 1)
        return 200, {"model_version": version(made[-1])}

    mlflow.answers[f"POST {API}/model-versions/create"] = create

    assert registry(mlflow).register(REGISTRATION) == registry(mlflow).register(REGISTRATION) == 1
    assert made == [1]


def test_a_repeated_training_with_other_bytes_is_another_version(mlflow):
    """The run's version is of other bytes: to return it would end every later step with DigestMismatch."""
    remembers(mlflow, sha256="1" * 64).append(1)
    mlflow.answers[f"POST {API}/model-versions/create"] = lambda _: (200, {"model_version": version(2)})

    assert registry(mlflow).register(REGISTRATION) == 2


@pytest.mark.parametrize("status", [0, 500, 503, 200])
def test_an_answer_that_got_lost_after_the_work_makes_no_second_version(mlflow, status):
    made = remembers(mlflow)

    def create(_):
        made.append(len(made) + 1)
        return status, b"garbage"

    mlflow.answers[f"POST {API}/model-versions/create"] = create

    assert registry(mlflow).register(REGISTRATION) == 1
    assert made == [1]


def test_a_creation_that_failed_is_told_and_not_tried_again_here(mlflow):
    remembers(mlflow)
    mlflow.answers[f"POST {API}/model-versions/create"] = lambda _: (500, {})

    with pytest.raises(Unreachable, match="answers 500"):
        registry(mlflow).register(REGISTRATION)
    assert mlflow.count(f"POST {API}/model-versions/create") == 1


def test_a_missing_alias_is_none_and_a_missing_registry_is_not(mlflow, free_port):
    alias = f"GET {API}/registered-models/alias"
    mlflow.answers[alias] = lambda _: (400, {"message": "Registered model alias A not found."})
    assert registry(mlflow).alias("best_model", "A") is None

    mlflow.answers[alias] = lambda _: (404, {"message": "no model"})
    assert registry(mlflow).alias("best_model", "A") is None

    mlflow.answers[alias] = lambda _: (403, {"message": "no"})
    with pytest.raises(Refused, match="403"):
        registry(mlflow).alias("best_model", "A")

    with pytest.raises(Unreachable):
        MlflowRegistry(f"http://127.0.0.1:{free_port}").alias("best_model", "A")


def test_garbage_is_garbled_and_not_a_missing_alias(mlflow):
    mlflow.answers[f"GET {API}/registered-models/alias"] = lambda _: (200, b"<html>")

    with pytest.raises(Garbled, match="no _VersionAnswer"):
        registry(mlflow).alias("best_model", "A")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_page_that_comes_with_200_is_no_alias_set_or_removed(mlflow, method):
    mlflow.answers[f"{method} {API}/registered-models/alias"] = lambda _: (200, b"<html>")
    client = registry(mlflow)

    with pytest.raises(Garbled, match="no Done"):
        client.set_alias("best_model", "A", 1) if method == "POST" else client.delete_alias("best_model", "A")


def test_an_alias_is_moved_by_one_call_so_that_it_is_never_gone(mlflow):
    mlflow.answers[f"POST {API}/registered-models/alias"] = lambda _: (200, {})

    registry(mlflow).set_alias("best_model", "A", 2)

    assert [call for call, _ in mlflow.asked] == [f"POST {API}/registered-models/alias"]


def test_a_registry_that_never_answers_is_unreachable_in_time(mlflow):
    import time

    mlflow.answers[f"GET {API}/registered-models/alias"] = lambda _: (time.sleep(1), (200, {}))[1]

    started = time.monotonic()
    with pytest.raises(Unreachable, match="within 0.5 s"):
        registry(mlflow).alias("best_model", "A")
    assert time.monotonic() - started < 0.9


def test_a_version_without_a_digest_is_refused(mlflow):
    mlflow.answers[f"GET {API}/model-versions/get"] = lambda _: (200, {"model_version": version(3)})

    with pytest.raises(Refused, match="has no manifest: it was not made by Interlock; `interlock adopt`"):
        registry(mlflow).candidate("best_model", "A", 3)


def test_an_unsafe_name_never_reaches_the_wire(mlflow):
    with pytest.raises(InvalidName):
        registry(mlflow).alias("x' or name='y", "A")
    assert mlflow.asked == []


def test_artifacts_that_mlflow_does_not_proxy_are_refused(mlflow, tmp_path):
    mlflow.answers[f"GET {API}/runs/get"] = lambda _: (200, {"run": {"info": {"artifact_uri": "s3://bucket/1"}}})

    with pytest.raises(Refused, match="--serve-artifacts"):
        registry(mlflow).fetch(candidate_of(1), "model.onnx", tmp_path / "model.onnx")


def test_an_artifact_that_is_gone_is_not_found(mlflow, tmp_path):
    uri = "mlflow-artifacts:/1/abc/artifacts"
    mlflow.answers[f"GET {API}/runs/get"] = lambda _: (200, {"run": {"info": {"artifact_uri": uri}}})

    with pytest.raises(NotFound, match=r"onnx/model.onnx"):
        registry(mlflow).fetch(candidate_of(1), "model.onnx", tmp_path / "model.onnx")


def passed(number: int, trained_at_utc: str, run_id: str = "run-1", **tags: str) -> dict[str, object]:
    tags = {"sha256": manifest_of(number).sha256, "trained_at_utc": trained_at_utc, "gate": "passed"} | tags
    return version(number) | {"run_id": run_id, "tags": [{"key": k, "value": v} for k, v in tags.items() if v]}


def knows(told, *versions: dict[str, object], manifest: bytes = b"") -> None:
    """MLflow with these versions, and the manifest of v2."""
    told.answers[f"GET {API}/model-versions/search"] = lambda _: (200, {"model_versions": list(versions)})
    uri = {"artifact_uri": "mlflow-artifacts:/1/abc/artifacts"}
    told.answers[f"GET {API}/runs/get"] = lambda _: (200, {"run": {"info": uri}})
    file = "GET /api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts/manifest.json"
    told.answers[file] = lambda _: (200, manifest or manifest_of(2).model_dump_json().encode())


def test_the_newest_is_the_one_that_was_trained_last_whatever_its_number(mlflow):
    knows(mlflow, passed(3, "20251231T025901Z"), passed(2, "20251231T025902Z"), passed(1, "20251231T025902Z"))

    newest = registry(mlflow).newest("best_model", "B")

    assert (newest.candidate.version, newest.candidate.alias, newest.candidate.sha256) == (
        2,
        "B",
        newest.manifest.sha256,
    )
    assert newest.manifest == manifest_of(2)


def test_a_training_clock_that_was_ahead_makes_no_version_the_newest_for_as_long(mlflow):
    """v1 says that it was trained 70 years after it was registered."""
    ahead = passed(1, "20961231T025902Z") | {"creation_timestamp": 1767149940000}
    knows(mlflow, ahead, passed(2, "20251231T025902Z") | {"creation_timestamp": 1767149950000})

    newest = registry(mlflow).newest("best_model", "A")

    assert newest.candidate.version == 2
    assert newest.registered_at_utc == {1: "20251231T025900Z", 2: "20251231T025910Z"}


def test_no_version_that_passed_the_gate_is_no_newest(mlflow):
    knows(mlflow)
    assert registry(mlflow).newest("best_model", "A") is None

    knows(mlflow, passed(9, ""), passed(8, "20251231T025902Z", sha256=""))
    assert registry(mlflow).newest("best_model", "A") is None


@pytest.mark.parametrize(
    ("manifest", "error", "says"),
    [
        (b"<html>", CorruptRecord, "manifest of best_model v2 in MLflow is none"),
        (manifest_of(3).model_dump_json().encode(), DigestMismatch, "of other bytes than its tag"),
    ],
)
def test_a_manifest_that_is_not_the_versions_is_told(mlflow, manifest, error, says):
    knows(mlflow, passed(2, "20251231T025902Z"), manifest=manifest)

    with pytest.raises(error, match=says):
        registry(mlflow).newest("best_model", "A")
