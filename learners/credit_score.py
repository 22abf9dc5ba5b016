r"""
Credit score: Poor, Standard or Good, from a table of customers in a feature store.

`python -m demos seed-credit` makes such a table.

    missing numbers -> median -> RobustScaler      \
                                                    CatBoost, or scikit-learn's gradient boosting without it
    missing categories -> most frequent -> one-hot /
"""

from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from interlock.model.signature import Column, Dtype
from interlock.training.table import TableLearner

WITH_CATBOOST = find_spec("catboost") is not None
OCCUPATIONS = ("accountant", "developer", "doctor", "driver", "engineer", "lawyer", "mechanic", "teacher", "writer")


class CreditParams(BaseModel):
    """Parameters of the gradient boosting."""

    model_config = ConfigDict(extra="forbid")

    iterations: int = Field(default=200, ge=1, le=2000, description="number of trees")
    depth: int = Field(default=6, ge=1, le=10, description="depth of a tree")
    learning_rate: float = Field(
        default=0.1, gt=0, le=1, allow_inf_nan=False, description="how much each tree corrects those before it"
    )


class CreditScore(TableLearner):
    """Gradient boosting behind a RobustScaler; imputing and scaling are inside the ONNX."""

    Params: ClassVar = CreditParams
    query: ClassVar = "SELECT * FROM credit_features ORDER BY customer_id"
    label: ClassVar = "credit_score"
    class_names: ClassVar = ["Poor", "Standard", "Good"]
    columns: ClassVar = [
        Column(name="age"),
        Column(name="occupation", dtype=Dtype.STRING, nullable=True, categories=OCCUPATIONS),
        Column(name="annual_income", nullable=True),
        Column(name="monthly_balance", nullable=True),
        Column(name="bank_accounts"),
        Column(name="credit_cards"),
        Column(name="interest_rate"),
        Column(name="loans"),
        Column(name="days_past_due"),
        Column(name="delayed_payments", nullable=True),
        Column(name="outstanding_debt"),
        Column(name="credit_utilization"),
        Column(name="credit_history_months", nullable=True),
        Column(name="pays_minimum_only", dtype=Dtype.STRING, nullable=True, categories=("no", "yes")),
    ]
    skops_trusted_types: ClassVar = (
        ["catboost.core.CatBoostClassifier", "numpy.dtype"]
        if WITH_CATBOOST
        else ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
    )
    remark: ClassVar = (
        ""
        if WITH_CATBOOST
        else "scikit-learn's gradient boosting in place of catboost, which is not installed (extra `credit`)"
    )

    def pipeline(self, params: CreditParams) -> BaseEstimator:
        """Return imputers, scaler and classifier."""
        numbers = [column.name for column in self.columns if not column.categories]
        texts = [column.name for column in self.columns if column.categories]
        categories = [np.array(column.categories, dtype=object) for column in self.columns if column.categories]
        impute = SimpleImputer(strategy="most_frequent", missing_values="")
        one_hot = OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False, dtype=np.float32)
        prepare = ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(strategy="median"), RobustScaler()), numbers),
                ("texts", make_pipeline(impute, one_hot), texts),
            ]
        )
        return make_pipeline(prepare, self._classifier(params))

    def _classifier(self, params: CreditParams) -> BaseEstimator:
        if not WITH_CATBOOST:
            return HistGradientBoostingClassifier(
                max_iter=params.iterations,
                max_depth=params.depth,
                learning_rate=params.learning_rate,
                random_state=self.seed,
            )
        from catboost import CatBoostClassifier  # not installed everywhere

        from interlock.training.catboost_onnx import register

        register()
        return CatBoostClassifier(
            iterations=params.iterations,
            depth=params.depth,
            learning_rate=params.learning_rate,
            random_seed=self.seed,
            allow_writing_files=False,
            verbose=False,
        )


LEARNER = CreditScore()
