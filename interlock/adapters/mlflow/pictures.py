"""
Pictures of a training that MLflow shows, of held-out rows.

    classification  confusion matrix; with probabilities ROC, precision against recall, and calibration
    regression      predicted against true, and residuals
    multilabel      a confusion matrix of each label, as bars

What they show is bounded, so that hundreds of classes or millions of rows cost no more time than a few.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from interlock.model.answers import Answers
from interlock.model.signature import Role, Signature, Task

MOST_NAMES = 30
"""Classes up to which a confusion matrix has names and counts."""
MOST_CURVES = 10
"""Classes that have curves: the first ones."""
MOST_POINTS = 5000
LONGEST_NAME = 20


def drawn(signature: Signature, truth: npt.NDArray[Any], answers: Answers, folder: Path) -> list[Path]:
    """
    Draw what belongs to the task; return the PNGs in *folder*.

    Args:
        signature: Of the model.
        truth: As `interlock.training.dataset.Dataset.target` has it.
        answers: To the same rows.
        folder: Where the pictures go.
    """
    return [_saved(folder / f"{name}.png", draw) for name, draw in _pictures(signature, truth, answers)]


Draw = Callable[[Axes], None]


def _pictures(signature: Signature, truth: npt.NDArray[Any], answers: Answers) -> Iterator[tuple[str, Draw]]:
    names = [name[:LONGEST_NAME] for name in signature.class_names]
    if signature.task is Task.REGRESSION and answers.numbers is not None:
        numbers = answers.numbers
        yield "predicted_against_true", lambda axes: _against(axes, truth, numbers, signature.targets)
        yield "residuals", lambda axes: _residuals(axes, truth, numbers, signature.targets)
    elif signature.task is Task.MULTILABEL:
        yield "labels", lambda axes: _label_bars(axes, truth, np.asarray(answers.labels), names)
    else:
        counts = confusion_matrix(truth, answers.labels, labels=range(len(names)))
        yield "confusion_matrix", lambda axes: _confusion(axes, counts, names)
        if answers.role is Role.PROBABILITIES and answers.numbers is not None:
            curves = list(_curves(truth, answers.numbers, names))
            yield "roc", lambda axes: _roc(axes, curves)
            yield "precision_recall", lambda axes: _precision_recall(axes, curves)
            yield "calibration", lambda axes: _calibration(axes, curves)


def _saved(path: Path, draw: Draw) -> Path:
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    draw(figure.subplots())
    figure.savefig(path)
    return path


def _confusion(axes: Axes, counts: npt.NDArray[np.int64], names: list[str]) -> None:
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="predicted", ylabel="true", title="held-out rows")
    if len(names) > MOST_NAMES:
        axes.set(xticks=[], yticks=[], xlabel=f"predicted, {len(names)} classes")
        return
    ticks = range(len(names))
    axes.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    axes.tick_params(axis="x", rotation=45 if len(names) > 4 else 0)  # noqa: PLR2004
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=shade)


Curve = tuple[str, npt.NDArray[np.bool_], npt.NDArray[Any]]


def _curves(truth: npt.NDArray[Any], probabilities: npt.NDArray[Any], names: list[str]) -> Iterator[Curve]:
    """Yield name, truth and probability of some classes; of two classes the second."""
    for place, name in list(enumerate(names))[1 if len(names) == 2 else 0 : MOST_CURVES]:  # noqa: PLR2004
        is_so = truth == place
        if is_so.any() and not is_so.all():
            yield name, is_so, probabilities[:, place]


def _roc(axes: Axes, curves: list[Curve]) -> None:
    for name, is_so, probability in curves:
        false, true, _ = roc_curve(is_so, probability)
        axes.plot(false, true, label=name)
    _finish(axes, "false positives", "true positives")


def _precision_recall(axes: Axes, curves: list[Curve]) -> None:
    for name, is_so, probability in curves:
        precision, recall, _ = precision_recall_curve(is_so, probability)
        axes.plot(recall, precision, label=name)
    _finish(axes, "recall", "precision")


def _calibration(axes: Axes, curves: list[Curve]) -> None:
    axes.plot([0, 1], [0, 1], color="lightgrey")
    for name, is_so, probability in curves:
        share, said = calibration_curve(is_so, np.clip(probability, 0, 1), n_bins=10)
        axes.plot(said, share, marker=".", label=name)
    _finish(axes, "probability that is answered", "share that is so")


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y, title="held-out rows")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


def _against(axes: Axes, truth: npt.NDArray[Any], numbers: npt.NDArray[Any], targets: list[str]) -> None:
    for place, target, some in _targets(truth, targets):
        axes.plot(truth[some, place], numbers[some, place], ".", alpha=0.4, label=target[:LONGEST_NAME])
    low, high = float(truth.min()), float(truth.max())
    axes.plot([low, high], [low, high], color="grey")
    _finish(axes, "true", "predicted")


def _residuals(axes: Axes, truth: npt.NDArray[Any], numbers: npt.NDArray[Any], targets: list[str]) -> None:
    for place, target, some in _targets(truth, targets):
        off = numbers[some, place] - truth[some, place]
        axes.plot(numbers[some, place], off, ".", alpha=0.4, label=target[:LONGEST_NAME])
    axes.axhline(0, color="grey")
    _finish(axes, "predicted", "predicted - true")


def _targets(truth: npt.NDArray[Any], targets: list[str]) -> Iterator[tuple[int, str, npt.NDArray[np.int64]]]:
    some = np.linspace(0, len(truth) - 1, min(len(truth), MOST_POINTS), dtype=int)
    for place, target in list(enumerate(targets))[:MOST_CURVES]:
        yield place, target, some


def _label_bars(axes: Axes, truth: npt.NDArray[Any], labels: npt.NDArray[Any], names: list[str]) -> None:
    shown = names[:MOST_NAMES]
    right, missed, wrong = truth & labels, truth & ~labels & 1, labels & ~truth & 1
    left = np.zeros(len(shown))
    for what, found in (("right", right), ("missed", missed), ("wrong", wrong)):
        count = found.sum(axis=0)[: len(shown)]
        axes.barh(shown, count, left=left, label=what)
        left = left + count
    _finish(axes, "held-out rows", "")
