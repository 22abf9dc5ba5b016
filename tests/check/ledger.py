"""What must be true after each operation, known without asking the product: the ledger of a sequence of faults."""

from collections import Counter
from dataclasses import dataclass, field

from world.fakes import candidate_of

from interlock.errors import Broken, CorruptRecord, NotFollowed, RecoveryFailed, Unreachable
from interlock.records import Current
from interlock.store import Store

MODEL = "best_model"
ALIASES = ("A", "B")


@dataclass(frozen=True)
class Attempt:
    """A release or a rollback as it was asked for."""

    kind: str
    alias: str
    version: int | None
    force: bool = False


@dataclass
class Ledger:
    """
    What may be live for each alias, and what is known of each version.

    An operation that ended says what is live; one that was interrupted leaves several possibilities, until the
    decision is looked at with nothing open.
    """

    store: Store
    bad: frozenset[int]
    may: dict[str, set[int | None]] = field(default_factory=lambda: {alias: {None} for alias in ALIASES})
    lives: dict[str, list[int]] = field(default_factory=lambda: {alias: [] for alias in ALIASES})
    must_refuse: set[int] = field(default_factory=set)
    may_refuse: set[int] = field(default_factory=set)
    interrupted: list[tuple[str, set[int | None], int | None]] = field(default_factory=list)
    epoch: int = 0

    def begins(self, attempt: Attempt, *, blames: bool) -> None:
        """A person who forces a version takes back its refusal; a fault may bring *blames* on whatever is under way."""
        self.interrupted = [other for other in self.interrupted if other[0] != attempt.alias]
        if attempt.version is not None and attempt.force:
            self.must_refuse.discard(attempt.version)
        if blames or attempt.version in self.bad:
            self.may_refuse.update(v for versions in ({attempt.version}, *self.may.values()) for v in versions if v)

    def completed(self, attempt: Attempt) -> None:
        """I10: what is said to be live is live. An operator's way back is remembered."""
        version = attempt.version
        assert self.store.current(MODEL).version_of(attempt.alias) == version
        assert version not in self.must_refuse, f"v{version} was refused, and nobody forced it"
        left = self.may[attempt.alias]
        if attempt.kind == "rollback":
            self.may_refuse |= {v for v in left if v}
            self.must_refuse |= {v for v in left if v and len(left) == 1 and v != version}
        self.may[attempt.alias] = {version}

    def told(self, attempt: Attempt, error: Exception) -> None:
        """I10: a failure says truly what serves, and a wrong answer or silence leaves what was."""
        if isinstance(error, RecoveryFailed):
            return self.stopped(attempt)
        current = self.readable()
        if attempt.kind == "release" and isinstance(error, (Broken, NotFollowed, Unreachable)) and current:
            assert current.version_of(attempt.alias) in self.may[attempt.alias], error
        if current and f"{MODEL} {attempt.alias}: " in str(error):
            assert current.describe(attempt.alias) in str(error)
        return self.stopped(attempt)

    def stopped(self, attempt: Attempt) -> None:
        """Nobody knows how far it came."""
        left = set(self.may[attempt.alias])
        if attempt.version is not None:
            self.may[attempt.alias].add(attempt.version)
        if attempt.kind == "rollback":
            self.may_refuse |= {v for v in left if v}
            self.interrupted.append((attempt.alias, left, attempt.version))

    def readable(self) -> Current | None:
        """The decision, if nothing is open and it can be read."""
        try:
            return None if self.store.journal(MODEL) else self.store.current(MODEL)
        except CorruptRecord:
            return None

    def looks(self) -> None:
        """With nothing open, the decision is one of the possibilities, and from now on the only one: I6, I10."""
        if current := self.readable():
            for alias in ALIASES:
                version = current.version_of(alias)
                assert version in self.may[alias], f"{alias} is v{version}, which nobody asked for: {self.may}"
                self.may[alias] = {version}
                self._lived(alias, version)
            self._ways_back_that_stand()
            assert current.epoch >= self.epoch, "I6: the epoch fell"
            self.epoch = current.epoch

    def settled(self) -> None:
        """What must be refused is, and nothing else."""
        refused = {path.stem for path in self.store.paths(MODEL).refused.glob("*.json")}
        assert {candidate_of(v).sha256 for v in self.must_refuse} <= refused, "a version that must be refused is not"
        assert refused <= {candidate_of(v).sha256 for v in self.may_refuse}, "an innocent version is refused"

    def protected(self, *, damaged_record: bool) -> set[int]:
        """I4: what serves, and with a whole record the version before, stay on disk."""
        last = 1 if damaged_record else 2
        return {version for lives in self.lives.values() for version in lives[-last:]}

    def _ways_back_that_stand(self) -> None:
        """An operator's way back that was interrupted counts as well, if it stands."""
        for alias, left, version in self.interrupted:
            if len(left) == 1 and self.may[alias] == {version} and version not in left:
                self.must_refuse |= {v for v in left if v}
        self.interrupted.clear()

    def _lived(self, alias: str, version: int | None) -> None:
        if version is not None:
            self.lives[alias] = [*(v for v in self.lives[alias] if v != version), version]


@dataclass
class Folders:
    """I4: where the versions are, counted before and after an operation."""

    store: Store
    versions: set[int] = field(default_factory=set)
    failed: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        paths = self.store.paths(MODEL)
        self.versions = {int(path.name) for path in paths.versions.glob("*") if path.name.isdigit()}
        self.failed = Counter(int(path.name.split("-")[0]) for path in paths.failed.glob("*"))
        self.failed.update(int(path.name) for path in paths.odd.glob("*/*") if path.name.isdigit())

    def check_nothing_is_lost(self, ever_exposed: set[int]) -> None:
        """What is gone was moved, quarantined or set aside, and nothing that was ever exposed was moved."""
        after = Folders(self.store)
        for version in self.versions - after.versions:
            assert after.failed[version] > self.failed[version], f"I4: v{version} is gone"
            assert version not in ever_exposed, f"I4: v{version} was live and was quarantined"
        assert not self.failed - after.failed, "I4: a quarantined version is gone"
