"""Draw a confusion matrix as a picture that MLflow shows."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure


def draw(confusion: npt.NDArray[np.int64], class_names: list[str], folder: Path) -> Path:
    """Draw *confusion*, shape (classes, classes), rows are the truth; return the PNG in *folder*."""
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Blues")
    ticks = range(len(class_names))
    axes.set(xticks=ticks, yticks=ticks, xticklabels=class_names, yticklabels=class_names)
    axes.set(xlabel="predicted", ylabel="true", title="held-out rows")
    for (row, column), count in np.ndenumerate(confusion):
        shade = "white" if count > confusion.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=shade)
    path = folder / "confusion_matrix.png"
    figure.savefig(path)
    return path
