"""What a candidate's files may be: a model is its bytes and nothing else, of sane size, and fits into memory."""

import os

import pytest
from inject import slow_models
from world.models import AUTH, ROW, iris, onnx_path

from interlock.model.trial import Trial
from interlock.records import sealed
from interlock.serving.in_process import OnnxSource
from interlock.serving.memory import Room
from interlock.store import Store

MIB = 2**20


def stage(client, version=2):
    answer = client.post("/variant/A/stage", json={"version": version}, headers=AUTH)
    return answer.status_code, answer.json().get("error"), answer.json().get("message", "")


def refused(client, version=2) -> str:
    """Nothing is condemned, nothing is staged, and what is live goes on; returns why."""
    status, error, message = stage(client, version)
    assert (status, error) == (409, "refused")
    assert client.get("/variants").json()["staged"] == {}
    assert client.post("/predict", json=[ROW]).json()["version"] == 1
    return message


def trial(store, version, load, request=0, sha256=None):
    """What the trial of a version measured, beside its bytes."""
    sha256 = sha256 or store.manifest("best_model", version).sha256
    made = Trial(
        sha256=sha256,
        size_bytes=1,
        nodes=1,
        domains=("",),
        golden_rows=1,
        worst=0,
        load_ms=1,
        row_ms=1,
        batch_rows=1,
        batch_ms=1,
        load_memory_bytes=load,
        request_memory_bytes=request,
    )
    path = store.paths("best_model").trial(version)
    path.write_bytes(sealed(made.model_dump(mode="json")))
    return path


def has_free(client, free):
    client.app.state.variants.source._room = Room(lambda: free)


def test_a_candidate_that_needs_more_memory_than_is_free_is_refused(client, store):
    """964 bytes that need 1.5 GB."""
    trial(store, 2, 1500 * MIB)
    has_free(client, 700 * MIB)

    assert "needs 1,500 MiB of memory, and 0 MiB for a request, and 700 MiB are free" in refused(client)
    has_free(client, 1600 * MIB)
    assert stage(client)[0] == 200


def test_a_candidate_of_which_not_one_request_fits_is_refused(client, store):
    trial(store, 2, 100 * MIB, request=144 * MIB)
    has_free(client, 243 * MIB)

    assert "needs 100 MiB of memory, and 144 MiB for a request, and 243 MiB are free" in refused(client)
    has_free(client, 244 * MIB)
    assert stage(client)[0] == 200


def test_a_candidate_that_nobody_measured_needs_three_times_its_file_and_once_for_a_request(client, store):
    size = onnx_path(store, 2).stat().st_size
    has_free(client, 4 * size - 1)
    refused(client)

    has_free(client, 4 * size)
    assert stage(client)[0] == 200


@pytest.mark.parametrize("damage", ["{", "[]", '{"load_memory_bytes": 1}', "other", "folder"])
def test_a_measurement_that_is_none_of_these_bytes_counts_for_nothing(client, store, damage):
    path = trial(store, 2, 1, sha256="0" * 64)
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage != "other":
        path.write_text(damage)
    has_free(client, 100)
    refused(client)

    has_free(client, 700 * MIB)
    assert stage(client)[0] == 200


def test_a_file_over_its_limit_is_refused_before_it_is_read(client, store):
    """It is sparse: reading it would take seconds, and memory."""
    os.truncate(onnx_path(store, 2), 10 * 1024 * MIB)

    assert "bytes, at most" in refused(client)


def test_a_manifest_over_its_limit_is_refused_before_it_is_parsed(client, store):
    slow_models.put(store, 3, slow_models.harmless())
    with store.paths("best_model").manifest(3).open("a") as file:
        file.write(" " * 2 * MIB)

    assert "at most 2097152 are taken" in refused(client, 3)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_hangs_nothing(client, store, name):
    path = store.paths("best_model").version(2) / name
    path.unlink()
    os.mkfifo(path)

    assert "no file" in refused(client)


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("location", ["manifest.json", "model.onnx", "../2/model.onnx", "/etc/passwd", "here"])
def test_a_model_whose_data_lies_in_another_file_does_not_load(client, store, monkeypatch, location, hidden):
    """Its digest would not cover it. Read from bytes, onnxruntime would look in the working folder."""
    slow_models.put(store, 3, slow_models.external(location, hidden=hidden))
    folder = store.paths("best_model").version(3)
    (folder / "here").write_bytes(bytes(64))
    monkeypatch.chdir(folder)

    assert "does not load" in refused(client, 3)


def test_the_bytes_that_are_hashed_are_the_bytes_that_are_loaded(tmp_path, monkeypatch):
    """Somebody writes another model between the two: it is not read a second time."""
    store = Store(tmp_path)
    slow_models.put(store, 1, slow_models.harmless())
    opened = OnnxSource._open

    def after_another_was_written(source, version, manifest, content):
        onnx_path(store, 1).write_bytes(iris().onnx)
        return opened(source, version, manifest, content)

    monkeypatch.setattr(OnnxSource, "_open", after_another_was_written)
    OnnxSource(store, "best_model").staged(1, None).self_test(5)


def test_a_model_that_cannot_compute_here_condemns_nothing(client, store):
    """It may as well be this app that is short of memory; a wrong answer is another thing."""
    slow_models.put(store, 3, slow_models.failing())

    assert "cannot infer its golden rows" in refused(client, 3)
