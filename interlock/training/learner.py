"""The protocol by which a user adds a model in one file: data, parameters, pipeline; metrics have a default."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from sklearn.base import BaseEstimator

from interlock.model.answers import Answers
from interlock.model.signature import Task
from interlock.training import metrics
from interlock.training.dataset import Dataset


@dataclass(frozen=True)
class ParityBounds:
    """How much the ONNX may differ from the fitted model on held-out rows: shares of rows, as trees flip on a few."""

    labels: float = 0.999
    """Least share of rows with the same label."""
    numbers: float = 0.99
    """Least share of rows whose probabilities, scores or values all lie within *tolerance*."""
    tolerance: float = 1e-4
    """Of a probability; of a score or a value as a share of the largest one."""


class NoParams(BaseModel):
    """No parameters: whatever is named is refused."""

    model_config = ConfigDict(extra="forbid")


class Learner(ABC):
    """
    A model that can be trained. Its name is the name of its file.

    A file `learners/<name>.py` holds one subclass and `LEARNER = Subclass()`.
    """

    Params: ClassVar[type[BaseModel]] = NoParams
    """The parameters, with defaults and ranges; a flow refuses others before it begins. By default there are none."""
    metric: ClassVar[str | None] = None
    """What the gate compares unless the flow names another: higher is better. By default, the task's."""
    threshold: ClassVar[float | None] = None
    """The metric must be above it. By default, the task's."""
    parity: ClassVar[ParityBounds] = ParityBounds()
    skops_trusted_types: ClassVar[list[str]] = [
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    ]
    """What MLflow's scikit-learn flavour refuses to store unless it is named; by default scikit-learn's own trees."""
    remark: ClassVar[str] = ""
    """Said with the gate's verdict: what somebody who reads about this training should know."""
    test_share: ClassVar[float] = 0.25
    seed: ClassVar[int] = 0

    @abstractmethod
    def data(self) -> Dataset:
        """Return the rows to train on and to hold out: `Dataset.of(frame, target=...)`."""

    @abstractmethod
    def pipeline(self, params: Any) -> BaseEstimator:
        """
        Return the unfitted model for *params*, an instance of `Params`.

        It is fitted to the dataset's frame: numbers and flags as float32, texts as str, "" for a missing text. Classes
        are 0, 1, .. in the order of their names.
        """

    def onnx(self, fitted: BaseEstimator) -> bytes | None:
        """
        Return the ONNX of the fitted model, if this learner makes it itself; its inputs are those of the dataset.

        By default None: it is converted.
        """
        del fitted
        return None

    def metrics(self, task: Task, truth: npt.NDArray[Any], answers: Answers) -> dict[str, float]:
        """
        Measure answers on held-out rows; the gate compares one of these, higher is better.

        Args:
            task: What kind of answers these are.
            truth: `Dataset.target` of these rows.
            answers: What the ONNX answers to them.
        """
        return metrics.of(task, truth, answers)
