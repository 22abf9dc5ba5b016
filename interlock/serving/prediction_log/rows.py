"""An answered request -> rows of the prediction log, without what is personal."""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from interlock.serving.prediction import Prediction

CUSTOMER = "customer_id"
DIGITS = 32


@dataclass(frozen=True)
class Privacy:
    """
    What of a row is not written as it is: columns of the features, and `customer_id`.

    Args:
        exclude: Left out.
        hashed: Replaced by a keyed hash: the same value has the same hash, and nobody without the key can try values.
        key: The key, a secret.
    """

    exclude: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    key: bytes = b""

    @property
    def columns(self) -> frozenset[str]:
        """All columns that are not written as they are."""
        return self.exclude | self.hashed

    def applied(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *values*, by column, as they may be written."""
        if self.columns.isdisjoint(values):
            return values
        return {name: self._value(name, value) for name, value in values.items() if name not in self.exclude}

    def stripped(self, line: bytes) -> bytes:
        """Return the row in *line* without its private columns, also if it was written before they were private."""
        try:
            row = json.loads(line)
            for values in (row, row.get("features", {})):
                for name in self.columns & values.keys():
                    del values[name]
        except (ValueError, AttributeError):  # half a row: nobody can say what is in it
            return b""
        return _json(row) + b"\n"

    def _value(self, name: str, value: object) -> object:
        if name not in self.hashed or value is None:
            return value
        same = float(value) if type(value) is int else value  # 5 and 5.0 are one value
        message = json.dumps([name, same]).encode()
        return hmac.digest(self.key, message, "sha256").hex()[:DIGITS]


@dataclass(frozen=True)
class Entry:
    """
    An answered request in the queue.

    Args:
        created_ns: When it was answered, since 1970, UTC.
        number: Of its first row; with *process*, unique.
    """

    prediction: Prediction
    created_ns: int
    number: int
    process: str

    def lines(self, privacy: Privacy) -> list[bytes]:
        """Return its rows, each as a line of JSON."""
        return [_json(row) + b"\n" for row in self._rows(privacy)]

    def _rows(self, privacy: Privacy) -> Iterator[dict[str, Any]]:
        prediction = self.prediction
        columns = [column.name for column in prediction.model.manifest.columns]
        request = {
            "request_id": prediction.request_id,
            "model": prediction.model.name,
            "alias": prediction.alias,
            "version": prediction.model.version,
            "elapsed_ms": round(prediction.elapsed_ms, 3),
            "created_at": datetime.fromtimestamp(self.created_ns / 1e9, UTC).isoformat(" ", "microseconds"),
        }
        customers: Sequence[str | int | None] = prediction.question.ids or [None] * len(prediction.question.rows)
        answers = zip(prediction.as_text(), prediction.confidences(), strict=True)
        for place, (row, customer, (answer, confidence)) in enumerate(
            zip(prediction.question.rows, customers, answers, strict=True)
        ):
            features = row if isinstance(row, dict) else dict(zip(columns, row, strict=True))
            yield request | {
                "id": f"{self.created_ns:016x}{self.process}{self.number + place:012x}",
                CUSTOMER: privacy.applied({CUSTOMER: None if customer is None else str(customer)}).get(CUSTOMER),
                "features": privacy.applied(features),
                "prediction": answer,
                "confidence": confidence,
            }


def _json(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:  # whole numbers of more than 64 bits, which float32 and JSON take
        return json.dumps(row).encode()
