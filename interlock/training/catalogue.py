"""Find a learner by the name of its file, and its parameters by their names."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from interlock.errors import InvalidTraining, NotFound
from interlock.training.learner import Learner


def names(package: str) -> list[str]:
    """Return the names of all learners in a package, such as `learners`."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def find(name: str, package: str) -> Learner:
    """
    Return the learner of the file `<package>/<name>.py`.

    Raises:
        NotFound: There is no such file, or it holds no `LEARNER`.
    """
    if name not in names(package):
        msg = f"no learner {name!r}; there are {', '.join(names(package))}. A file {package}/<name>.py adds one"
        raise NotFound(msg)
    learner = getattr(importlib.import_module(f"{package}.{name}"), "LEARNER", None)
    if not isinstance(learner, Learner):
        msg = f"{package}/{name}.py holds no `LEARNER = ...` of the class interlock.training.learner.Learner"
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
