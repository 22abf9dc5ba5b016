"""Releases to Triton that go wrong: a typed error that names what serves, nothing exposed, nothing left loaded."""

import dataclasses

import httpx
import numpy as np
import onnx
import pytest
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from world.engines import environment, triton_engine
from world.models import iris, put, wrong
from world.tritons import REAL

from interlock.errors import Broken, ContractChanged, DeliveryError, NotReady, Refused, Unreachable
from interlock.release.open import released
from interlock.release.steps import STEPS
from interlock.store import Store
from interlock.upkeep.reconcile import Reconciler

ROW = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}


@pytest.fixture
def store(home):
    return Store(home / "repository")


@pytest.fixture
def engine(triton, store):
    servers = [(triton.http, triton.grpc)]
    return triton_engine("dev", servers, triton.key, store, timeout_s=1, load_timeout_s=10)


@pytest.fixture
def release(engine, store):
    def release(version, trained, between=lambda step: None):
        candidate = put(store, version, trained)
        with released(release.env, candidate, [engine]) as made:
            for step in STEPS:
                if step.name != "trial":
                    step.make(made)
                between(step.name)

    release.env = environment(store, engine)
    return release


@pytest.fixture
def live(release, triton):
    """v1 answers, before and after."""
    release(1, iris(1.0))
    yield
    assert unversioned(triton) == 1
    assert not httpx.get(f"{triton.http}/v2/models/best_model--candidate").is_success


def unversioned(triton):
    answer = httpx.post(f"{triton.http}/v2/models/best_model/infer", json=ROW)
    return int(answer.json()["model_version"]) if answer.is_success else None


def carrying(content: bytes, **change):
    """A trained model whose ONNX is something else than its training made."""
    return dataclasses.replace(iris(10.0), onnx=content, **change)


def with_string_labels() -> bytes:
    data = iris(1.0).held_out
    names = np.asarray(data.class_names)[data.target]
    fitted = type(iris(1.0).fitted)(list(iris(1.0).fitted.steps)).fit(data.frame.to_numpy(), names)
    options = {"zipmap": False}
    inputs = [("input", FloatTensorType([None, 4]))]
    return to_onnx(
        fitted, initial_types=inputs, options=options, target_opset={"": 17, "ai.onnx.ml": 3}
    ).SerializeToString()


def with_zipmap() -> bytes:
    inputs = [("input", FloatTensorType([None, 4]))]
    return to_onnx(iris(10.0).fitted, initial_types=inputs, target_opset={"": 17, "ai.onnx.ml": 3}).SerializeToString()


def with_opset(version: int) -> bytes:
    model = onnx.load_from_string(iris(10.0).onnx)
    model.opset_import[0].version = version
    return model.SerializeToString()


def with_external_data() -> bytes:
    weights = helper.make_tensor(
        "w", onnx.TensorProto.FLOAT, [4, 3], np.zeros(12, dtype=np.float32).tobytes(), raw=True
    )
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../../etc/passwd")
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["input", "w"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"]),
            helper.make_node("ArgMax", ["scores"], ["label"], keepdims=0, axis=1),
        ],
        "external",
        [tensor("input", onnx.TensorProto.FLOAT, [None, 4])],
        [tensor("label", onnx.TensorProto.INT64, [None]), tensor("probabilities", onnx.TensorProto.FLOAT, [None, 3])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def fails_at_inference() -> bytes:
    """Loads, and then reshapes rows into what they cannot be."""
    tensor = helper.make_tensor_value_info
    shape = helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [7, 11])
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["input", "shape"], ["broken"]),
            helper.make_node("Softmax", ["broken"], ["probabilities"]),
            helper.make_node("ArgMax", ["input"], ["label"], keepdims=0, axis=1),
        ],
        "fails",
        [tensor("input", onnx.TensorProto.FLOAT, [None, 4])],
        [tensor("label", onnx.TensorProto.INT64, [None]), tensor("probabilities", onnx.TensorProto.FLOAT, [None, 3])],
        [shape],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


CANDIDATES = {
    "corrupt": lambda: carrying(b"not an onnx"),
    "truncated": lambda: carrying(iris(10.0).onnx[:-40]),
    "fails at inference": lambda: carrying(fails_at_inference()),
    "answers wrongly": lambda: wrong(iris(10.0)),
    "string labels": lambda: carrying(with_string_labels()),
    "zipmap": lambda: carrying(with_zipmap()),
    "an opset of the future": lambda: carrying(with_opset(99)),
    "external data": lambda: carrying(with_external_data()),
}
CONDEMNED = "answers wrongly"
"""That an engine cannot load or compute a file says nothing about its bytes. In a release the trial comes before."""


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("kind", CANDIDATES)
def test_a_candidate_that_is_no_good_is_refused_and_v1_answers_on(release, store, kind):
    condemned = kind == CONDEMNED
    with pytest.raises(Broken if condemned else (Refused, Unreachable), match=r"best_model A: v1 serves"):
        release(2, CANDIDATES[kind]())

    assert store.current("best_model").version_of("A") == 1
    assert store.paths("best_model").version(2).exists() is not condemned
    assert len(list(store.paths("best_model").failed.glob("*"))) == condemned


@pytest.mark.usefixtures("live")
def test_another_input_than_the_live_one_is_refused_before_anything_is_loaded(release, store):
    made = iris(10.0)
    columns = [
        column.model_copy(update={"name": name}) for column, name in zip(made.signature.columns, "abcd", strict=True)
    ]
    inputs = [made.signature.inputs[0].model_copy(update={"columns": tuple("abcd")})]
    renamed = made.signature.model_copy(update={"columns": columns, "inputs": inputs})

    with pytest.raises(ContractChanged, match="it takes a new column a float32; .*v1 serves"):
        release(2, dataclasses.replace(made, signature=renamed))


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("moment", ["load", "ready"])
def test_a_restart_in_the_rehearsal_stops_the_release_and_blames_nobody(release, triton, store, moment):
    def restart(step):
        if step == moment:
            triton.restart(("best_model",)) if hasattr(triton, "loaded") else triton.restart()

    with pytest.raises((NotReady, Refused), match="v1 serves"):
        release(2, iris(10.0), between=restart)

    assert list(store.paths("best_model").refused.iterdir()) == []
    release(2, iris(10.0))
    release(1, iris(1.0))


@pytest.mark.parametrize("triton", REAL, indirect=True)
@pytest.mark.usefixtures("live")
def test_a_triton_that_hangs_is_unreachable_and_what_it_loaded_late_is_swept(release, triton, store, engine):
    """It takes the load and answers nobody; when it goes on, the load is done and reconcile drops it."""

    def hang(step):
        if step == "load":
            triton.pause()

    with pytest.raises(Unreachable, match="v1 serves"):
        release(2, iris(10.0), between=hang)
    triton.go_on()

    reconciler = Reconciler(release.env)
    (report,) = reconciler.reconcile(["best_model"])
    assert any("dropped the candidate" in done for done in report.done)
    (again,) = reconciler.reconcile(["best_model"])
    assert (again.found, again.done) == ([], [])


@pytest.mark.parametrize("triton", REAL, indirect=True)
def test_a_restart_at_any_moment_serves_the_decided_version_or_nothing(release, triton):
    """Between commit and follow, and between commit-back and follow, the decision is what the launcher renders."""
    triton.restart()
    assert unversioned(triton) is None
    release(1, iris(1.0))
    seen = []

    def restart(step):
        if step == "commit":
            triton.restart()
            seen.append(unversioned(triton))

    release(2, iris(10.0), between=restart)
    assert seen == [2]

    (triton.models / "best_model" / "config.pbtxt").write_text("broken by hand {")
    triton.restart()
    assert unversioned(triton) == 2


@pytest.mark.parametrize("triton", REAL, indirect=True)
def test_a_restart_between_the_commit_back_and_the_follow_serves_the_version_before(
    release, triton, store, monkeypatch
):
    from interlock.adapters.triton.engine import TritonReplica

    release(1, iris(1.0))
    follow, seen = TritonReplica.follow, []

    def follow_after_restart(self, current):
        if current.epoch == 3:
            triton.restart()
            seen.append(unversioned(triton))
        return follow(self, current)

    monkeypatch.setattr(TritonReplica, "follow", follow_after_restart)

    def bad(step):
        if step == "commit":
            raise Broken("somebody says that it is bad")

    with pytest.raises(DeliveryError, match="v1 serves"):
        release(2, iris(10.0), between=bad)

    assert seen == [1]
    assert unversioned(triton) == 1
