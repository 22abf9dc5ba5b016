"""The answers of a model, wherever they were computed: labels, and numbers that are put right at this one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from interlock.model.manifest import Labels
from interlock.model.signature import Role, Signature, Task

Floats = npt.NDArray[np.floating[Any]]
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
        given = {output.role: np.asarray(array) for output, array in zip(signature.outputs, outputs, strict=True)}
        labels = given.pop(Role.LABEL, None)
        if labels is not None:
            labels = labels.reshape(len(labels) if signature.task is Task.CLASSIFICATION else labels.shape)
            labels = labels.astype(np.int64, copy=False)
        role, numbers = next(iter(given.items()), (None, None))
        if numbers is not None and signature.numbers is not None:
            numbers = numbers.astype(signature.numbers.dtype.numpy, copy=False)
            if role is Role.PROBABILITIES:
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

    def strange(self, signature: Signature) -> npt.NDArray[np.bool_]:
        """Return which rows have no answer that a client could be given, shape (n,): not finite, or no class."""
        rows = len(self.labels if self.labels is not None else self.numbers)  # type: ignore[arg-type]
        wrong = np.zeros(rows, dtype=bool)
        if self.numbers is not None:
            wrong |= ~np.isfinite(self.numbers).all(axis=1)
        if self.labels is not None:
            most = 2 if self.labels.ndim > 1 else len(signature.class_names)
            outside = (self.labels < 0) | (self.labels >= most)
            wrong |= outside if self.labels.ndim == 1 else outside.any(axis=1)
        return wrong

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
    near = (probabilities >= -ROUNDING) & (probabilities <= 1 + ROUNDING)
    clipped = np.where(near, np.clip(probabilities, 0, 1), probabilities)
    if not sums:
        return clipped
    totals = clipped.sum(axis=1, keepdims=True, dtype=np.float64)
    rounded = near.all(axis=1, keepdims=True) & (np.abs(totals - 1) <= ROUNDING)
    put_right = np.where(rounded, clipped / np.where(rounded, totals, 1), clipped)
    return put_right.astype(probabilities.dtype, copy=False)
