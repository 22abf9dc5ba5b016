"""Breast cancer: benign or malignant, from thirty measures of a cell, by XGBoost; needs the extra `boosting`."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer

from interlock.extras import extra
from interlock.training.dataset import Dataset
from interlock.training.learner import Learner


class CancerParams(BaseModel):
    """Parameters of the boosted trees."""

    model_config = ConfigDict(extra="forbid")

    trees: int = Field(default=50, ge=1, le=2000, description="number of trees")
    depth: int = Field(default=3, ge=1, le=12, description="depth of a tree")


class Cancer(Learner):
    """Boosted trees on the 569 cells that scikit-learn ships."""

    Params: ClassVar = CancerParams

    def data(self) -> Dataset:
        """Return the 569 cells."""
        cells = load_breast_cancer(as_frame=True)
        return Dataset.of(cells.frame, target="target", class_names=cells.target_names)

    def pipeline(self, params: CancerParams) -> BaseEstimator:
        """Return the boosted trees."""
        with extra("boosting"):
            from xgboost import XGBClassifier  # an extra
        return XGBClassifier(n_estimators=params.trees, max_depth=params.depth, random_state=self.seed)


LEARNER = Cancer()
