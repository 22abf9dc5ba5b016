"""Iris: three species from four measures of a flower."""

from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interlock.training.learner import Dataset, Learner


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
        bunch = load_iris()
        return Dataset(
            rows=bunch.data.astype(np.float32),
            labels=bunch.target.astype(np.int64),
            columns=[name.removesuffix(" (cm)").replace(" ", "_") for name in bunch.feature_names],
            class_names=[str(name) for name in bunch.target_names],
        )

    def pipeline(self, params: IrisParams) -> BaseEstimator:
        """Return scaler and logistic regression."""
        return make_pipeline(StandardScaler(), LogisticRegression(C=params.C, max_iter=params.max_iter))


LEARNER = Iris()
