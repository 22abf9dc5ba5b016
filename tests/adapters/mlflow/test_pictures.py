"""The pictures of a training follow its task, and take no longer for many classes than for few."""

import numpy as np
import pytest

from interlock.adapters.mlflow.pictures import drawn
from interlock.model.answers import Answers
from interlock.model.signature import Column, Input, Output, Role, Signature

PNG = b"\x89PNG"
COLUMNS = {"columns": [Column(name="x")], "inputs": [Input(name="input", columns=("x",))]}
LABEL = Output(name="label", role="label", dtype="int64")
CURVES = {"roc.png", "precision_recall.png", "calibration.png"}


def classifier(classes: int, *, probabilities: bool = True):
    random = np.random.default_rng(0)
    truth = random.integers(0, classes, 20 * classes)
    shares = random.dirichlet(np.ones(classes), len(truth)).astype(np.float32)
    more = [Output(name="probabilities", role="probabilities", width=classes)] if probabilities else []
    names = [f"class {n} with a name that is rather long" for n in range(classes)]
    signature = Signature(outputs=[LABEL, *more], class_names=names, **COLUMNS)
    numbers, role = (shares, Role.PROBABILITIES) if probabilities else (None, None)
    return signature, truth, Answers(shares.argmax(axis=1), numbers, role)


@pytest.mark.parametrize("classes", [2, 3, 200])
def test_a_classifier_has_a_confusion_matrix_and_with_probabilities_three_curves(tmp_path, classes):
    paths = drawn(*classifier(classes), tmp_path)

    assert {path.name for path in paths} == {"confusion_matrix.png", *CURVES}
    assert all(path.read_bytes().startswith(PNG) for path in paths)


def test_a_classifier_without_probabilities_has_no_curves(tmp_path):
    assert [path.name for path in drawn(*classifier(3, probabilities=False), tmp_path)] == ["confusion_matrix.png"]


def test_a_regression_has_its_values_and_residuals_also_for_several_targets(tmp_path):
    outputs = [Output(name="value", role="value", width=2)]
    signature = Signature(task="regression", outputs=outputs, targets=["u", "v"], **COLUMNS)
    truth = np.random.default_rng(0).normal(size=(10_000, 2))

    paths = drawn(signature, truth, Answers(None, truth + 0.1, Role.VALUE), tmp_path)

    assert [path.name for path in paths] == ["predicted_against_true.png", "residuals.png"]


def test_several_labels_have_bars(tmp_path):
    outputs = [LABEL.model_copy(update={"width": 2})]
    signature = Signature(task="multilabel", outputs=outputs, class_names=["a", "b"], **COLUMNS)
    truth = np.random.default_rng(0).integers(0, 2, (50, 2))

    assert [path.name for path in drawn(signature, truth, Answers(1 - truth, None, None), tmp_path)] == ["labels.png"]
