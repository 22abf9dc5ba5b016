"""The passport of a model: what it takes, what it gives, and the answers that prove that it still does."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, model_validator

from interlock.model.signature import Column, Dtype, Role, Signature, Task
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

Labels = npt.NDArray[np.int64]
Cell = bool | int | FiniteFloat | str | None
Cells = list[list[Cell]]
"""Rows as JSON has them, in the order of the columns; None stands for a cell that is missing."""
Numbers = list[list[FiniteFloat]]
FIRST_FORMAT = {"input_name", "outputs", "class_names"}


class Golden(BaseModel):
    """
    Input rows with the answers that onnxruntime gave for exactly these bytes in the training process.

    Args:
        rows: n rows, as clients send them; None where a cell is missing.
        labels: shape (n,), or (n, classes) for multilabel; none for a regression.
        probabilities: shape (n, classes), each row sums to one, if it gives them; else
        scores: shape (n, classes) or (n, 1), of a classifier without probabilities; or
        value: shape (n, targets), of a regression.
    """

    model_config = ConfigDict(frozen=True)

    rows: Cells = Field(min_length=1)
    labels: list[int] | list[list[int]] | None = None
    probabilities: Numbers | None = None
    scores: Numbers | None = None
    value: Numbers | None = None

    @property
    def numbers(self) -> Numbers | None:
        """Probabilities, scores or values, whichever there are."""
        return next((numbers for numbers in self._by_role().values() if numbers is not None), None)

    @property
    def role(self) -> Role | None:
        """What the numbers are."""
        return next((role for role, numbers in self._by_role().items() if numbers is not None), None)

    def taken(self, places: npt.NDArray[np.int64]) -> Self:
        """Return the rows at *places* with their answers."""
        answers = {
            name: None if whole is None else [whole[place] for place in places]
            for name, whole in (("rows", self.rows), ("labels", self.labels), *self._by_role().items())
        }
        return type(self).model_validate(answers)

    def _by_role(self) -> dict[Role, Numbers | None]:
        return {Role.PROBABILITIES: self.probabilities, Role.SCORES: self.scores, Role.VALUE: self.value}

    @model_validator(mode="after")
    def _one_answer_per_row(self) -> Self:
        answers = [one for one in (self.labels, *self._by_role().values()) if one is not None]
        if not answers or any(len(one) != len(self.rows) for one in answers):
            msg = "golden rows and their answers differ in number"
            raise ValueError(msg)
        return self


class Manifest(BaseModel):
    """`manifest.json`, written at training; an MLflow artifact beside the model. The first format is read too."""

    model_config = ConfigDict(frozen=True)

    format: Literal[2] = 2
    run_id: str
    learner: str
    trained_at_utc: str
    sha256: Sha256
    size: Annotated[int, Field(gt=0)]
    signature: Signature
    params: dict[str, JsonValue] = {}
    metrics: dict[str, float] = {}
    golden: Golden

    @property
    def columns(self) -> list[Column]:
        """What each feature takes."""
        return self.signature.columns

    @model_validator(mode="before")
    @classmethod
    def _of_the_first_format(cls, given: Any) -> Any:
        """Read a manifest of before there was a signature: one tensor of float32, and a classifier's two outputs."""
        if not isinstance(given, Mapping) or "signature" in given or not given.keys() >= FIRST_FORMAT:
            return given
        rest = {key: value for key, value in given.items() if key not in {*FIRST_FORMAT, "columns", "input_dtype"}}
        return rest | {"signature": _first_signature(given)}

    @model_validator(mode="after")
    def _golden_rows_fit(self) -> Self:
        signature, golden = self.signature, self.golden
        wrong = {len(row) for row in golden.rows} - {len(signature.columns)}
        numbers = signature.numbers
        if numbers is None or golden.numbers is None:
            fits = numbers is None and golden.numbers is None
        else:
            fits = golden.role is numbers.role and {len(row) for row in golden.numbers} == {numbers.width}
        if wrong or not fits or (golden.labels is None) != (signature.label is None):
            msg = f"golden rows do not fit {len(signature.columns)} columns and the outputs {signature.output_names}"
            raise ValueError(msg)
        return self


def _first_signature(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("input_dtype", "float32") != "float32":
        msg = f"it takes {given['input_dtype']}, not float32"
        raise ValueError(msg)
    columns = [c if isinstance(c, Column) else Column.model_validate(c) for c in given["columns"]]
    names = given["outputs"]
    if len(names) != 2:  # noqa: PLR2004
        msg = f"it names {len(names)} outputs, not labels and probabilities"
        raise ValueError(msg)
    classes = given["class_names"]
    return {
        "task": Task.CLASSIFICATION,
        "columns": columns,
        "inputs": [{"name": given["input_name"], "columns": [column.name for column in columns]}],
        "outputs": [
            {"name": names[0], "role": Role.LABEL, "dtype": Dtype.INT64},
            {"name": names[1], "role": Role.PROBABILITIES, "width": len(classes)},
        ],
        "class_names": classes,
    }
