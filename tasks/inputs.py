"""What a flow refuses before its first side effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from delivery.gate import check_threshold
from delivery.names import alias_name, model_name
from learners.catalogue import find, parameters
from learners.learner import Learner
from learners.table import TableLearner


@dataclass(frozen=True)
class Plan:
    """A training that can be tried: the learner exists and takes the parameters."""

    name: str
    learner: Learner
    params: BaseModel

    @property
    def table(self) -> TableLearner | None:
        """The learner, if its rows come from a feature store."""
        return self.learner if isinstance(self.learner, TableLearner) else None


def plan(learner: str, params: Mapping[str, Any], metric: str, threshold: float, model: str, alias: str) -> Plan:
    """
    Return what is to be trained.

    Raises:
        Refused: The learner, a parameter, the threshold, the model's name or the alias is none.
    """
    model_name(model)
    alias_name(alias)
    check_threshold(metric, threshold)
    found = find(learner)
    return Plan(learner, found, parameters(found, params))
