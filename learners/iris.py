"""Iris: three species from four measures of a flower."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interlock.training.dataset import Dataset
from interlock.training.learner import Learner


class IrisParams(BaseModel):
    """Parameters of the logistic regression."""

    model_config = ConfigDict(extra="forbid")

    C: float = Field(
        default=1.0, gt=0, le=1e6, allow_inf_nan=False, description="inverse of the regularisation strength"
    )
    max_iter: int = Field(default=200, ge=1, le=100_000, description="most steps of the solver")


class Iris(Learner):
    """A scaled logistic regression on the 150 flowers that scikit-learn ships."""

    Params: ClassVar = IrisParams

    def data(self) -> Dataset:
        """Return the 150 flowers."""
        bunch = load_iris(as_frame=True)
        flowers = bunch.frame.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
        return Dataset.of(flowers, target="target", class_names=bunch.target_names)

    def pipeline(self, params: IrisParams) -> BaseEstimator:
        """Return scaler and logistic regression."""
        return make_pipeline(StandardScaler(), LogisticRegression(C=params.C, max_iter=params.max_iter))


LEARNER = Iris()
