"""
What a model takes and gives: the contract with its clients, and the shape of every tensor on the way.

    task       classification, regression or multilabel
    columns    the features as clients send them, each with its dtype and the values that it takes
    inputs     the tensors that the ONNX takes: one for all columns of a kind, or one for each column
    outputs    the tensors that it gives, each with its role
    classes    names, and what a client gets as the label of each; targets of a regression by their names
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MOST_COLUMNS = 2048
"""Most columns of a model: golden rows of more would not fit into a manifest."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Task(StrEnum):
    """What kind of answer a model gives."""

    CLASSIFICATION = "classification"
    """One class of several for each row."""
    REGRESSION = "regression"
    """A number for each row, or one for each of several targets."""
    MULTILABEL = "multilabel"
    """Any number of the classes for each row."""


class Dtype(StrEnum):
    """Of a column or a tensor."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    STRING = "string"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The dtype of its arrays; strings are objects."""
        return np.dtype(object if self is Dtype.STRING else self.value)

    @property
    def is_float(self) -> bool:
        """Whether it has a value for a missing cell."""
        return self in {Dtype.FLOAT32, Dtype.FLOAT64}


class Role(StrEnum):
    """What an output means."""

    LABEL = "label"
    """int64, shape (n,): the place of each row's class in the names; for multilabel shape (n, classes), 0 or 1."""
    PROBABILITIES = "probabilities"
    """Shape (n, classes), 0 to 1; of a classification, each row sums to one."""
    SCORES = "scores"
    """Shape (n, classes), or (n, 1) for two classes: what `decision_function` gives."""
    VALUE = "value"
    """Shape (n, targets)."""


class Column(BaseModel):
    """
    One feature, as clients send it.

    Args:
        nullable: A missing cell is taken: NaN in a tensor of numbers, the empty text in one of strings.
        categories: The only values that are taken; any if there are none. For a column of numbers they are names, and
            the tensor holds the code of each: its place in this list.
    """

    model_config = ConfigDict(frozen=True)

    name: Name
    dtype: Dtype = Dtype.FLOAT32
    nullable: bool = False
    categories: tuple[str, ...] = ()

    @property
    def is_coded(self) -> bool:
        """Whether the tensor holds codes in place of categories."""
        return bool(self.categories) and self.dtype is not Dtype.STRING

    def __str__(self) -> str:
        """Return what clients may send."""
        kind = f"one of {'|'.join(self.categories)}" if self.categories else self.dtype
        return f"{self.name} {kind}{' or null' if self.nullable else ''}"


class Input(BaseModel):
    """A tensor that the ONNX takes, shape (n, columns): the columns by their names, in their order."""

    model_config = ConfigDict(frozen=True)

    name: Name
    dtype: Dtype = Dtype.FLOAT32
    columns: tuple[str, ...] = Field(min_length=1)


class Output(BaseModel):
    """A tensor that the ONNX gives; *width* is None for shape (n,), else the shape is (n, width)."""

    model_config = ConfigDict(frozen=True)

    name: Name
    role: Role
    dtype: Dtype = Dtype.FLOAT32
    width: int | None = Field(default=None, gt=0)


class Signature(BaseModel):
    """
    What a model takes and gives.

    Args:
        class_names: Of a classification or multilabel, by label.
        labels: What a client gets for each class where it gets labels; without any, 0, 1, ...
        targets: Names of what a regression predicts.
    """

    model_config = ConfigDict(frozen=True)

    task: Task = Task.CLASSIFICATION
    columns: list[Column] = Field(min_length=1, max_length=MOST_COLUMNS)
    inputs: list[Input] = Field(min_length=1)
    outputs: list[Output] = Field(min_length=1, max_length=2)
    class_names: list[str] = []
    labels: list[bool | int | float | str] | None = None
    targets: list[str] = []

    @cached_property
    def label(self) -> Output | None:
        """The output with the labels; a regression has none."""
        return next((output for output in self.outputs if output.role is Role.LABEL), None)

    @cached_property
    def numbers(self) -> Output | None:
        """The output with probabilities, scores or values; a classifier may have none."""
        return next((output for output in self.outputs if output.role is not Role.LABEL), None)

    @cached_property
    def plain(self) -> Input | None:
        """The one tensor of a model whose columns are all numbers of its dtype; None for every other model."""
        tensor = self.inputs[0]
        alike = all(column.dtype is tensor.dtype and not column.is_coded for column in self.columns)
        return tensor if alike and tensor.dtype.is_float and len(self.inputs) == 1 else None

    @cached_property
    def has_codes(self) -> bool:
        """Whether a column of numbers holds categories by their codes."""
        return any(column.is_coded for column in self.columns)

    @property
    def width(self) -> int:
        """Numbers in the answer to one row."""
        return sum(output.width or 1 for output in self.outputs)

    @cached_property
    def output_names(self) -> list[str]:
        """The names of the outputs, in their order."""
        return [output.name for output in self.outputs]

    def told_from(self, old: "Signature") -> str | None:
        """Return what clients of *old* would find changed, as a sentence that begins with `it`; None if nothing is."""
        changes = self.changes_from(old)
        return f"it {'; it '.join(changes)}" if changes else None

    def changes_from(self, old: "Signature") -> list[str]:
        """Return what clients of *old* would find changed, each as a person reads it; nothing if all is the same."""
        return [*self._columns_from(old), *self._tensors_from(old), *self._answers_from(old)]

    def _columns_from(self, old: "Signature") -> list[str]:
        before, after = ({column.name: column for column in one.columns} for one in (old, self))
        told = [f"takes no column {name} any more" for name in before.keys() - after.keys()]
        told += [f"takes a new column {column}" for name, column in after.items() if name not in before]
        told += [
            f"takes {column} (before: {before[name]})"
            for name, column in after.items()
            if name in before and column != before[name]
        ]
        if not told and list(before) != list(after):
            told.append("takes the columns in another order")
        return sorted(told)

    def _tensors_from(self, old: "Signature") -> list[str]:
        told = []
        if _said(self.inputs) != _said(old.inputs):
            told.append(f"takes the tensors {_said(self.inputs)} (before: {_said(old.inputs)})")
        if _said(self.outputs) != _said(old.outputs):
            told.append(f"gives the tensors {_said(self.outputs)} (before: {_said(old.outputs)})")
        return told

    def _answers_from(self, old: "Signature") -> list[str]:
        told = [f"is a {self.task} (before: {old.task})"] if self.task is not old.task else []
        for what, new, before in (
            ("class", self.class_names, old.class_names),
            ("target", self.targets, old.targets),
        ):
            told += [f"answers a new {what} {name}" for name in new if name not in before]
            told += [f"does not answer the {what} {name} any more" for name in before if name not in new]
            if set(new) == set(before) and new != before:
                told.append(f"has its {what} names in another order")
        if self.labels != old.labels and set(self.class_names) == set(old.class_names):
            told.append("answers other labels for its classes")
        return told

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [column.name for column in self.columns]
        _check(len(set(names)) == len(names), "a column's name is there twice")
        placed = [name for tensor in self.inputs for name in tensor.columns]
        _check(sorted(placed) == sorted(names), "the inputs do not take each column once")
        dtypes = {name: tensor.dtype for tensor in self.inputs for name in tensor.columns}
        for column in self.columns:
            _check(
                (dtypes[column.name] is Dtype.STRING) == (column.dtype is Dtype.STRING),
                f"column {column.name} is {column.dtype}, and its tensor {dtypes[column.name]}",
            )
            _check(
                not column.nullable or dtypes[column.name] in {Dtype.FLOAT32, Dtype.FLOAT64, Dtype.STRING},
                f"column {column.name} is nullable, and a tensor of {dtypes[column.name]} holds no missing cell",
            )
        self._check_answers()
        return self

    def _check_answers(self) -> None:
        roles = [output.role for output in self.outputs]
        if self.task is Task.REGRESSION:
            _check(roles == [Role.VALUE] and bool(self.targets), "a regression gives values, and has targets")
            _check(self.outputs[0].width == len(self.targets), "as many values as targets")
            return
        few = 2 if self.task is Task.CLASSIFICATION else 1
        _check(len(self.class_names) >= few, f"a {self.task} has {few} classes at least")
        _check(len(set(self.class_names)) == len(self.class_names), "a class name is there twice")
        _check(self.labels is None or len(self.labels) == len(self.class_names), "a label for each class")
        _check(roles[0] is Role.LABEL and roles[1:] in ([], [Role.PROBABILITIES], [Role.SCORES]), "labels come first")
        wide = len(self.class_names)
        _check(self.outputs[0].width == (wide if self.task is Task.MULTILABEL else None), "labels of another shape")
        for output in self.outputs[1:]:
            fits = output.width == wide or (output.role is Role.SCORES and (output.width, wide) == (1, 2))
            _check(fits, f"{output.name} does not give one number for each of {wide} classes")


def _said(tensors: Sequence[Input] | Sequence[Output]) -> str:
    """Return names and dtypes; shapes follow from the columns and the classes."""
    return ", ".join(f"{tensor.name} {tensor.dtype}" for tensor in tensors)


def _check(fits: bool, otherwise: str) -> None:  # noqa: FBT001
    if not fits:
        raise ValueError(otherwise)
