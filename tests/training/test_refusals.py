"""A model that cannot be converted is refused by a sentence: the step, why, and what to do instead."""

import numpy as np
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from world.kinds import flowers, messages, people, seconds, species, tags, trained_on

from interlock.errors import InvalidTraining, NotConvertible, ParityFailed
from interlock.training.dataset import Dataset
from interlock.training.learner import Learner
from interlock.training.train import train


class Mine(ClassifierMixin, BaseEstimator):
    """A classifier of somebody's own."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return np.zeros(len(x), dtype=int)


def by_name() -> Dataset:
    return Dataset.of(flowers(), species(["a", "b", "c"]))


def of_people() -> Dataset:
    return Dataset.of(people(), "answer")


def texts(*steps) -> ColumnTransformer:
    return ColumnTransformer([("texts", make_pipeline(*steps), ["city", "job"])])


CASES = {
    "a function": (
        by_name,
        lambda: make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
        r"FunctionTransformer \(step functiontransformer\) cannot be converted: it runs a Python function; compute",
    ),
    "rare categories": (
        of_people,
        lambda: make_pipeline(
            texts(OneHotEncoder(min_frequency=0.4, handle_unknown="infrequent_if_exist")), LogisticRegression()
        ),
        r"OneHotEncoder \(step columntransformer > texts > onehotencoder\).*infrequent categories.*min_frequency",
    ),
    "missing texts as NaN": (
        of_people,
        lambda: make_pipeline(
            texts(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
            LogisticRegression(),
        ),
        r"SimpleImputer.*missing texts are empty texts here.*missing_values=''",
    ),
    "no converter": (by_name, DummyClassifier, "DummyClassifier cannot be converted: skl2onnx has no converter for it"),
    "one of their own": (
        by_name,
        lambda: make_pipeline(StandardScaler(), Mine()),
        r"Mine \(step mine\) cannot be converted: it is not one of scikit-learn",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_step_is_named_with_the_reason_and_what_can_be_done(case):
    data, model, says = CASES[case]

    with pytest.raises(NotConvertible, match=says) as refused:
        trained_on(data(), model())
    assert "onnx(fitted)" in str(refused.value)


@pytest.mark.parametrize(
    ("data", "model", "says"),
    [
        (
            by_name,
            lambda: CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=3),
            "calibrate the classifier inside of the pipeline",
        ),
        (
            lambda: Dataset.of(flowers().mask(np.random.default_rng(0).random((150, 4)) < 0.05), species([0, 1, 2])),
            lambda: make_pipeline(KNNImputer(), LogisticRegression(max_iter=500)),
            "impute by SimpleImputer",
        ),
        (
            lambda: Dataset.of(seconds(), "early"),
            HistGradientBoostingClassifier,
            "float32 does not hold the values of epoch_s.*seconds since midnight",
        ),
    ],
)
def test_one_that_converts_and_answers_otherwise_is_refused_with_what_is_known_of_it(data, model, says):
    with pytest.raises(ParityFailed, match=f"answers otherwise than the fitted model.*{says}"):
        trained_on(data(), model())


def test_a_pipeline_that_cannot_be_fitted_is_refused_in_a_sentence():
    words = ColumnTransformer([("words", TfidfVectorizer(min_df=2.0), "message")])

    with pytest.raises(InvalidTraining, match="the pipeline cannot be fitted: InvalidParameterError"):
        trained_on(Dataset.of(messages(), "topic"), make_pipeline(words, LogisticRegression()))


@pytest.mark.parametrize("model", [IsolationForest, LinearRegression, KMeans])
def test_what_is_no_classifier_is_refused_for_a_classification(model):
    with pytest.raises(InvalidTraining, match=f"{model.__name__} is no classifier, and the target asks for a classif"):
        trained_on(by_name(), model())


def test_labels_in_another_number_than_the_rows_are_refused():
    """skl2onnx gives the labels of a RidgeClassifier on several labels in another shape."""
    with pytest.raises(NotConvertible):
        trained_on(Dataset.of(tags(), ["red", "green", "blue"]), RidgeClassifier())


class Own(Learner):
    """Brings its own ONNX: that of another model, if it is told to."""

    other: LogisticRegression | None = None

    def data(self):
        return Dataset.of(flowers(), species(["a", "b", "c"]))

    def pipeline(self, params):
        return LogisticRegression(max_iter=500)

    def onnx(self, fitted):
        types = [("input", FloatTensorType([None, 4]))]
        return to_onnx(self.other or fitted, initial_types=types, target_opset=17).SerializeToString()


def test_an_onnx_that_the_learner_brings_is_proven_as_every_other():
    learner = Own()
    assert train("own", learner, learner.Params()).metrics["parity_same_labels"] == 1.0

    learner.other = LogisticRegression(C=1e-3).fit(flowers().to_numpy(), species([0, 1, 2]))
    with pytest.raises(ParityFailed):
        train("own", learner, learner.Params())


def test_an_onnx_that_the_learner_brings_and_is_none_is_refused():
    learner = Own()
    learner.onnx = lambda fitted: b"not an onnx"

    with pytest.raises(NotConvertible, match="does not take and give what its data does"):
        train("own", learner, learner.Params())
