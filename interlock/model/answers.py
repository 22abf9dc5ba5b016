"""The answers of a model, wherever they were computed: labels, and probabilities that are some."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from interlock.model.manifest import Labels

Probabilities = npt.NDArray[np.float32]
ROUNDING = 1e-4
"""How far sums of float32 leave [0, 1]; what is further off is no rounding, and stays as it is for checks to see."""


@dataclass(frozen=True)
class Answers:
    """Labels, shape (n,), and probabilities, shape (n, classes), of n rows."""

    labels: Labels
    probabilities: Probabilities

    @classmethod
    def of(cls, labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Self:
        """Take what onnxruntime or Triton gave: labels, integers, and probabilities, float32."""
        return cls(np.asarray(labels, dtype=np.int64), without_rounding(np.asarray(probabilities, dtype=np.float32)))

    def confidence(self) -> Probabilities:
        """Return the probability of the label that is answered, shape (n,); NaN for a label that is no class."""
        classes = self.probabilities.shape[1]
        known = (self.labels >= 0) & (self.labels < classes)
        taken = np.take_along_axis(self.probabilities, np.where(known, self.labels, 0)[:, np.newaxis], axis=1)[:, 0]
        return np.where(known, taken, np.float32(np.nan))


def without_rounding(probabilities: Probabilities) -> Probabilities:
    """
    Return *probabilities*, shape (n, classes), without the errors of float32 sums: within [0, 1], and summing to one.

    A forest adds a share for each tree, and ends at 1.0000013 or -1.3e-6. Rows that are off by more are returned as
    they are.
    """
    near = (probabilities >= -ROUNDING) & (probabilities <= 1 + ROUNDING)
    clipped = np.where(near, np.clip(probabilities, 0, 1), probabilities)
    sums = clipped.sum(axis=1, keepdims=True, dtype=np.float64)
    rounded = near.all(axis=1, keepdims=True) & (np.abs(sums - 1) <= ROUNDING)
    return np.where(rounded, clipped / np.where(rounded, sums, 1), clipped).astype(np.float32)
