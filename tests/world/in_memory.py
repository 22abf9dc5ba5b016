"""One repository, two replicas, a registry; what breaks, what mends, and what is checked around every operation."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from check.invariants import AFTER_DAMAGE, pass_of_reconcile, record_is_whole, violations
from check.ledger import MODEL, Attempt, Folders, Ledger
from check.truth import TrueReplica, Truth
from inject.fuse import Fuse, FuseBox, Killed
from world.fakes import FakeRegistry
from world.over_fuses import WiredWorld, wired

from interlock.errors import Broken, Damaged, DeliveryError, DigestRefused, SmokeFailed
from interlock.release.steps import Release
from interlock.store import Store

BAD = frozenset({4, 6})
IN_THE_BOX = ("kill", "io", "full", "lost", "deaf")
ON_A_REPLICA = ("wrong", "forgets", "refuses", "away")
BLAMES_NOBODY = ("", "io", "full")


@dataclass(frozen=True)
class Fault:
    """What goes wrong during one operation: call *at* of the system or over the wire, or one *replica*."""

    kind: str = ""
    at: int = 0
    error: int = 5
    replica: int = 0


class Rig:
    """Makes operations under faults, and has the ledger check what came of each."""

    def __init__(self, root: Path, statistics: Counter[str]) -> None:
        self.truth, self.box = Truth(BAD), FuseBox(Fuse())
        self.store = Store(root)
        self.replicas = [TrueReplica(f"http://{n}", store=self.store, truth=self.truth) for n in (1, 2)]
        self.registry = FakeRegistry()
        self.world = WiredWorld(self.store, self.box.over_the_wire(self.registry), self.replicas, wire=self.box)
        self.ledger = Ledger(self.store, BAD)
        self.statistics = statistics
        self.touched: dict[str, int | None] = {}
        self.dirty = self.suspect = self.damaged_record = False

    def attempt(self, attempt: Attempt, fault: Fault, act: Callable[[], Release], wanted: list[int]) -> None:
        """Make a release or a rollback; *wanted* is filled with the version as soon as it is known."""
        self.truth.begin(needs=1 if attempt.kind == "rollback" else 2)
        clean = not (self.dirty or fault.kind)
        ending: Release | BaseException
        with self.faulted(attempt.kind, fault):
            try:
                ending = act()
            except (Killed, DeliveryError) as error:
                ending = error
        attempt = replace(attempt, version=wanted[0] if wanted else None)
        self.ledger.begins(attempt, blames=self.suspect)
        self._enter(attempt, ending)
        if clean:
            self._check_clean(attempt, ending)

    @contextmanager
    def faulted(self, what: str, fault: Fault, *, keeps: bool = True) -> Iterator[None]:
        """Break something, operate, mend it; whatever happened, nothing that serves went dark and nothing is lost."""
        served, folders, exposed = self._serving(), Folders(self.store), set(self.truth.exposed)
        self._break(fault)
        with wired(self.box):
            yield
        blown = self.box.fuse.blown or fault.kind in ON_A_REPLICA
        self.statistics[f"{what} under {fault.kind}" if blown else what] += 1
        self.statistics["faulted"] += blown or self.away
        self._mend(fault, blown=blown)
        if keeps:
            folders.check_nothing_is_lost(exposed)
        self._check_none_went_dark(served)

    def settle(self) -> None:
        """Everything is back: one pass of reconcile, and every invariant holds."""
        self.registry.down = False
        for there in self.replicas:
            there.comes_back()
        with wired(self.box):
            report = pass_of_reconcile(self.world.env)
            assert not report.failed, report.told
            assert not report.busy, report.told
            self.check_truth()
            moved = {alias for alias in self.touched if self._names(alias) != self._live(alias)}
            for alias in moved:
                assert self._names(alias) == self.touched[alias], "an alias that was moved by hand was touched"
            rules = AFTER_DAMAGE if self.damaged_record else (record_is_whole, *AFTER_DAMAGE)
            wrong = list(violations(self.world.env, MODEL, rules=rules, moved=moved))
            assert wrong == [], wrong
        self.ledger.settled()
        self.touched = {alias: self.touched[alias] for alias in moved}
        self.dirty = self.suspect = False
        self.statistics["settled"] += 1

    def check_truth(self) -> None:
        """What replicas exposed was proven; the decision is one that somebody made."""
        assert not self.truth.violations, self.truth.violations
        self.ledger.looks()

    @property
    def away(self) -> bool:
        """Whether the registry or a replica is away."""
        return self.registry.down or any(there.fails for there in self.replicas)

    def _enter(self, attempt: Attempt, ending: Release | BaseException) -> None:
        if isinstance(ending, Release):
            self.ledger.completed(attempt)
            if not ending.alias_pending:
                self.touched.pop(attempt.alias, None)
        elif isinstance(ending, DeliveryError):
            self.ledger.told(attempt, ending)
        else:
            self.ledger.stopped(attempt)
        self.check_truth()

    def _check_clean(self, attempt: Attempt, ending: Release | BaseException) -> None:
        """Without a fault the ending is known: a good version goes live, a bad one or a refused one does not."""
        version = attempt.version
        if isinstance(ending, DigestRefused):
            assert not attempt.force
            assert version in self.ledger.may_refuse
        elif attempt.kind == "release":
            expected = SmokeFailed if version in BAD else Release
            assert isinstance(ending, Damaged if version in self.hurt() else expected), repr(ending)
        if attempt.kind == "release" and isinstance(ending, SmokeFailed):
            self.ledger.must_refuse.add(version)

    def hurt(self) -> set[int]:
        """Which versions on disk are not what they were."""
        on_disk = Folders(self.store).versions
        return {v for v in on_disk if not self.store.is_intact(MODEL, v, self.truth.digest(v))}

    def _break(self, fault: Fault) -> None:
        self.box.fuse = Fuse(fault.kind if fault.kind in IN_THE_BOX else "", fault.at, fault.error)
        there = self.replicas[fault.replica]
        if fault.kind == "wrong":
            there.answers_wrongly()
        elif fault.kind == "away":
            there.goes_away()
        elif fault.kind == "refuses":
            there.fails["follow"] = Broken(f"{there.address} cannot infer")
        there.forgets = fault.kind == "forgets"
        self.suspect = self.suspect or fault.kind not in BLAMES_NOBODY or any(r.fails for r in self.replicas)

    def _mend(self, fault: Fault, *, blown: bool) -> None:
        self.box.fuse = Fuse()
        self.dirty = self.dirty or blown
        there = self.replicas[fault.replica]
        there.forgets = False
        if fault.kind in ("wrong", "refuses"):
            there.fails.pop("smoke", None)
            there.fails.pop("follow", None)

    def _serving(self) -> set[tuple[int, str]]:
        return {(n, alias) for n, there in enumerate(self.replicas) for alias in there.serves}

    def _check_none_went_dark(self, before: set[tuple[int, str]]) -> None:
        """I7: a replica serves on, unless nothing is decided any more."""
        for _, alias in before - self._serving():
            assert None in self.ledger.may[alias], f"I7: {alias} went dark"

    def _names(self, alias: str) -> int | None:
        return self.registry.aliases.get((MODEL, alias))

    def _live(self, alias: str) -> int | None:
        return self.store.current(MODEL).version_of(alias)
