"""Candidates on trial, each in a real child: the good ones pass, and whatever a bad one does, it does there."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from inject.hostile_models import (
    ROWS,
    answers,
    classifier,
    constant,
    deep_tree,
    doubling,
    endless,
    huge_at_load,
    huge_at_run,
    impossible_quotient,
    maps,
    outside,
    product,
    put,
    scanning,
    wide,
)
from onnx.helper import make_node
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import KNNImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from world.credit import credit
from world.models import iris, wrong

from interlock.errors import Broken, Damaged, Refused, SmokeFailed, TooSlow, TrialFailed, Unreadable
from interlock.model.manifest import Golden, Manifest
from interlock.model.session import opened
from interlock.model.trial import Limits, Trial, process, question, try_out, trying
from interlock.training.train import Trained

MIB = 1024 * 1024
OPSET = {"": 17, "ai.onnx.ml": 3}
BRIEF = Limits(cpu_s=1)


def put_trained(folder: Path, trained: Trained) -> Manifest:
    manifest = trained.manifest("run")
    (folder / "model.onnx").write_bytes(trained.onnx)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return manifest


# Good candidates


@pytest.mark.parametrize("train", [iris, credit])
def test_what_the_learners_make_passes(tmp_path, train):
    manifest = put_trained(tmp_path, train())
    trial = try_out(tmp_path, manifest)
    assert (trial.sha256, trial.size_bytes) == (manifest.sha256, manifest.size)
    assert trial.golden_rows == len(manifest.golden.rows)
    assert (trial.batch_rows, trial.worst) == (256, pytest.approx(0, abs=1e-4))
    assert set(trial.domains) <= {"ai.onnx", "ai.onnx.ml"}
    assert 0 < trial.row_ms < 100
    assert 0 < trial.load_ms < 1000
    assert 2 * MIB < trial.load_memory_bytes < 100 * MIB
    assert 0 < trial.request_memory_bytes < 5 * MIB
    assert Trial.model_validate_json(trial.model_dump_json()) == trial
    assert "golden rows, off by" in str(trial)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # skl2onnx writes booleans where protobuf wants numbers
@pytest.mark.parametrize(
    ("estimator", "opset"),
    [
        (HistGradientBoostingClassifier(max_iter=20), OPSET),
        (RandomForestClassifier(50), OPSET),
        (KNeighborsClassifier(), OPSET),
        (make_pipeline(KNNImputer(), MLPClassifier(max_iter=2000)), {"": 18, "ai.onnx.ml": 3}),
    ],
    ids=["boosting", "forest", "a scan", "functions"],
)
def test_what_other_learners_would_make_passes(tmp_path, estimator, opset):
    """skl2onnx writes neighbours as a Scan, and KNNImputer as functions of a domain of its own."""
    rows, labels = load_iris(return_X_y=True)
    rows = rows.astype(np.float32)
    options = {"options": {"zipmap": False}, "target_opset": opset}
    onnx = to_onnx(estimator.fit(rows, labels), initial_types=[("input", FloatTensorType([None, 4]))], **options)
    content = onnx.SerializeToString()
    labels, probabilities = opened(content).run(None, {"input": rows[::10]})
    golden = Golden(rows=rows[::10].tolist(), labels=labels.tolist(), probabilities=probabilities.tolist())
    assert try_out(tmp_path, put(tmp_path, content, golden)).nodes >= len(onnx.graph.node)
    assert bool(onnx.functions) == (opset != OPSET)


def test_the_peak_is_the_candidates_own_whoever_asks(tmp_path):
    """`ru_maxrss` would start at the size of this process: everything below it would measure as nothing."""
    large = np.ones(60 * MIB, dtype=np.float32)
    assert psutil.Process().memory_info().rss > 240 * MIB
    trained = iris()
    assert try_out(tmp_path, put_trained(tmp_path, trained)).load_memory_bytes > 2 * MIB
    del large


def test_what_a_request_takes_is_told_apart_from_what_loading_takes(tmp_path):
    """50 million numbers of four bytes, at each request."""
    plain = try_out(tmp_path, put(tmp_path, classifier()))
    trial = try_out(tmp_path, put(tmp_path, huge_at_run(50_000_000)))
    assert trial.request_memory_bytes > 190 * MIB
    assert abs(trial.load_memory_bytes - plain.load_memory_bytes) < 10 * MIB


def test_what_a_request_takes_is_that_of_the_largest_one(tmp_path):
    trial = try_out(tmp_path, put(tmp_path, wide(16 * 1024)))
    assert trial.request_memory_bytes > 256 * 16 * 1024 * 4


def test_a_trial_costs_less_than_a_second_and_a_half_of_processor_time(tmp_path):
    manifest = put_trained(tmp_path, iris())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try_out(tmp_path, manifest)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


def test_it_says_nothing_on_the_releasing_process_own_output(tmp_path, capfd):
    """onnxruntime warns of each tensor that nobody uses."""
    unused = [constant(f"unused{number}", [number]) for number in range(1000)]
    try_out(tmp_path, put(tmp_path, classifier(tensors=unused)))
    assert capfd.readouterr() == ("", "")


# What takes too much


@pytest.mark.parametrize("build", [huge_at_load, huge_at_run])
def test_a_kilobyte_that_needs_gigabytes_fails_in_the_child(tmp_path, build):
    manifest = put(tmp_path, build())
    assert manifest.size < 1000
    with pytest.raises(TrialFailed):
        try_out(tmp_path, manifest)


@pytest.mark.parametrize("at_load", [True, False], ids=["at load", "at run"])
def test_a_product_of_minutes_fails_at_its_processor_time(tmp_path, at_load):
    with pytest.raises(TrialFailed, match="SIGXCPU"):
        try_out(tmp_path, put(tmp_path, product(at_load=at_load)), BRIEF)


@pytest.mark.parametrize("build", [endless, scanning])
def test_a_loop_without_end_fails_at_its_processor_time(tmp_path, build):
    started = time.monotonic()
    with pytest.raises(TrialFailed, match="while answering rows"):
        try_out(tmp_path, put(tmp_path, build()), BRIEF)
    assert time.monotonic() - started < Limits().wall_s


def test_a_loop_without_end_fails_at_the_wall_too(tmp_path):
    with pytest.raises((TrialFailed, Refused), match="its time was over"):
        try_out(tmp_path, put(tmp_path, endless()), Limits(wall_s=2, cpu_s=20))


def test_functions_that_double_are_refused_before_they_are_opened(tmp_path):
    started = time.monotonic()
    with pytest.raises(TrialFailed, match="while examining"):
        try_out(tmp_path, put(tmp_path, doubling(40)))
    assert time.monotonic() - started < 10


def test_a_file_with_millions_of_nodes_is_refused_within_the_limits(tmp_path):
    model = classifier()
    model.graph.node.extend([make_node("Identity", ["zero"], [""])] * 300_000)
    with pytest.raises(TrialFailed, match="more than 20000 nodes"):
        try_out(tmp_path, put(tmp_path, model))


def test_a_file_over_the_largest_size_is_refused(tmp_path):
    manifest = put(tmp_path, classifier())
    with pytest.raises(TrialFailed, match=f"has {manifest.size} bytes, more than 100"):
        try_out(tmp_path, manifest, Limits(size_bytes=100))


def test_a_candidate_that_just_needs_more_memory_than_it_may_take_fails(tmp_path):
    """It is 16 MB to read; its trees would be ten times that."""
    padding = constant("padding", np.zeros(4_000_000), np.float32)
    manifest = put(tmp_path, classifier([make_node("ReduceMax", ["padding"], ["extra"], keepdims=0)], [padding]))
    assert try_out(tmp_path, manifest).load_memory_bytes > 16 * MIB
    with pytest.raises(TrialFailed):
        try_out(tmp_path, manifest, Limits(memory_bytes=24 * MIB))


@pytest.mark.parametrize(("build", "name"), [(impossible_quotient, "SIGFPE"), (deep_tree, "SIGSEGV")])
def test_a_candidate_that_crashes_onnxruntime_crashes_the_child(tmp_path, build, name):
    """Either would take a serving app with it."""
    with pytest.raises(TrialFailed, match=f"it crashed .{name}"):
        try_out(tmp_path, put(tmp_path, build()))


# What the machine lacks


def test_a_machine_without_memory_condemns_nobody(tmp_path, monkeypatch):
    manifest = put(tmp_path, huge_at_run(20_000_000))
    monkeypatch.setattr(question, "free_memory", lambda: question.PYTHON_BYTES + 40 * MIB)
    with pytest.raises(Refused, match="less memory left") as raised:
        try_out(tmp_path, manifest)
    assert not isinstance(raised.value, Broken)
    monkeypatch.setattr(question, "free_memory", lambda: question.PYTHON_BYTES)
    with pytest.raises(Refused, match="this machine has 96 MiB"):
        try_out(tmp_path, manifest)


def test_a_machine_with_little_memory_still_tries_what_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(question, "free_memory", lambda: question.PYTHON_BYTES + 60 * MIB)
    assert try_out(tmp_path, put(tmp_path, classifier())).nodes == 3


def test_a_system_that_does_not_tell_its_memory_tries_too(tmp_path, monkeypatch):
    monkeypatch.setattr(question, "free_memory", lambda: None)
    assert try_out(tmp_path, put(tmp_path, classifier())).nodes == 3


def test_a_child_that_somebody_kills_condemns_nobody(tmp_path):
    """As the kernel does when the machine is full."""
    killer = threading.Thread(target=lambda: _first_child(os.getpid()).send_signal(signal.SIGKILL))
    killer.start()
    with pytest.raises(Refused, match="somebody ended it .SIGKILL"):
        try_out(tmp_path, put(tmp_path, endless()), Limits(cpu_s=20))
    killer.join()


def test_an_environment_without_onnxruntime_condemns_nobody(tmp_path, monkeypatch):
    def run(asked: bytes, wall_s: float, most_bytes: int) -> process.Ended:
        boot = f"import sys; sys.modules['onnxruntime'] = None{process.BOOT}"
        command = [boot if part == process.BOOT else part for part in process.COMMAND]
        return process.run(asked, wall_s, most_bytes, command)

    monkeypatch.setattr(trying, "run", run)
    with pytest.raises(Refused, match="before it began: ModuleNotFoundError"):
        try_out(tmp_path, put(tmp_path, classifier()))


def test_the_child_dies_with_the_releasing_process(tmp_path):
    """SIGKILL leaves it no time to end anybody."""
    put(tmp_path, endless())
    script = (
        "import sys; from pathlib import Path; from interlock.model.manifest import Manifest\n"
        "from interlock.model.trial import *\n"
        "folder = Path(sys.argv[1]); manifest = Manifest.model_validate_json((folder / 'manifest.json').read_bytes())\n"
        "try_out(folder, manifest, Limits(cpu_s=60, wall_s=60))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], env=environment) as releasing:
        child = _first_child(releasing.pid)
        releasing.kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def _first_child(pid: int) -> psutil.Process:
    """Wait for the child to have put its limits on itself: it is nice then."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [child for child in psutil.Process(pid).children() if child.nice() > psutil.Process().nice()]
        if found:
            return found[0]
        time.sleep(0.01)
    pytest.fail("there never was a child")


# What the file is


def test_the_bytes_must_be_those_of_the_digest(tmp_path):
    manifest = put(tmp_path, classifier())
    onnx = (tmp_path / "model.onnx").read_bytes()
    for other in (b"", onnx[:-1], onnx + b"\0", onnx[:-1] + bytes([onnx[-1] ^ 1])):
        (tmp_path / "model.onnx").write_bytes(other)
        with pytest.raises(Damaged):
            try_out(tmp_path, manifest)


def test_a_sparse_file_of_ten_gigabytes_is_not_read(tmp_path):
    manifest = put(tmp_path, classifier())
    os.truncate(tmp_path / "model.onnx", 10 * 1024**3)
    with pytest.raises(Damaged, match="10737418240 bytes"):
        try_out(tmp_path, manifest)
    with pytest.raises(TrialFailed, match="more than"):
        try_out(tmp_path, manifest.model_copy(update={"size": 10 * 1024**3}))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path)


def _absent(path: Path) -> None:
    del path


@pytest.mark.parametrize("make", [_fifo, _folder, _zeros, _circle, _absent])
def test_what_is_no_file_is_unreadable_and_nobody_waits_for_it(tmp_path, make):
    manifest = put(tmp_path, classifier())
    (tmp_path / "model.onnx").unlink()
    make(tmp_path / "model.onnx")
    with pytest.raises(Unreadable):
        try_out(tmp_path, manifest)


def test_a_folder_without_a_manifest_is_unreadable(tmp_path):
    manifest = put(tmp_path, classifier())
    shutil.rmtree(tmp_path)
    with pytest.raises(Unreadable):
        try_out(tmp_path, manifest)


@pytest.mark.parametrize("content", [b"\x08", b"\xff" * 100, b"PK\x03\x04" * 30])
def test_what_onnxruntime_cannot_open_is_condemned(tmp_path, content):
    with pytest.raises(TrialFailed):
        try_out(tmp_path, put(tmp_path, content))


def test_an_operator_that_nobody_knows_is_condemned(tmp_path):
    with pytest.raises(TrialFailed, match="while loading it"):
        try_out(tmp_path, put(tmp_path, classifier([make_node("Anything", ["zero"], ["extra"])])))


def test_weights_in_the_manifest_are_not_read(tmp_path):
    """The digest does not cover that file; onnxruntime would read it."""
    model = classifier()
    model.graph.initializer[0].CopyFrom(outside("manifest.json"))
    with pytest.raises(TrialFailed, match="outside the file"):
        try_out(tmp_path, put(tmp_path, model))


def test_maps_instead_of_tensors_are_condemned(tmp_path):
    with pytest.raises(TrialFailed, match="no tensor"):
        try_out(tmp_path, put(tmp_path, maps()))


def test_a_candidate_for_one_row_at_a_time_is_condemned(tmp_path):
    model = classifier()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(TrialFailed, match="while answering rows"):
        try_out(tmp_path, put(tmp_path, model))


# What the manifest is


def test_a_manifest_with_too_many_golden_rows_is_refused_and_the_bytes_are_not_blamed(tmp_path):
    """Engines answer them all before they flip: a million took live answers 4.2 s. The digest does not cover them."""
    many = Golden.model_construct(
        rows=ROWS[:1] * 1_000_000, labels=[0] * 1_000_000, probabilities=[[1, 0, 0]] * 1_000_000
    )
    manifest = put(tmp_path, classifier()).model_copy(update={"golden": many})
    started = time.monotonic()
    with pytest.raises(Refused, match="1000000 golden rows, 64 at most") as raised:
        try_out(tmp_path, manifest)
    assert not isinstance(raised.value, Broken)
    assert time.monotonic() - started < 1


def test_a_manifest_over_the_largest_size_is_refused(tmp_path):
    manifest = put(tmp_path, classifier())
    os.truncate(tmp_path / "manifest.json", 33 * MIB)
    with pytest.raises(Refused, match="bytes, 2097152 at most"):
        try_out(tmp_path, manifest)


def test_as_many_golden_rows_as_allowed_are_answered(tmp_path):
    golden = answers()
    many = Golden(
        rows=(golden.rows * 22)[:64],
        labels=(golden.labels * 22)[:64],
        probabilities=(golden.probabilities * 22)[:64],
    )
    assert try_out(tmp_path, put(tmp_path, classifier(), many)).golden_rows == 64


def test_golden_rows_that_are_none_of_the_columns_are_refused(tmp_path):
    manifest = put(tmp_path, classifier())
    golden = manifest.golden.model_copy(update={"rows": [["text", 1, 2, 3], *manifest.golden.rows[1:]]})
    with pytest.raises(Refused, match="row 0, column c0: not a number"):
        try_out(tmp_path, manifest.model_copy(update={"golden": golden}))


# What it answers


def test_wrong_answers_are_condemned(tmp_path):
    with pytest.raises(SmokeFailed, match="another label than in training"):
        try_out(tmp_path, put_trained(tmp_path, wrong(iris())))


def test_answers_that_are_not_finite_are_condemned(tmp_path):
    nan = [make_node("Div", ["zero", "zero"], ["extra"])]
    with pytest.raises(SmokeFailed, match="not finite"):
        try_out(tmp_path, put(tmp_path, classifier(nan)))


def test_answers_of_another_shape_are_condemned(tmp_path):
    manifest = put(tmp_path, classifier())
    label, probabilities = manifest.signature.outputs
    outputs = [label, probabilities.model_copy(update={"width": 2})]
    signature = manifest.signature.model_copy(update={"outputs": outputs})
    with pytest.raises(SmokeFailed, match=r"probabilities of 1 rows has the shape \(1, 3\), not \(1, 2\)"):
        try_out(tmp_path, manifest.model_copy(update={"signature": signature}))


def test_a_wrong_answer_to_the_last_of_many_rows_is_found(tmp_path):
    golden = answers()
    rows = golden.rows * 20
    labels = [*(golden.labels * 20)[:59], (golden.labels[2] + 1) % 3]
    late = Golden(rows=rows, labels=labels, probabilities=golden.probabilities * 20)
    with pytest.raises(SmokeFailed, match="row 59"):
        try_out(tmp_path, put(tmp_path, classifier(), late))


def test_wrong_answers_to_large_requests_alone_are_found(tmp_path):
    """It adds to the logits of the first class how many rows there are beyond 32."""
    nodes = [
        make_node("Shape", ["input"], ["size"], start=0, end=1),
        make_node("Sub", ["size", "few"], ["over"]),
        make_node("Max", ["over", "none"], ["beyond"]),
        make_node("Cast", ["beyond"], ["much"], to=1),
        make_node("Mul", ["much", "first"], ["bias"]),
        make_node("Add", ["logits", "bias"], ["biased"]),
    ]
    tensors = [constant("few", [32]), constant("none", [0]), constant("first", [1, 0, 0], np.float32)]
    model = classifier(nodes, tensors)
    for node in model.graph.node[-2:]:
        node.input[0] = "biased"
    with pytest.raises(SmokeFailed):
        try_out(tmp_path, put(tmp_path, model))
    assert try_out(tmp_path, put(tmp_path, model), Limits(largest_request=32)).batch_rows == 32


def test_slow_and_right_is_too_slow_and_no_verdict(tmp_path):
    manifest = put_trained(tmp_path, iris())
    with pytest.raises(TooSlow, match="over the budget of 0.001 ms") as raised:
        try_out(tmp_path, manifest, Limits(latency_budget_ms=0.001))
    assert not isinstance(raised.value, Broken)


def test_the_budget_is_for_one_row(tmp_path):
    manifest = put(tmp_path, endless(10_000))
    row_ms = try_out(tmp_path, manifest).row_ms
    assert try_out(tmp_path, manifest, Limits(latency_budget_ms=row_ms * 50))
    with pytest.raises(TooSlow):
        try_out(tmp_path, manifest, Limits(latency_budget_ms=row_ms / 50))


def test_slow_and_wrong_is_condemned(tmp_path):
    manifest = put_trained(tmp_path, wrong(iris()))
    with pytest.raises(SmokeFailed):
        try_out(tmp_path, manifest, Limits(latency_budget_ms=0.001))
