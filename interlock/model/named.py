"""
Answers in the words of the people who ask.

                  a matrix of rows gets (labelled)      a record gets (named)           a log or a table gets (as_text)
    classes       the label: 0, 1, .. or the data's own  its name, or its own label      its name
    one target    the number                            the number                      the number
    targets       a list of numbers                     {target: number}                JSON of that
    multilabel    a list of labels                      a list of names or own labels   JSON of the names
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from interlock.model.answers import Answers
from interlock.model.signature import Signature, Task


def labelled(answers: Answers, signature: Signature) -> list[Any]:
    """Return one answer for each row: for clients that send matrices."""
    return _told(answers, signature, signature.labels or range(len(signature.class_names)), by_target=False)


def named(answers: Answers, signature: Signature) -> list[Any]:
    """Return one answer for each row: for clients that send records."""
    return _told(answers, signature, signature.labels or signature.class_names, by_target=True)


def class_names(answers: Answers, signature: Signature) -> list[Any]:
    """Return the name of each row's class, or a list of names."""
    return _told(answers, signature, signature.class_names, by_target=True)


def as_text(answers: Answers, signature: Signature) -> list[str]:
    """Return one answer for each row as text."""
    told = class_names(answers, signature)
    return told if signature.task is Task.CLASSIFICATION else [json.dumps(answer) for answer in told]


def confidences(answers: Answers) -> list[float | None]:
    """Return the probability of each row's class; None where there is no such thing."""
    found = answers.confidence()
    return [None] * len(answers) if found is None else found.tolist()


def unlabelled(said: Sequence[Any], numbers: Sequence[Any] | None, signature: Signature) -> list[Any]:
    """
    Return the outputs of *signature*, in their order, that `labelled` told as *said*.

    Args:
        said: One answer for each row.
        numbers: Probabilities or scores, if there are any.
        signature: Of the model that answered.

    Raises:
        ValueError: One is no answer of such a model; also TypeError.
    """
    if signature.task is Task.REGRESSION:
        return [np.asarray(said, dtype=np.float64).reshape(len(said), len(signature.targets))]
    place = {label: code for code, label in enumerate(signature.labels or range(len(signature.class_names)))}
    try:
        if signature.task is Task.MULTILABEL:
            labels: Any = np.zeros((len(said), len(place)), dtype=np.int64)
            for row, found in enumerate(said):
                labels[row, [place[label] for label in found]] = 1
        else:
            labels = [place[label] for label in said]
    except KeyError as error:
        msg = f"{error} is no label of this model"
        raise ValueError(msg) from error
    return [labels] if signature.numbers is None else [labels, numbers]


def _told(answers: Answers, signature: Signature, classes: Sequence[Any], *, by_target: bool) -> list[Any]:
    if signature.task is Task.REGRESSION:
        values = answers.numbers.tolist()  # type: ignore[union-attr]
        if len(signature.targets) == 1:
            return [value for (value,) in values]
        return [dict(zip(signature.targets, row, strict=True)) for row in values] if by_target else values
    labels = answers.labels.tolist()  # type: ignore[union-attr]
    if signature.task is Task.MULTILABEL:
        return [[classes[place] for place, is_so in enumerate(row) if is_so] for row in labels]
    return [classes[label] for label in labels]
