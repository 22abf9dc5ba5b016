"""One answered request: what a client gets, and what the prediction log needs."""

from dataclasses import dataclass
from typing import Any

from interlock.model.answers import Answers
from interlock.model.manifest import Rows
from interlock.serving.body import Question
from interlock.serving.model import Model


@dataclass(frozen=True)
class Prediction:
    """
    Rows with their answers, by the version that computed them.

    Args:
        rows: shape (n, features), float32.
        elapsed_ms: From the request's first line to its answer.
    """

    request_id: str
    alias: str
    model: Model
    question: Question
    rows: Rows
    answers: Answers
    elapsed_ms: float

    def as_json(self) -> Any:
        """Return what the client gets: an answer for each record, or columns for a matrix."""
        if self.question.shape == "columns":
            return self._columns()
        records = [
            {"customer_id": customer, "predict": name, "confidence": confidence, **self._by()}
            for customer, name, confidence in zip(
                self.question.ids or (), self.names(), self.confidences(), strict=True
            )
        ]
        return records[0] if self.question.shape == "record" else records

    def names(self) -> list[str]:
        """Return the name of each row's class."""
        return [self.model.manifest.class_names[label] for label in self.answers.labels.tolist()]

    def confidences(self) -> list[float]:
        """Return the probability of each row's class."""
        return [float(confidence) for confidence in self.answers.confidence().tolist()]

    def _columns(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "prediction": self.answers.labels.tolist(),
            "confidence": self.confidences(),
            **self._by(),
        }
        if self.question.ids is not None:
            content["ids"] = self.question.ids
        if self.question.probabilities:
            content["probabilities"] = self.answers.probabilities.tolist()
        return content

    def _by(self) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "alias": self.alias,
            "version": self.model.version,
            "request_id": self.request_id,
        }
