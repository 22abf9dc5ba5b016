"""
What is written down about a release.

    Candidate      the version this run tries to make live
    Current        the decision: which version is live for each alias
    Journal        the open release: the full state before and after
    HistoryEntry   one decision: who, what, why, the checks with their numbers
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interlock.clock import utc_stamp
from interlock.names import Alias, ModelName, Sha256, Version

SERVING_API = "serving-api"
TRITON = "triton"
"""Kinds of engines, as records name them."""

DEFAULT_BUDGET_MS = 500.0
"""Most milliseconds that the median single row of a candidate may take, where an enrolment says nothing else."""
DEFAULT_TIMEOUT_S = 5.0
"""Most seconds that one call to an engine may take, where an enrolment says nothing else."""
DEFAULT_LOAD_TIMEOUT_S = 60.0
"""Most seconds that a load on Triton may take, where an enrolment says nothing else."""

Kind = Literal["release", "rollback"]
"""Whether the candidate is new, or an older version that an operator goes back to."""


class Record(BaseModel):
    """Immutable; keys that a newer writer added are ignored."""

    model_config = ConfigDict(frozen=True)


class EngineRef(Record):
    """
    The enrolment of an engine that follows a variant: all that is needed to reach it, except its secret.

    Flows, the operator's commands and the loop all build the engine from this record, so that they see the same one.
    A record that was written before a field existed is read with that field's default.

    Args:
        kind: Which adapter speaks to it, `serving-api` or `triton`.
        name: Its name among the engines of that kind; its secret is found under this name.
        urls: Addresses of its replicas; for Triton, the HTTP and the gRPC address of each in turn. The scheme says
            whether a connection uses TLS.
        latency_budget_ms: Most milliseconds that the median single row of a candidate may take on it.
        timeout_s: Most seconds that one call may take.
        load_timeout_s: Most seconds that a load on Triton may take.
    """

    kind: str
    name: str
    urls: tuple[str, ...]
    latency_budget_ms: float = DEFAULT_BUDGET_MS
    timeout_s: float = DEFAULT_TIMEOUT_S
    load_timeout_s: float = DEFAULT_LOAD_TIMEOUT_S

    @property
    def key(self) -> tuple[str, str]:
        """What makes two references the same engine, wherever it is reached."""
        return self.kind, self.name


class Candidate(Record):
    """The version this run tries to make live under an alias."""

    model: ModelName
    alias: Alias
    version: Version
    run_id: str
    sha256: Sha256


class Variant(Record):
    """An alias as the serving app sees it: the version that is live for it."""

    alias: Alias
    active_version: Version
    run_id: str
    sha256: Sha256
    weight: int = 100
    previous_version: int | None = None
    engines: tuple[EngineRef, ...] = ()

    def follows(self, kind: str, name: str) -> bool:
        """Whether the engine *kind*, *name* is enrolled."""
        return (kind, name) in {engine.key for engine in self.engines}


class Current(Record):
    """`current.json`, the decision. Epoch 0 is the state before the first release."""

    model: ModelName
    epoch: int = Field(ge=0)
    updated_at_utc: str
    release_id: str
    flow_run_id: str | None = None
    variants: dict[str, Variant] = {}

    @classmethod
    def nothing(cls, model: str) -> Self:
        """Return the state before the first release of *model*."""
        return cls(model=model, epoch=0, updated_at_utc=utc_stamp(), release_id="")

    def version_of(self, alias: str) -> int | None:
        """Return the version that is live for *alias*, or None."""
        variant = self.variants.get(alias)
        return variant.active_version if variant else None

    def describe(self, alias: str) -> str:
        """Return what serves for *alias*, as a person reads it."""
        version = self.version_of(alias)
        return f"{self.model} {alias}: v{version} serves" if version else f"{self.model} {alias}: nothing serves"

    def having(self, alias: str, variant: Variant | None, *, epoch: int, release_id: str) -> "Current":
        """Return the next decision, which differs from this one in *alias* only."""
        variants = {**self.variants, alias: variant}  # keeps the order: the first alias of an engine stays the first
        variants = {name: kept for name, kept in variants.items() if kept}
        return self.model_copy(
            update={"epoch": epoch, "release_id": release_id, "updated_at_utc": utc_stamp(), "variants": variants}
        )

    def same_decision(self, other: "Current") -> bool:
        """Whether both are the same write of the same release."""
        return (self.epoch, self.release_id) == (other.epoch, other.release_id)


class Run(Record):
    """Who asks for a release. All of it is information; nothing is decided by it."""

    flow_run_id: str | None = None
    flow_run_name: str | None = None
    who: str = "interlock"


class Check(Record):
    """One step of a release and how long it took."""

    step: str
    ms: float
    detail: str = ""


class Journal(Record):
    """`journal.json`, the open release; written before the first side effect."""

    release_id: str
    kind: Kind = "release"
    run: Run
    candidate: Candidate
    opened_at_utc: str
    why: str
    before: Current
    after: Current

    @property
    def engines(self) -> tuple[EngineRef, ...]:
        """Every engine that this release may have touched."""
        return self.after.variants[self.candidate.alias].engines

    @property
    def left_behind(self) -> Variant | None:
        """What an operator goes back from; a release leaves nothing behind."""
        return self.before.variants.get(self.candidate.alias) if self.kind == "rollback" else None


class Outcome(StrEnum):
    """How a decision ended."""

    OPEN = "open"
    COMPLETED = "completed"
    RECOVERED = "completed by recovery"
    UNDONE = "undone"


class HistoryEntry(Record):
    """
    `history/<epoch>.json`: the claim on an epoch, and after the commit the account of it.

    Args:
        outcome: How the decision ended; open for a claim whose release is under way, or was killed.
        note: What a person should know of that outcome, such as which replica did not answer.
        condemns: This decision undoes one whose candidate answered wrongly: its digest is refused.
    """

    epoch: int
    release_id: str
    kind: Kind
    run: Run
    at_utc: str
    why: str
    alias: Alias
    outcome: Outcome = Outcome.OPEN
    note: str = ""
    condemns: bool = False
    checks: tuple[Check, ...] = ()
    before: Current
    after: Current

    @model_validator(mode="before")
    @classmethod
    def _from_one_text(cls, content: Any) -> Any:
        """Read a record whose writer put the outcome and its note into one text."""
        if not isinstance(content, dict) or "note" in content or not isinstance(content.get("outcome"), str):
            return content
        text = content["outcome"]
        outcome = max((known for known in Outcome if text.startswith(known)), key=len, default=text)
        return {**content, "outcome": outcome, "note": text.removeprefix(outcome).lstrip("; ")}

    @property
    def undone(self) -> bool:
        """Whether a recovery took the decision back: it served for a moment only."""
        return self.outcome is Outcome.UNDONE

    @property
    def ended(self) -> str:
        """The outcome with its note, as a person reads it."""
        return f"{self.outcome}{' ' if self.undone else '; '}{self.note}" if self.note else f"{self.outcome}"

    @classmethod
    def of(cls, journal: Journal, outcome: Outcome, checks: Sequence[Check] = (), note: str = "") -> Self:
        """Return the account of the decision that *journal* announced."""
        return cls(
            epoch=journal.after.epoch,
            release_id=journal.release_id,
            kind=journal.kind,
            run=journal.run,
            at_utc=journal.after.updated_at_utc,
            why=journal.why,
            alias=journal.candidate.alias,
            outcome=outcome,
            note=note,
            checks=tuple(checks),
            before=journal.before,
            after=journal.after,
        )


class Event(Record):
    """`events/`: what was not a decision - refusals, recoveries, drift found; a recovery names whom it had to ask."""

    at_utc: str
    kind: str
    message: str
    release_id: str | None = None
    flow_run_id: str | None = None
    engines: tuple[EngineRef, ...] = ()


class StopRequest(Record):
    """`stop.json`: an operator's rollback waits for the holder of the lock to stop."""

    holder: str
    who: str
    at_utc: str


class Attempts(Record):
    """`attempts/<sha256>.json`: how often a digest was tried since it was last live."""

    sha256: Sha256
    count: int
    at_utc: str


class RefusedDigest(Record):
    """`refused/<sha256>.json`: a digest not to be released again, and why (no *version*: not known any more)."""

    sha256: Sha256
    reason: str
    at_utc: str
    version: Version | None

    def told_of(self, version: int) -> str:
        """Return why *version*, which holds these bytes, is refused; how it is forced, only the caller knows."""
        if self.version is None:
            return f"bytes that failed before ({self.reason})"
        same = f": v{version} and v{self.version} hold the same bytes" if version != self.version else ""
        return f"bytes that failed before (v{self.version}, {self.at_utc}: {self.reason}){same}"


def sealed(content: Mapping[str, Any]) -> bytes:
    """Return *content* as JSON with a `checksum` over everything else (sha256 of the canonical JSON)."""
    return json.dumps({**content, "checksum": checksum(content)}, indent=2).encode()


def checksum(content: Mapping[str, Any]) -> str:
    """Return the sha256 of *content* without its `checksum`, as canonical JSON (sorted keys, no spaces)."""
    body = {key: value for key, value in content.items() if key != "checksum"}
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
