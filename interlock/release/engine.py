"""
What answers predictions, as this package sees it.

An engine is one or several replicas. An adapter implements the verbs for one replica; asking all of them,
and what it means when some do not answer, is decided here, once for every kind of engine.

    rehearsal   load -> ready -> smoke -> drop      every replica must answer
    after it    follow, observe                     an absent replica is noted, not raised
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from interlock.errors import DeliveryError, NotFollowed, Unreachable
from interlock.model.manifest import Manifest
from interlock.records import Candidate, Current, EngineRef

T = TypeVar("T")
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class Served:
    """What a replica answers un-pinned requests of one alias with; *epoch* where the engine can tell it."""

    version: int
    sha256: str
    epoch: int | None = None


@dataclass(frozen=True)
class Seen:
    """What one replica says of itself, by alias: what it serves, which candidates it holds, why it serves nothing."""

    serves: dict[str, Served] = field(default_factory=dict)
    staged: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sighting:
    """One replica after it was asked; *absent* says why there is no answer."""

    engine: EngineRef
    replica: str
    seen: Seen | None = None
    absent: DeliveryError | None = None

    def follows(self, current: Current, alias: str) -> bool:
        """Whether the replica serves exactly what *current* decides for *alias*."""
        if self.seen is None:
            return False
        variant, served = current.variants.get(alias), self.seen.serves.get(alias)
        if variant is None or not variant.follows(*self.engine.key):
            return served is None
        if served is None or (served.version, served.sha256) != (variant.active_version, variant.sha256):
            return False
        return served.epoch in (None, current.epoch)


class Replica(Protocol):
    """
    One address of an engine. Every verb has a timeout of its own.

    Every verb raises Unreachable when nobody answers or the answer is a 5xx, Refused when a rule says no (a wrong
    token, another model), Garbled for an answer of another program, and Broken when the candidate's bytes are wrong.
    """

    @property
    def address(self) -> str:
        """Where the replica is, as a person reads it."""

    def load(self, candidate: Candidate) -> None:
        """Make this exact version answer pinned requests, exposed to nobody."""

    def ready(self, candidate: Candidate) -> None:
        """Raise NotReady unless the replica holds the candidate with its digest."""

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        """Infer the golden rows, pinned, and compare; return what was measured. Raises SmokeFailed, or TooSlow."""

    def drop(self, model: str, alias: str) -> None:
        """Forget the candidate of *alias*; fine if there is none."""

    def follow(self, current: Current) -> Seen:
        """Converge to the decision, never unloading what serves; idempotent."""

    def observe(self, model: str) -> Seen:
        """Say what is served now, from real answers where the engine cannot tell a digest."""

    def survey(self, currents: Sequence[Current]) -> dict[str, Seen]:
        """Say of each model that is held, by one question for all of them, what is served by name and version."""


@dataclass(frozen=True)
class Engine:
    """
    All replicas of what answers predictions under one name.

    Args:
        leads: Other engines are clients of this one, so it is asked first.
    """

    ref: EngineRef
    replicas: Sequence[Replica]
    leads: bool = False

    def load(self, candidate: Candidate) -> None:
        """
        Make the candidate answer pinned requests on every replica.

        One after the other: a candidate that brings a replica down brings down one of them.
        """
        for replica in self.replicas:
            replica.load(candidate)

    def ready(self, candidate: Candidate) -> None:
        """Raise NotReady unless every replica holds the candidate."""
        self._all(lambda replica: replica.ready(candidate))

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        """Compare golden answers on every replica, and if *timed* latencies; return what was measured."""

        def smoke(replica: Replica) -> str:
            return f"{replica.address} {replica.smoke(candidate, manifest, timed=timed)}"

        return "; ".join(self._all(smoke))

    def present(self, model: str) -> tuple["Engine", list[str]]:
        """Return the engine with only the replicas that answer, and the addresses of the others."""
        seen = self.observe(model)
        there = [replica for replica, sighting in zip(self.replicas, seen, strict=True) if sighting.seen]
        return replace(self, replicas=there), [sighting.replica for sighting in absent(seen)]

    def drop(self, model: str, alias: str) -> None:
        """Forget the candidate of *alias* wherever that succeeds; what is left over, `reconcile` finds and drops."""

        def drop(replica: Replica) -> None:
            with suppress(DeliveryError):
                replica.drop(model, alias)

        self._all(drop)

    def follow(self, current: Current) -> list[Sighting]:
        """Converge to the decision wherever somebody answers. Raises what any replica that answers raises."""
        return self._sighted(self._answers(lambda replica: replica.follow(current)))

    def observe(self, model: str) -> list[Sighting]:
        """See what is served wherever somebody answers."""
        return self._sighted(self._answers(lambda replica: replica.observe(model)))

    def survey(self, currents: Sequence[Current]) -> dict[str, list[Sighting]]:
        """See what is served of many models, asking each replica once."""
        answers = self._answers(lambda replica: replica.survey(currents))
        return {
            current.model: self._sighted(
                [seen if isinstance(seen, Unreachable) else seen.get(current.model, Seen()) for seen in answers]
            )
            for current in currents
        }

    def _all(self, ask: Callable[[Replica], T]) -> list[T]:
        if len(self.replicas) == 1:
            return [ask(self.replicas[0])]
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            return list(pool.map(ask, self.replicas))

    def _answers(self, ask: Callable[[Replica], T]) -> list[T | Unreachable]:
        """Ask every replica; return its answer, or why there is none."""

        def answer(replica: Replica) -> T | Unreachable:
            try:
                return ask(replica)
            except Unreachable as error:
                return error

        return self._all(answer)

    def _sighted(self, answers: Sequence[Seen | Unreachable]) -> list[Sighting]:
        return [
            Sighting(self.ref, replica.address, absent=answer)
            if isinstance(answer, Unreachable)
            else Sighting(self.ref, replica.address, answer)
            for replica, answer in zip(self.replicas, answers, strict=True)
        ]


EngineFor = Callable[[EngineRef], Engine]
"""Finds the engine that a record names; raises Refused when nobody knows how to reach it."""


def absent(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return the replicas that did not answer."""
    return [sighting for sighting in sightings if sighting.seen is None]


def without_any(sightings: Sequence[Sighting]) -> list[str]:
    """Return the names of the engines of which not one replica answered."""
    answered = {sighting.engine.key for sighting in sightings if sighting.seen}
    return sorted({sighting.engine.name for sighting in sightings if sighting.engine.key not in answered})


def check_follow(sightings: Iterable[Sighting], current: Current, alias: str) -> None:
    """
    Look whether every replica that answers serves what *current* decides for *alias*.

    Raises:
        NotFollowed: One does not.
    """
    for sighting in sightings:
        if sighting.seen and not sighting.follows(current, alias):
            version = current.version_of(alias)
            decided = f"v{version}" if version else "nothing"
            msg = f"{sighting.replica} does not serve what epoch {current.epoch} decides for {alias}: {decided}"
            raise NotFollowed(msg)
