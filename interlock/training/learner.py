"""The protocol by which a user adds a model in one file: data, parameters, pipeline; metrics have a default."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, f1_score, log_loss

from interlock.model.manifest import Column, Labels, Rows


@dataclass(frozen=True)
class Dataset:
    """
    Labelled rows.

    Args:
        rows: shape (n, features), float32; NaN where a cell of a nullable column is missing.
        labels: shape (n,), int64, indices into *class_names*.
        columns: Names of the features, in the order of the tensor's columns; or what each takes, where it is
            nullable or a category.
        class_names: Names of the classes, by label.
    """

    rows: Rows
    labels: Labels
    columns: Sequence[str | Column]
    class_names: list[str]

    @property
    def features(self) -> list[Column]:
        """What each column of the tensor takes."""
        return [column if isinstance(column, Column) else Column(name=column) for column in self.columns]


@dataclass(frozen=True)
class ParityBounds:
    """How much the ONNX may differ from scikit-learn on held-out rows: shares of rows, as trees flip on a few."""

    labels: float = 0.999
    """Least share of rows with the same label."""
    probabilities: float = 0.99
    """Least share of rows whose probabilities all lie within *tolerance*."""
    tolerance: float = 1e-4


class Learner(ABC):
    """
    A model that can be trained. Its name is the name of its file.

    A file `learners/<name>.py` holds one subclass and `LEARNER = Subclass()`.
    """

    Params: ClassVar[type[BaseModel]]
    """The parameters, with defaults and ranges; a flow refuses others before it begins."""
    parity: ClassVar[ParityBounds] = ParityBounds()
    skops_trusted_types: ClassVar[list[str]] = []
    """What MLflow's scikit-learn flavour refuses to store unless it is named, e.g. `sklearn.tree._tree.Tree`."""
    remark: ClassVar[str] = ""
    """Said with the gate's verdict: what somebody who reads about this training should know."""
    test_share: ClassVar[float] = 0.25
    seed: ClassVar[int] = 0

    @abstractmethod
    def data(self) -> Dataset:
        """Return the rows to train on and to hold out."""

    @abstractmethod
    def pipeline(self, params: Any) -> BaseEstimator:
        """Return the unfitted classifier for *params*, an instance of `Params`. It is fitted on float32."""

    def metrics(self, labels: Labels, predicted: Labels, probabilities: npt.NDArray[np.floating]) -> dict[str, float]:
        """
        Measure answers on held-out rows; the gate compares one of these, higher is better.

        Args:
            labels: shape (n,), the truth.
            predicted: shape (n,), the answers.
            probabilities: shape (n, classes).
        """
        shares = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)  # float32 sums to 1.0000001
        return {
            "accuracy": float(accuracy_score(labels, predicted)),
            "f1_macro": float(f1_score(labels, predicted, average="macro", zero_division=0)),
            "neg_log_loss": -float(log_loss(labels, shares, labels=range(shares.shape[1]))),
        }
