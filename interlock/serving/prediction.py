"""One answered request: what a client gets, and what the prediction log needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from interlock.model.answers import Answers
from interlock.model.named import as_text, confidences, labelled, named
from interlock.model.signature import Role, Signature
from interlock.serving.body import Question
from interlock.serving.model import Model


@dataclass(frozen=True)
class Prediction:
    """
    Rows with their answers, by the version that computed them.

    Args:
        elapsed_ms: From the request's first line to its answer.
    """

    request_id: str
    alias: str
    model: Model
    question: Question
    answers: Answers
    elapsed_ms: float

    def as_json(self) -> Any:
        """Return what the client gets: an answer for each record, or columns for a matrix."""
        if self.question.shape == "columns":
            return self._columns()
        records = [
            {"customer_id": customer, "predict": answer, "confidence": confidence, **self._by}
            for customer, answer, confidence in zip(
                self.question.ids or (), named(self.answers, self._signature), self.confidences(), strict=True
            )
        ]
        return records[0] if self.question.shape == "record" else records

    def as_text(self) -> list[str]:
        """Return the answer to each row, as the prediction log has it."""
        return as_text(self.answers, self._signature)

    def confidences(self) -> list[float | None]:
        """Return the probability of each row's class; None where there is no such thing."""
        return confidences(self.answers)

    def _columns(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "prediction": labelled(self.answers, self._signature),
            "confidence": self.confidences(),
            **self._by,
        }
        if self.question.ids is not None:
            content["ids"] = self.question.ids
        if self.question.probabilities and self.answers.numbers is not None:
            key = "probabilities" if self.answers.role is Role.PROBABILITIES else "scores"
            content[key] = self.answers.numbers.tolist()
        return content

    @property
    def _signature(self) -> Signature:
        return self.model.manifest.signature

    @cached_property
    def _by(self) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "alias": self.alias,
            "version": self.model.version,
            "request_id": self.request_id,
        }
