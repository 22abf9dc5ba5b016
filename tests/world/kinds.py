"""A small model of each kind that people bring, with rows to ask and what the fitted model itself answers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from interlock.training.dataset import Dataset, encoded_frame
from interlock.training.learner import Learner
from interlock.training.train import Trained, train


class Nothing(BaseModel):
    """No parameters."""


def trained_on(data: Dataset, model: BaseEstimator) -> Trained:
    class Given(Learner):
        Params = Nothing

        def data(self) -> Dataset:
            return data

        def pipeline(self, _params: Any) -> BaseEstimator:
            return model

    return train("given", Given(), Nothing())


def flowers() -> pd.DataFrame:
    return load_iris(as_frame=True).data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))


def species(names: list[Any]) -> np.ndarray:
    return np.asarray(names)[load_iris().target]


def people() -> pd.DataFrame:
    """Numbers, whole numbers, texts and flags, some of them missing; who stays hangs on city and membership."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, 600),
            "income": np.where(random.random(600) < 0.1, np.nan, random.normal(40_000, 9_000, 600)),
            "city": random.choice(["bern", "oslo", "rome"], 600),
            "job": np.where(random.random(600) < 0.1, None, random.choice(["cook", "smith"], 600)),
            "member": random.random(600) < 0.5,
        }
    )
    return frame.assign(answer=np.where((frame.city == "oslo") ^ frame.member, "stays", "leaves"))


def of_people(unknown: str = "ignore") -> BaseEstimator:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), OneHotEncoder())
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", numbers, ["age", "income"]),
                ("city", OneHotEncoder(handle_unknown=unknown), ["city"]),
                ("job", texts, ["job"]),
                ("member", "passthrough", ["member"]),
            ]
        ),
        RandomForestClassifier(20, random_state=0),
    )


def messages() -> pd.DataFrame:
    words = {"refund": ["money back", "REFUND please", "charged twice"], "praise": ["great service", "love it, Élise"]}
    rows = [(f"{said} {n % 7} x", label) for label, every in words.items() for said in every for n in range(20)]
    return pd.DataFrame(rows, columns=["message", "topic"])


def seconds() -> pd.DataFrame:
    at = 1_764_000_000 + np.random.default_rng(1).integers(0, 86_400, 3_000)
    return pd.DataFrame({"epoch_s": at, "early": at % 3_600 < 1_800})


def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True).frame


def tags() -> pd.DataFrame:
    x, y = make_multilabel_classification(300, 4, n_classes=3, random_state=0)
    return pd.DataFrame(x, columns=list("abcd")).assign(red=y[:, 0], green=y[:, 1], blue=y[:, 2])


@dataclass(frozen=True)
class Kind:
    """
    Args:
        frame: Features and targets.
        rows: To ask about, as clients send them, by column name.
    """

    frame: Callable[[], pd.DataFrame]
    target: str | list[str]
    model: Callable[[], BaseEstimator]
    rows: list[dict[str, Any]]
    task: str | None = None

    def trained(self) -> Trained:
        return _trained(self)

    def expected(self) -> list[Any]:
        """What the fitted model itself answers, in the data's own labels."""
        trained = self.trained()
        given = trained.fitted.predict(encoded_frame(pd.DataFrame(self.rows), trained.signature.columns)).tolist()
        labels = trained.signature.labels
        if self.task == "multilabel":
            return [[name for name, is_so in zip(labels, row, strict=True) if is_so] for row in given]
        return given if labels is None else [labels[place] for place in given]


@cache
def _trained_by_name(name: str) -> Trained:
    kind = KINDS[name]
    return trained_on(Dataset.of(kind.frame(), kind.target, task=kind.task), kind.model())


def _trained(kind: Kind) -> Trained:
    return _trained_by_name(next(name for name, known in KINDS.items() if known is kind))


FLOWER = dict(zip(flowers().columns, [5.1, 3.5, 1.4, 0.2], strict=True))
PERSON = {"age": 30, "income": 41_000.5, "city": "oslo", "job": "cook", "member": True}
PATIENT = {name: 0.01 * place for place, name in enumerate(load_diabetes().feature_names)}

KINDS = {
    "names": Kind(
        lambda: flowers().assign(species=species(["no", "maybe", "yes"])),
        "species",
        lambda: LogisticRegression(max_iter=500),
        [FLOWER, FLOWER | {"petal_length": 6.5, "petal_width": 2.2}],
    ),
    "numbers from one": Kind(
        lambda: flowers().assign(species=species([1.0, 2.0, 3.0])),
        "species",
        lambda: LogisticRegression(max_iter=500),
        [FLOWER, FLOWER | {"petal_length": 6.5, "petal_width": 2.2}],
    ),
    "flags": Kind(
        lambda: flowers().assign(long=flowers().sepal_length > 5.8).drop(columns="sepal_length"),
        "long",
        KNeighborsClassifier,
        [{name: cell for name, cell in FLOWER.items() if name != "sepal_length"}],
    ),
    "mixed": Kind(
        people,
        "answer",
        of_people,
        [PERSON, PERSON | {"city": "a city that nobody knows", "income": None, "job": None}, PERSON | {"member": 0}],
    ),
    "text": Kind(
        messages,
        "topic",
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(ngram_range=(1, 2)), "message")]), LogisticRegression()
        ),
        [{"message": "Money BACK, ÉLISE"}, {"message": "I love it"}, {"message": "etwas ganz anderes"}],
    ),
    "whole numbers beyond float32": Kind(
        seconds,
        "early",
        lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(3)),
        [{"epoch_s": 1_764_000_001 + n * 431} for n in range(8)],
    ),
    "scores": Kind(
        lambda: flowers().assign(species=species(["a", "b", "c"])),
        "species",
        lambda: make_pipeline(StandardScaler(), LinearSVC()),
        [FLOWER],
    ),
    "scores of two classes": Kind(
        lambda: flowers().assign(setosa=species(["yes", "no", "no"])), "setosa", RidgeClassifier, [FLOWER]
    ),
    "regression": Kind(diabetes, "target", LinearRegression, [PATIENT, PATIENT | {"bmi": -0.05}]),
    "several targets": Kind(
        lambda: diabetes().assign(double=lambda d: 2 * d.target),
        ["target", "double"],
        lambda: RandomForestRegressor(10, random_state=0),
        [PATIENT],
        task="regression",
    ),
    "several labels": Kind(
        tags,
        ["red", "green", "blue"],
        lambda: MultiOutputClassifier(LogisticRegression()),
        [dict.fromkeys("abcd", 5.0), dict.fromkeys("abcd", 12.5), dict.fromkeys("abcd", 0.0)],
        task="multilabel",
    ),
}


def assert_same(given, expected):
    """Numbers within the rounding of float32, everything else as it is, and of the same type."""
    for one, other in zip(given, expected, strict=True):
        if isinstance(other, float):
            assert one == pytest.approx(other, rel=1e-4)
        elif isinstance(other, list):
            assert_same(one, other)
        elif isinstance(other, dict):
            assert one == pytest.approx(other, rel=1e-4)
        else:
            assert (one, type(one)) == (other, type(other))
