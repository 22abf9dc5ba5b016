"""The passport of a model: what it takes, what it gives, and the answers that prove that it still does."""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from interlock.names import Sha256

ONNX = "model.onnx"
MANIFEST = "manifest.json"
"""Names of the two files of a version, on disk and as artifacts in the registry."""
MANIFEST_BYTES = 2 * 2**20
"""
Most bytes of a manifest; real ones have some 10 KiB, and its golden rows are what is large. Parsing one stops every
other thread of the serving app: 2 MiB do so for 0.4 s at worst, by many tiny rows.
"""
MAX_BATCH = 64
"""Most rows that Triton is asked for at once."""
LARGEST_REQUEST = 256
"""Most rows that a client may ask for at once; the trial measures what so many take."""

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Cells = list[list[FiniteFloat | None]]
"""Rows as JSON has them; None stands for a cell that is missing."""


class Golden(BaseModel):
    """
    Input rows with the answers that onnxruntime gave for exactly these bytes in the training process.

    Args:
        rows: shape (n, features), float32; None where a cell is missing.
        labels: shape (n,), int64.
        probabilities: shape (n, classes), float32, each row sums to one.
    """

    model_config = ConfigDict(frozen=True)

    rows: Cells = Field(min_length=1)
    labels: list[int]
    probabilities: list[list[FiniteFloat]]

    @property
    def tensor(self) -> Rows:
        """The rows as the model takes them, shape (n, features); NaN where a cell is missing."""
        return np.asarray(self.rows, dtype=np.float32)

    @model_validator(mode="after")
    def _one_answer_per_row(self) -> Self:
        if not len(self.rows) == len(self.labels) == len(self.probabilities):
            msg = "golden rows, labels and probabilities differ in number"
            raise ValueError(msg)
        return self


class Column(BaseModel):
    """
    One feature of the input, in the order of the tensor's columns.

    Args:
        nullable: A missing cell is taken, as NaN; the model imputes it.
        categories: The values of a category, each by the code that the tensor holds: its place in this list.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    dtype: str = "float32"
    nullable: bool = False
    categories: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return what clients may send."""
        kind = f"one of {'|'.join(self.categories)}" if self.categories else self.dtype
        return f"{self.name} {kind}{' or null' if self.nullable else ''}"


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
        columns = ", ".join(map(str, self.columns))
        return f"{self.input_name}({columns}) -> {', '.join(self.outputs)} of {', '.join(self.class_names)}"

    @model_validator(mode="after")
    def _golden_rows_fit(self) -> Self:
        wrong = {len(row) for row in self.golden.rows} - {len(self.columns)}
        wrong |= {len(row) for row in self.golden.probabilities} - {len(self.class_names)}
        if wrong:
            msg = f"golden rows do not fit {len(self.columns)} columns and {len(self.class_names)} classes"
            raise ValueError(msg)
        return self
