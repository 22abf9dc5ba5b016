"""Find a learner by the name of its file, and its parameters by their names."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

import learners
from delivery.errors import InvalidTraining, NotFound
from learners.learner import Learner

PARTS = {"catalogue", "catboost_onnx", "conversion", "learner", "table", "training"}
"""Files of this package that are no learners."""


def names() -> list[str]:
    """Return the names of all learners."""
    return sorted(module.name for module in pkgutil.iter_modules(learners.__path__) if module.name not in PARTS)


def find(name: str) -> Learner:
    """
    Return the learner of the file `learners/<name>.py`.

    Raises:
        NotFound: There is no such file, or it holds no `LEARNER`.
    """
    if name not in names():
        msg = f"no learner {name!r}; there are {', '.join(names())}. A file learners/<name>.py adds one"
        raise NotFound(msg)
    learner = getattr(importlib.import_module(f"learners.{name}"), "LEARNER", None)
    if not isinstance(learner, Learner):
        msg = f"learners/{name}.py holds no `LEARNER = ...` of the class learners.learner.Learner"
        raise NotFound(msg)
    return learner


def parameters(learner: Learner, params: Mapping[str, Any]) -> BaseModel:
    """
    Return *params* as the learner's own, with its defaults.

    Raises:
        InvalidTraining: One is unknown or out of range; the message names it.
    """
    try:
        return learner.Params.model_validate(dict(params))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        msg = f"parameters of {type(learner).__name__}: {wrong}"
        raise InvalidTraining(msg) from error
