"""
Whether the newest version that passed the gate is to be released, and why.

    nothing passed          skip
    its bytes are refused   skip, so that a bad version is tried once and no schedule undoes an operator
    tried three times       skip and ask a person: whatever stops it is not a wrong answer, and does not go away
    nothing is live         release
    trained after the live  release, unless it takes or gives something else
    else                    skip

Training times are those of the manifests, in UTC; when a version was registered says nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from delivery.clock import utc_moment
from delivery.errors import CorruptRecord
from delivery.manifest import Manifest
from delivery.records import Candidate, Current
from delivery.store import Store

MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Newest:
    """The version that was trained last, among those that passed the gate."""

    candidate: Candidate
    manifest: Manifest


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
    return _by_age(live, store.manifest(current.model, live), version, manifest)


def _by_age(live: int, old: Manifest, version: int, new: Manifest) -> Comparison:
    ages = f"v{live} was trained at {old.trained_at_utc}, v{version} at {new.trained_at_utc}"
    if live == version:
        return Comparison(release=False, why=f"v{live}, trained at {old.trained_at_utc}, is the newest")
    if (_trained(version, new), version) < (_trained(live, old), live):
        return Comparison(release=False, why=f"what is live is not older: {ages}")
    if new.contract != old.contract:
        return Comparison(
            release=False, why=f"v{version} takes or gives something else than v{live}: give it a model name of its own"
        )
    return Comparison(release=True, why=f"what is live is older: {ages}")


def _trained(version: int, manifest: Manifest) -> datetime:
    try:
        return utc_moment(manifest.trained_at_utc)
    except ValueError as error:
        msg = f"v{version} was trained at {manifest.trained_at_utc[:40]!r}, which is no UTC stamp"
        raise CorruptRecord(msg) from error
