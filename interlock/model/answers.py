"""The answers of a model, wherever they were computed: labels, and numbers that are put right at this one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from interlock.model.manifest import Labels
from interlock.model.signature import Role, Signature, Task

Floats = npt.NDArray[np.floating[Any]]
EXACT = 2e-7
"""How far the sum of a row may be from one without being put right: a rounding of float32, or two."""
ROUNDING = 1e-4
"""How far sums of float32 leave [0, 1]; what is further off is no rounding, and stays as it is for checks to see."""


@dataclass(frozen=True)
class Answers:
    """
    What a model answers to n rows.

    Args:
        labels: shape (n,), the place of each row's class among the names; for multilabel shape (n, classes), 0 or 1.
            None for a regression.
        numbers: shape (n, width of the output), what *role* says; None for a classifier that gives labels only.
        role: What the numbers are.
    """

    labels: Labels | None
    numbers: Floats | None
    role: Role | None

    @classmethod
    def of(cls, signature: Signature, outputs: Sequence[npt.ArrayLike]) -> Self:
        """
        Take what onnxruntime or Triton gave for each output of *signature*, in their order.

        Raises:
            ValueError: An output is not numeric, or has another shape; also TypeError.
        """
        arrays = [np.asarray(array) for array in outputs]
        labels, numbers, role = None, None, None
        for output, array in zip(signature.outputs, arrays, strict=True):
            if output.role is Role.LABEL:
                labels = array if output.width is not None else array.reshape(len(array))
                labels = labels.astype(np.int64, copy=False)
            else:
                numbers, role = array.astype(output.dtype.numpy, copy=False), output.role
        if numbers is not None and role is Role.PROBABILITIES:
            numbers = without_rounding(numbers, sums=signature.task is Task.CLASSIFICATION)
        return cls(labels, numbers, role)

    def confidence(self) -> Floats | None:
        """
        Return the probability of the label that is answered, shape (n,); NaN for a label that is no class.

        None where there is no such thing: without probabilities, or where a row has several labels or none.
        """
        if self.role is not Role.PROBABILITIES or self.numbers is None or self.labels is None or self.labels.ndim != 1:
            return None
        classes = self.numbers.shape[1]
        known = (self.labels >= 0) & (self.labels < classes)
        taken = np.take_along_axis(self.numbers, np.where(known, self.labels, 0)[:, np.newaxis], axis=1)[:, 0]
        return np.where(known, taken, np.float32(np.nan))

    def are_sane(self, signature: Signature) -> bool:
        """Whether a client can be given all of them: every number is finite, and every label a class."""
        if self.numbers is not None and not np.isfinite(self.numbers).all():
            return False
        most = len(signature.class_names) if signature.task is Task.CLASSIFICATION else 2
        return self.labels is None or not len(self) or bool(self.labels.min() >= 0 and self.labels.max() < most)

    def first_strange(self, signature: Signature) -> int:
        """Return the first row that no client can be given; there is one."""
        alone = (self[place : place + 1].are_sane(signature) for place in range(len(self)))
        return next(place for place, sane in enumerate(alone) if not sane)

    def __getitem__(self, rows: slice) -> Self:
        labels = None if self.labels is None else self.labels[rows]
        return type(self)(labels, None if self.numbers is None else self.numbers[rows], self.role)

    def __len__(self) -> int:
        return len(self.labels if self.labels is not None else self.numbers)  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the answers of consecutive rows as one."""
        first = parts[0]
        labels = None if first.labels is None else np.concatenate([p.labels for p in parts if p.labels is not None])
        numbers = None if first.numbers is None else np.concatenate([p.numbers for p in parts if p.numbers is not None])
        return cls(labels, numbers, first.role)


def without_rounding(probabilities: Floats, *, sums: bool = True) -> Floats:
    """
    Return *probabilities*, shape (n, classes), without the errors of float32: within [0, 1], and summing to one.

    A forest adds a share for each tree, and ends at 1.0000013 or -1.3e-6. Rows that are off by more are returned as
    they are. Several labels of one row do not sum to one: *sums* is false for them.
    """
    if sums and len(probabilities):
        off = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max()
        if off <= EXACT and probabilities.min() >= 0 and probabilities.max() <= 1:
            return probabilities
    near = (probabilities >= -ROUNDING) & (probabilities <= 1 + ROUNDING)
    clipped = np.where(near, np.clip(probabilities, 0, 1), probabilities)
    if not sums:
        return clipped
    totals = clipped.sum(axis=1, keepdims=True, dtype=np.float64)
    rounded = near.all(axis=1, keepdims=True) & (np.abs(totals - 1) <= ROUNDING)
    put_right = np.where(rounded, clipped / np.where(rounded, totals, 1), clipped)
    return put_right.astype(probabilities.dtype, copy=False)
