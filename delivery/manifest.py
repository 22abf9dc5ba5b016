"""The passport of a model: what it takes, what it gives, and the answers that prove that it still does."""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from delivery.names import Sha256

MAX_BATCH = 64
"""Most rows that Triton is asked for at once."""

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Golden(BaseModel):
    """
    Input rows with the answers that onnxruntime gave for exactly these bytes in the training process.

    Args:
        rows: shape (n, features), float32.
        labels: shape (n,), int64.
        probabilities: shape (n, classes), float32, each row sums to one.
    """

    model_config = ConfigDict(frozen=True)

    rows: list[list[FiniteFloat]] = Field(min_length=1)
    labels: list[int]
    probabilities: list[list[FiniteFloat]]

    @model_validator(mode="after")
    def _one_answer_per_row(self) -> Self:
        if not len(self.rows) == len(self.labels) == len(self.probabilities):
            msg = "golden rows, labels and probabilities differ in number"
            raise ValueError(msg)
        return self


class Column(BaseModel):
    """One feature of the input, in the order of the tensor's columns."""

    model_config = ConfigDict(frozen=True)

    name: str
    dtype: str = "float32"


class Manifest(BaseModel):
    """`manifest.json`, written at training; travels with the model as an MLflow artifact."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    learner: str
    trained_at_utc: str
    sha256: Sha256
    size: Annotated[int, Field(gt=0)]
    input_name: str
    input_dtype: str = "float32"
    columns: list[Column] = Field(min_length=1)
    outputs: list[str]
    class_names: list[str] = Field(min_length=2)
    params: dict[str, float | int | str | bool | None] = {}
    metrics: dict[str, float] = {}
    golden: Golden

    @property
    def contract(self) -> str:
        """What clients rely on: input, columns in their order, outputs, classes."""
        columns = ", ".join(f"{column.name} {column.dtype}" for column in self.columns)
        return f"{self.input_name}({columns}) -> {', '.join(self.outputs)} of {', '.join(self.class_names)}"

    @model_validator(mode="after")
    def _golden_rows_fit(self) -> Self:
        wrong = [row for row in self.golden.rows if len(row) != len(self.columns)]
        wrong += [row for row in self.golden.probabilities if len(row) != len(self.class_names)]
        if wrong:
            msg = f"golden rows do not fit {len(self.columns)} columns and {len(self.class_names)} classes"
            raise ValueError(msg)
        return self
