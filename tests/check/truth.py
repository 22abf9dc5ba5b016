"""
What is known from outside: which versions are good, which were proven, which were ever exposed.

Replicas that behave as the serving app does: load from disk by digest, prove, keep in memory, restart from disk
alone. Each tells the truth book what it exposes, and the book notes what must not be.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from world.fakes import FakeReplica, candidate_of

from interlock.errors import Broken, DeliveryError, Refused, SmokeFailed
from interlock.model.manifest import Manifest
from interlock.records import Candidate, Current, Variant
from interlock.release.engine import Seen, Served
from interlock.store import Store

MODEL = "best_model"


@dataclass
class Truth:
    """The book. `needs` is how many replicas must have proven a version in this attempt."""

    bad: frozenset[int]
    needs: int = 2
    rehearsed: dict[int, set[str]] = field(default_factory=dict)
    proven: set[int] = field(default_factory=set)
    exposed: set[int] = field(default_factory=set)
    decided_in: dict[int, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @staticmethod
    def digest(version: int) -> str:
        """What was trained under this number."""
        return candidate_of(version).sha256

    def begin(self, needs: int) -> None:
        """Another attempt: what was proven before counts, what was half proven does not."""
        self.needs, self.rehearsed = needs, {}

    def proves(self, address: str, version: int) -> None:
        """A replica compared the golden answers of a version."""
        by = self.rehearsed.setdefault(version, set())
        by.add(address)
        if len(by) >= self.needs:
            self.proven.add(version)

    def exposes(self, address: str, variant: Variant, current: Current) -> None:
        """A replica lets a version answer un-pinned requests: I1, I6, I9."""
        version = variant.active_version
        if version not in self.proven or version in self.bad:
            self.violations.append(f"I1: {address} exposes v{version}, proven are {self.proven}")
        if variant.sha256 != candidate_of(version).sha256:
            self.violations.append(f"I2: {address} exposes other bytes as v{version}")
        if self.decided_in.setdefault(current.epoch, current.release_id) != current.release_id:
            self.violations.append(f"I6: epoch {current.epoch} names two decisions")
        self.exposed.add(version)


@dataclass
class TrueReplica(FakeReplica):
    """
    A replica with a memory and a disk.

    `forgets` makes it claim to follow and not do it; `refuses` are versions that it cannot follow.
    """

    store: Store | None = None
    truth: Truth | None = None
    refuses: set[int] = field(default_factory=set)
    warm: dict[str, str] = field(default_factory=dict)

    def load(self, candidate: Candidate) -> None:
        self._ask("load")
        self._from_disk(candidate.version, candidate.sha256)
        self.staged[candidate.alias] = candidate.version

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        super().smoke(candidate, manifest, timed=timed)
        if candidate.version in self.truth.bad:
            raise SmokeFailed("golden rows: row 0: off by 0.5")
        self.truth.proves(self.address, candidate.version)
        return "golden rows answered"

    def follow(self, current: Current) -> Seen:
        self._ask("follow")
        failures = []
        for alias in {*current.variants, *self.serves}:
            try:
                self._follow(alias, current)
            except DeliveryError as error:
                failures.append(error)
        for failure in failures:
            raise failure
        return self.observe(current.model)

    def restarts(self) -> None:
        """Forget all and follow the disk, as far as it can be read."""
        self.serves, self.staged, self.warm = {}, {}, {}
        self.looks()

    def looks(self) -> None:
        """Follow the decision by itself, as the app does every 200 ms when the epoch is another."""
        with suppress(DeliveryError):
            current = self.store.current(MODEL)
            if current.epoch not in {served.epoch for served in self.serves.values()}:
                self.follow(current)

    def _follow(self, alias: str, current: Current) -> None:
        variant = current.variants.get(alias)
        if self.forgets:
            return
        if variant is None or not variant.follows("fake", self.name):
            self.serves.pop(alias, None)
            return
        if variant.active_version in self.refuses:
            raise Broken(f"{self.address} cannot infer v{variant.active_version}")
        if variant.sha256 not in self._memory(alias):
            self._from_disk(variant.active_version, variant.sha256)
        self.truth.exposes(self.address, variant, current)
        self._flip(alias, Served(variant.active_version, variant.sha256, current.epoch))

    def _flip(self, alias: str, served: Served) -> None:
        before = self.serves.get(alias)
        if before and before.sha256 != served.sha256:
            self.warm[alias] = before.sha256
        self.serves[alias] = served
        if self.staged.get(alias) == served.version:
            del self.staged[alias]

    def _memory(self, alias: str) -> set[str]:
        live, staged = self.serves.get(alias), self.staged.get(alias)
        held = {live.sha256 if live else "", self.warm.get(alias, "")}
        return held | ({candidate_of(staged).sha256} if staged else set())

    def _from_disk(self, version: int, sha256: str) -> None:
        if not self.store.is_intact(MODEL, version, sha256):
            raise Refused(f"{self.address} cannot load v{version}: the bytes are lost or damaged")
