"""Diabetes: how far a disease is after a year, from ten measures of a patient; a regression."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interlock.training.dataset import Dataset
from interlock.training.learner import Learner


class DiabetesParams(BaseModel):
    """Parameters of the ridge regression."""

    model_config = ConfigDict(extra="forbid")

    alpha: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="strength of the regularisation")


class Diabetes(Learner):
    """A scaled ridge regression on the 442 patients that scikit-learn ships."""

    Params: ClassVar = DiabetesParams
    threshold: ClassVar = 0.3

    def data(self) -> Dataset:
        """Return the 442 patients."""
        patients = load_diabetes(as_frame=True, scaled=False).frame
        return Dataset.of(patients, target="target", task="regression")

    def pipeline(self, params: DiabetesParams) -> BaseEstimator:
        """Return scaler and ridge regression."""
        return make_pipeline(StandardScaler(), Ridge(alpha=params.alpha))


LEARNER = Diabetes()
