"""What operators, schedules, disks and people do."""

from contextlib import suppress
from pathlib import Path

import pytest
from check.invariants import tree
from check.ledger import MODEL, Attempt, Folders
from inject.fuse import Killed
from world.fakes import RUN, candidate_of
from world.in_memory import Fault, Rig

from interlock.errors import Busy, CorruptRecord, DeliveryError
from interlock.release.open import released, rolled_back
from interlock.release.steps import carry_out
from interlock.store import Writer
from interlock.upkeep.prune import prune
from interlock.upkeep.reconcile import AliasPolicy, Reconciler

RECORDS = ("current", "journal", "registry", "entry", "refused", "lock", "stop")
HAPPENINGS = ("busy", "restart", "look", "back", "gone", "registry down", "registry up", "moved", "deleted")
BYTES = ("model.onnx", "manifest.json")


class Operations(Rig):
    """The rig, and what can be done with it."""

    def release(self, alias: str, version: int, fault: Fault, *, force: bool) -> None:
        def act():
            candidate = candidate_of(version, alias)
            with released(self.world.env, candidate, [self.world.engine], force=force) as release:
                carry_out(release)
            return release

        self.attempt(Attempt("release", alias, version, force), fault, act, [version])

    def roll_back(self, alias: str, version: int | None, fault: Fault, *, force: bool) -> None:
        wanted = []

        def act():
            with rolled_back(self.world.env, MODEL, alias, version, why="test", force=force) as rollback:
                wanted.append(rollback.candidate.version)
                carry_out(rollback)
            return rollback

        self.attempt(Attempt("rollback", alias, version, force), fault, act, wanted)

    def reconcile(self, policy: AliasPolicy, fault: Fault) -> None:
        """A schedule's pass; one that takes hand-moved aliases for wishes may release them."""
        reconciler = Reconciler(self.world.env, policy)
        self.truth.begin(needs=2)
        with self.faulted("reconcile", fault), suppress(Killed):
            reconciler.reconcile([MODEL])
        for alias, version in self.touched.items() if policy is AliasPolicy.RELEASE else ():
            self.ledger.begins(Attempt("release", alias, version), blames=self.suspect)
            self.ledger.stopped(Attempt("release", alias, version))
        self.check_truth()

    def prune(self, keep: int, failed: int, fault: Fault) -> None:
        """I4: what serves and what may be gone back to stays."""
        before, protected = Folders(self.store), self.ledger.protected(damaged_record=self.damaged_record)
        with self.faulted("prune", fault, keeps=False), suppress(Killed, DeliveryError):
            prune(self.world.env, MODEL, versions=keep, failed=failed)
        gone = before.versions - Folders(self.store).versions
        assert not gone & protected, f"I4: v{gone & protected} was pruned"
        self.check_truth()

    def happens(self, what: str, alias: str, version: int, replica: int) -> None:
        """Something that is no operation of ours."""
        happening = {
            "busy": lambda: self.lose_against_a_holder(alias, version),
            "restart": lambda: self.restart(replica),
            "look": lambda: self.look(replica),
            "back": self.replicas[replica].comes_back,
            "gone": self.replicas[replica].goes_away,
            "registry down": lambda: setattr(self.registry, "down", True),
            "registry up": lambda: setattr(self.registry, "down", False),
            "moved": lambda: self.move_alias(alias, version),
            "deleted": lambda: self.move_alias(alias, None),
        }
        happening[what]()
        self.dirty = self.dirty or self.away
        self.statistics[what] += 1

    def lose_against_a_holder(self, alias: str, version: int) -> None:
        """I5: whoever does not get the lock changes nothing."""
        opened = released(self.world.env, candidate_of(version, alias), [self.world.engine])
        with Writer.locked(self.store, MODEL, RUN):
            before, asked = tree(self.store), [len(there.asked) for there in self.replicas]
            with pytest.raises(Busy, match="flow-1"), opened as release:
                carry_out(release)
            assert tree(self.store) == before
            assert [len(there.asked) for there in self.replicas] == asked

    def restart(self, replica: int) -> None:
        """I9: from disk alone it serves the decision or nothing."""
        self.dirty = self.suspect = True
        if not self.replicas[replica].fails:
            self.replicas[replica].restarts()
        self.check_truth()

    def look(self, replica: int) -> None:
        """A replica reads the decision by itself."""
        if not self.replicas[replica].fails:
            self.replicas[replica].looks()
        self.check_truth()

    def move_alias(self, alias: str, version: int | None) -> None:
        """Somebody moves an alias in the registry, or deletes it."""
        self.registry.aliases.pop((MODEL, alias), None)
        if version is not None:
            self.registry.aliases[MODEL, alias] = version
        self.touched[alias] = version
        self.dirty = True

    def damage(self, what: str, how: str, which: int) -> None:
        """A file gets lost or damaged; never the last one that says what must be known."""
        paths = [path for path in self._files(what) if not self._is_the_only_one(what)]
        if not paths:
            return
        path = paths[which % len(paths)]
        self.dirty = True
        self.damaged_record = self.damaged_record or what == "entry"
        self.damaged_record = self.damaged_record or what == "journal"
        if what == "registry":
            self.touched |= {alias: self._names(alias) for alias in self.ledger.may}
        if what == "refused" and how == "lost":
            self.ledger.must_refuse -= {v for v in self.ledger.must_refuse if candidate_of(v).sha256 == path.stem}
        _damage(path, how)
        self.statistics[f"{what} {how}"] += 1

    def _files(self, what: str) -> list[Path]:
        paths = self.store.paths(MODEL)
        if what in BYTES:
            return sorted(paths.versions.glob(f"[1-9]*/{what}"))
        if what == "entry":
            return [paths.entry(epoch) for epoch in self.store.epochs(MODEL)]
        if what == "refused":
            return sorted(paths.refused.glob("*.json"))
        path = getattr(paths, what)
        return [path] if path.exists() or what == "stop" else []

    def _is_the_only_one(self, what: str) -> bool:
        """The decision is in current.json and in its entry; the engines of a first release are in the journal only."""
        try:
            epoch = self.store.current(MODEL).epoch
            if what == "current":
                return self.store.entry(MODEL, epoch) is None
        except CorruptRecord:
            return what in ("current", "entry", "journal")
        return what == "journal" and not epoch


def _damage(path: Path, how: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b""
    if how == "lost":
        path.unlink(missing_ok=True)
    elif how == "flipped" and content:
        path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    else:
        path.write_bytes(content[: len(content) // 2])
