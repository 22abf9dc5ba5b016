"""From a learner and its parameters to a trained model with its proof."""

import dataclasses

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC
from world.models import asked

from interlock.errors import InvalidTraining, NotFound, ParityFailed
from interlock.model.golden import compare
from interlock.training import proof
from interlock.training.catalogue import find, names, parameters
from interlock.training.dataset import Dataset
from interlock.training.learner import ParityBounds
from interlock.training.parity import Onnx
from interlock.training.train import check_data, train
from learners.iris import Iris


@pytest.fixture(scope="module")
def iris():
    return train("iris", Iris(), Iris.Params())


def test_iris_is_good_enough_for_its_gate(iris):
    assert iris.metrics["accuracy"] > 0.9
    assert len(iris.answers) == len(iris.truth) == len(iris.held_out) == 38


def test_the_onnx_takes_one_float_tensor_and_gives_label_and_probabilities(iris):
    model = onnx.load_from_string(iris.onnx)

    assert [node.name for node in model.graph.input] == ["input"]
    assert [node.name for node in model.graph.output] == ["label", "probabilities"]
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    assert opsets[""] == 17
    assert opsets["ai.onnx.ml"] <= 3


def test_the_golden_rows_are_what_these_bytes_answer(iris):
    manifest = iris.manifest("run-1")

    assert len(manifest.golden.rows) == 32 + 2 * 4 + 1
    assert compare(manifest.golden, asked(iris, manifest.golden.rows)) == pytest.approx(0, abs=1e-6)
    assert manifest.sha256 == iris.sha256
    assert manifest.signature.class_names == ["setosa", "versicolor", "virginica"]


def test_the_same_parameters_give_the_same_bytes_and_others_give_others(iris):
    assert train("iris", Iris(), Iris.Params()).sha256 == iris.sha256
    assert train("iris", Iris(), Iris.Params(C=10)).sha256 != iris.sha256


def test_an_unknown_learner_is_refused_and_the_known_ones_are_named():
    with pytest.raises(NotFound, match=r"no learner 'irris'; there are .*iris"):
        find("irris", "learners")
    assert "iris" in names("learners")


@pytest.mark.parametrize("part", ["training", "learner", "os", "../iris", ""])
def test_a_part_of_the_package_is_no_learner(part):
    with pytest.raises(NotFound):
        find(part, "learners")


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"C": 0}, "C:"),
        ({"C": "x"}, "C:"),
        ({"max_iter": 0}, "max_iter:"),
        ({"c": 1}, "c:"),
        ({"C": float("nan")}, "C:"),
    ],
)
def test_a_parameter_out_of_range_or_unknown_is_refused_by_name(params, named):
    with pytest.raises(InvalidTraining, match=named):
        parameters(Iris(), params)


def test_a_class_without_rows_is_refused_by_name():
    names = ["setosa", "versicolor", "virginica", "unicorn"]

    with pytest.raises(InvalidTraining, match="unicorn"):
        check_data(dataclasses.replace(Iris().data(), class_names=names))


def test_an_onnx_that_says_something_else_is_refused_and_the_worst_row_named(monkeypatch):
    """The first answers of the ONNX are another model's."""
    data = Iris().data()
    other = proof.convert(train("iris", Iris(), Iris.Params(C=0.01)).fitted, data)
    monkeypatch.setattr(proof, "convert", lambda *_: other)

    with pytest.raises(ParityFailed, match="worst is held-out row"):
        train("iris", Iris(), Iris.Params(C=100))


class Forest(Iris):
    """Bounds of its own, and types that MLflow's flavour must be told."""

    parity = ParityBounds(labels=1.0, numbers=1.0, tolerance=1e-3)
    skops_trusted_types = ["sklearn.tree._tree.Tree"]  # noqa: RUF012

    def pipeline(self, params):
        return RandomForestClassifier(20, random_state=0)


def test_a_learner_sets_its_own_bounds_and_trusted_types():
    trained = train("forest", Forest(), Forest.Params())

    assert trained.skops_trusted_types == ["sklearn.tree._tree.Tree"]
    assert trained.metrics["parity_close_numbers"] == 1.0


class Unbalanced(Iris):
    """Two classes of which one is rare."""

    model = RandomForestClassifier()

    def data(self):
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(400, 2)).astype(np.float32)
        labels = ((rows[:, 0] + 0.9 * rng.normal(size=400)) > 1).astype(np.int64)
        return Dataset.of(pd.DataFrame(rows, columns=["a", "b"]), labels, class_names=["no", "yes"])

    def pipeline(self, params):
        return self.model


@pytest.mark.parametrize("trees", [10, 20, 25, 30, 70, 90, 250])
def test_a_forest_whose_float32_sums_leave_0_to_1_is_trained_and_answers_probabilities(trees):
    learner = Unbalanced()
    learner.model = RandomForestClassifier(trees, random_state=0)

    trained = train("unbalanced", learner, Iris.Params())

    probabilities = Onnx(trained.onnx, trained.signature).answers(learner.data().frame).numbers
    assert 0 <= probabilities.min() <= probabilities.max() <= 1
    assert trained.metrics["neg_log_loss"] < 0


@pytest.mark.filterwarnings("ignore:.*1.11.*:FutureWarning")  # SVC(probability=True) is what people have
def test_the_confidence_is_the_probability_of_the_label_that_is_answered():
    """A support vector machine answers by its margin, which need not be where its probability is largest."""
    learner = Unbalanced()
    learner.model = SVC(probability=True, class_weight="balanced", random_state=0)
    rows = [[0.4, 0], [0.6, 0], [0.8, 0], [1.0, 0], [1.2, 0]]
    trained = train("svm", learner, Iris.Params())

    answers = asked(trained, rows)

    frame = pd.DataFrame(rows, columns=["a", "b"], dtype=np.float32)
    expected = trained.fitted.predict_proba(frame)[np.arange(5), trained.fitted.predict(frame)]
    assert answers.confidence() == pytest.approx(expected, abs=1e-4)
    assert answers.confidence().min() < 0.5
