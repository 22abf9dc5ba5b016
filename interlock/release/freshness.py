"""
Whether the newest version that passed the gate is to be released, and why.

    nothing passed          skip
    its bytes are refused   skip, so that a bad version is tried once and no schedule undoes an operator
    tried three times       skip and ask a person: whatever stops it is not a wrong answer, and does not go away
    nothing is live         release
    trained after the live  release, unless it takes or gives something else
    else                    skip

Training times are those of the manifests, in UTC. When a version was registered says nothing, but that it was trained
before: a training host whose clock is ahead would keep everything that is newer from going live for as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from interlock.clock import utc_moment, utc_stamp
from interlock.errors import CorruptRecord
from interlock.model.manifest import Manifest
from interlock.records import Candidate, Current
from interlock.store import Store

MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Newest:
    """
    The version that was trained last, among those that passed the gate.

    Args:
        candidate: It, as a candidate.
        manifest: Of its training.
        registered_at_utc: When versions that passed were registered, by the registry's clock; None if it does not say.
    """

    candidate: Candidate
    manifest: Manifest
    registered_at_utc: Mapping[int, str | None] = field(default_factory=dict)

    def age_of(self, version: int, manifest: Manifest) -> "Age":
        """
        Return when a version was trained.

        Raises:
            CorruptRecord: Its manifest carries no training time.
        """
        return Age(version, _trained(version, manifest), self.registered_at_utc.get(version))


@dataclass(frozen=True)
class Age:
    """When a version was trained, as its training host says; and when it was registered, which nothing precedes."""

    version: int
    trained: datetime
    registered_at_utc: str | None

    @property
    def is_ahead(self) -> bool:
        """Whether the training host's clock was ahead of the registry's."""
        return self.registered_at_utc is not None and self.trained > utc_moment(self.registered_at_utc)

    @property
    def rank(self) -> tuple[datetime, int]:
        """What orders it; in the same second, the later number is the newer one."""
        moment = utc_moment(self.registered_at_utc) if self.registered_at_utc and self.is_ahead else self.trained
        return moment, self.version

    def __str__(self) -> str:
        """Say it, and which clock it is told by."""
        if self.is_ahead:
            return (
                f"at {utc_stamp(self.trained)} by a clock that was ahead: it was registered at {self.registered_at_utc}"
            )
        return f"at {utc_stamp(self.trained)}"


@dataclass(frozen=True)
class Comparison:
    """What is to be done, and why."""

    release: bool
    why: str


def compare(store: Store, current: Current, alias: str, newest: Newest | None) -> Comparison:
    """
    Compare what *current* decides for *alias* with *newest*.

    Raises:
        CorruptRecord: A manifest on disk does not parse, or one carries no training time.
        NotFound: The live version is not on disk.
    """
    if newest is None:
        return Comparison(release=False, why=f"no version of {current.model} passed the gate yet")
    version, manifest = newest.candidate.version, newest.manifest
    if refusal := store.refusal(current.model, newest.candidate.sha256):
        return Comparison(release=False, why=f"v{version} is the newest and holds {refusal.told_of(version)}")
    if newest.candidate.sha256 not in {variant.sha256 for variant in current.variants.values()}:
        tried = store.attempts(current.model, newest.candidate.sha256)
        if tried >= MOST_ATTEMPTS:
            why = f"v{version} was tried {tried} times and never went live; see its runs, then release it by hand"
            return Comparison(release=False, why=why)
    live = current.version_of(alias)
    if live is None:
        return Comparison(release=True, why=f"nothing is live, v{version} was trained at {manifest.trained_at_utc}")
    return _by_age(live, store.manifest(current.model, live), newest)


def _by_age(live: int, old: Manifest, newest: Newest) -> Comparison:
    version, new = newest.candidate.version, newest.manifest
    age, older = newest.age_of(version, new), newest.age_of(live, old)
    ages = f"v{live} was trained {older}, v{version} {age}"
    if live == version:
        return Comparison(release=False, why=f"v{live}, trained {older}, is the newest")
    if age.rank < older.rank:
        return Comparison(release=False, why=f"what is live is not older: {ages}")
    if changes := new.signature.told_from(old.signature):
        why = f"clients of v{live} would find v{version} changed: {changes}"
        return Comparison(release=False, why=f"{why}. Release it with new_contract, or under a model name of its own")
    return Comparison(release=True, why=f"what is live is older: {ages}")


def _trained(version: int, manifest: Manifest) -> datetime:
    try:
        return utc_moment(manifest.trained_at_utc)
    except ValueError as error:
        msg = f"v{version} was trained at {manifest.trained_at_utc[:40]!r}, which is no UTC stamp"
        raise CorruptRecord(msg) from error
