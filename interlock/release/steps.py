r"""
The steps between the state before and the state after. `open` opens a release and undoes it on failure.

    snapshot -> materialize -> trial -> load -> ready -> smoke -> COMMIT -> switch -> confirm -> alias -> close
        \________ before the commit: nothing was exposed ________/   \____ after it: forward, or the state before ____/
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import ContractChanged, DeliveryError, DigestRefused, NotFollowed, OutOfTime, Unreachable
from interlock.model.trial import Limits, Trial, try_out
from interlock.records import DEFAULT_BUDGET_MS, Candidate, Check, Current, HistoryEntry, Journal, Kind, Run, Variant
from interlock.release.alias import point_alias
from interlock.release.engine import Engine, Sighting, absent, without_any
from interlock.release.registry import Registry
from interlock.store import Writer

LIMIT_S = 120.0
"""How long a release may hold the model's lock."""


class Release:
    """
    One release of one candidate under one alias; its methods are its steps, in their order.

    Every step is idempotent, so that it can be retried. Only Unreachable is worth a retry. Every step raises
    OutOfTime when the lock was held for too long, and Stopped when an operator's rollback waits for it.
    """

    kind: ClassVar[Kind] = "release"
    timed: ClassVar[bool] = True
    try_out = staticmethod(try_out)

    def __init__(
        self, writer: Writer, candidate: Candidate, engines: Sequence[Engine], registry: Registry, run: Run, why: str
    ) -> None:
        """Made by `interlock.release.open`, inside the lock."""
        self.writer = writer
        self.candidate = candidate
        self.engines = engines
        self.rehearsing = engines
        self.given_up: list[str] = []
        self.registry = registry
        self.before = writer.store.current(candidate.model)
        self.journal = self._plan(run, why)
        self.current = self.before
        self.checks: list[Check] = []
        self.absent: list[str] = []
        self.alias_pending = False
        self._deadline = time.monotonic() + LIMIT_S

    def snapshot(self, *, force: bool = False) -> None:
        """
        Write down the state before and after, before the first side effect.

        Raises:
            DigestRefused: These bytes failed before, and not *force*.
        """
        with self._step("snapshot"):
            refusal = self.writer.store.refusal(self.candidate.model, self.candidate.sha256)
            if refusal and not force:
                msg = f"{self._name} holds {refusal.told_of(self.candidate.version)}"
                raise DigestRefused(msg)
            if force:
                self.writer.allow_digest(self.candidate.sha256)
                self.writer.forget_attempts(self.candidate.sha256)
            self.writer.open_journal(self.journal)

    def materialize(self) -> None:
        """
        Put the version into the model repository, checked against its digest.

        Raises:
            DigestMismatch: The registry's bytes are not the trained ones.
            ContractChanged: It takes or gives something else than what is live.
        """
        with self._step("materialize"):
            self.writer.materialize(
                self.candidate, lambda artifact, target: self.registry.fetch(self.candidate, artifact, target)
            )
            self._check_contract()

    def trial(self) -> None:
        """
        Try the candidate alone, in a child process with limits, before any engine sees its bytes.

        Raises:
            TrialFailed: It holds what it may not, cannot be opened, crashes, or takes more than it may.
            SmokeFailed: It answers otherwise than in training.
            TooSlow: It answers rightly, over the smallest latency budget of the engines.
        """
        with self._step("trial") as details:
            self.writer.count_attempt(self.candidate.sha256)
            details.append(str(self._tried()))

    def load(self) -> None:
        """Make the candidate answer pinned requests on every replica of every engine."""
        with self._step("load"):
            for engine in self.rehearsing:
                engine.load(self.candidate)

    def ready(self) -> None:
        """Ask every replica whether it has the candidate."""
        with self._step("ready"):
            for engine in self.rehearsing:
                engine.ready(self.candidate)

    def smoke(self) -> None:
        """Compare the candidate's answers to the golden rows, on every replica."""
        with self._step("smoke") as details:
            manifest = self.writer.store.manifest(self.candidate.model, self.candidate.version)
            details.extend(engine.smoke(self.candidate, manifest, timed=self.timed) for engine in self.rehearsing)

    def commit(self) -> Current:
        """Write the decision."""
        with self._step("commit"):
            self.current = self.writer.commit(self.before, self._entry("open"))
        return self.current

    def switch(self, *, patient: bool) -> None:
        """Let every engine follow the decision."""
        with self._step("switch"):
            self._settle([s for engine in self.engines for s in engine.follow(self.current)], patient=patient)

    def confirm(self, *, patient: bool) -> None:
        """Look whether every replica serves the decision."""
        with self._step("confirm"):
            self._settle([s for engine in self.engines for s in engine.observe(self.candidate.model)], patient=patient)

    def point_alias(self) -> str:
        """Point the alias at what serves now; return why it stays pending for `reconcile`, empty if it does not."""
        with self._step("alias") as details:
            try:
                point_alias(self.writer, self.registry, self.current, self.candidate.alias)
            except DeliveryError as error:
                self.alias_pending = True
                details.append(f"pending: {error}")
        return "; ".join(details)

    def close(self) -> None:
        """Forget the candidate, complete the account of the decision and forget the journal."""
        with self._step("close"):
            for engine in self.engines:
                engine.drop(self.candidate.model, self.candidate.alias)
            self.writer.account(self._entry(self.outcome))
            self.writer.forget_attempts(self.candidate.sha256)
            self.writer.close_journal()

    @property
    def late(self) -> list[str]:
        """What is not yet as decided, as a person reads it."""
        late = [f"degraded: {', '.join(self.absent)} did not answer"] if self.absent else []
        return late + ([f"alias {self.candidate.alias} pending"] if self.alias_pending else [])

    @property
    def outcome(self) -> str:
        """How the release ended, as a person reads it."""
        return "; ".join(["completed", *self.late])

    @property
    def _name(self) -> str:
        return f"{self.candidate.model} v{self.candidate.version}"

    def _tried(self) -> Trial:
        store, version = self.writer.store, self.candidate.version
        budget_ms = min((engine.ref.latency_budget_ms for engine in self.engines), default=DEFAULT_BUDGET_MS)
        folder = store.paths(self.candidate.model).version(version)
        manifest = store.manifest(self.candidate.model, version)
        trial = self.try_out(folder, manifest, Limits(latency_budget_ms=budget_ms))
        self.writer.keep_trial(version, trial)
        return trial

    def _check_not_stopped(self) -> None:
        self.writer.check_not_stopped()

    def _check_contract(self) -> None:
        store, live = self.writer.store, self.before.variants.get(self.candidate.alias)
        if live is None:
            return
        old = store.manifest(self.candidate.model, live.active_version).contract
        new = store.manifest(self.candidate.model, self.candidate.version).contract
        if new != old:
            msg = f"{self._name} takes and gives {new}, v{live.active_version} {old}: give it a model name of its own"
            raise ContractChanged(msg)

    def _plan(self, run: Run, why: str) -> Journal:
        live = self.before.variants.get(self.candidate.alias)
        same = live is not None and live.active_version == self.candidate.version
        variant = Variant(
            alias=self.candidate.alias,
            active_version=self.candidate.version,
            run_id=self.candidate.run_id,
            sha256=self.candidate.sha256,
            weight=live.weight if live else 100,
            previous_version=live.previous_version if live and same else live.active_version if live else None,
            engines=tuple(engine.ref for engine in self.engines),
        )
        release_id, epoch = uuid4().hex, self.writer.store.next_epoch(self.candidate.model)
        after = self.before.having(self.candidate.alias, variant, epoch=epoch, release_id=release_id)
        return Journal(
            release_id=release_id,
            kind=self.kind,
            run=run,
            candidate=self.candidate,
            opened_at_utc=utc_stamp(),
            why=why,
            before=self.before,
            after=after.model_copy(update={"flow_run_id": run.flow_run_id}),
        )

    def _entry(self, outcome: str) -> HistoryEntry:
        return HistoryEntry.of(self.journal, outcome, self.checks)

    def _settle(self, sightings: list[Sighting], *, patient: bool) -> None:
        """Every replica that answered must follow; absent ones are waited for while *patient*, then named."""
        expected = [sighting for sighting in sightings if sighting.replica not in self.given_up]
        missing = absent(expected)
        for sighting in sightings:
            if sighting.seen and not sighting.follows(self.current, self.candidate.alias):
                wanted = f"{self._name} of epoch {self.current.epoch}"
                msg = f"{sighting.replica} does not serve {wanted}: {sighting.seen.serves}"
                raise NotFollowed(msg)
        if missing and (patient or without_any(expected)):
            raise Unreachable("; ".join(sighting.absent for sighting in missing))
        self.absent = [sighting.replica for sighting in absent(sightings)]

    @contextmanager
    def _step(self, step: str) -> Iterator[list[str]]:
        started, details = time.monotonic(), list[str]()
        if started > self._deadline:
            msg = f"{self._name}: the release held its lock for {LIMIT_S:g} s, before {step}"
            raise OutOfTime(msg)
        self._check_not_stopped()
        yield details
        check = Check(step=step, ms=round((time.monotonic() - started) * 1000, 2), detail="; ".join(details))
        self.checks = [*(other for other in self.checks if other.step != step), check]


def carry_out(release: Release, *, force: bool = False) -> None:
    """Make every step of an open release, without Prefect and without a second attempt at any."""
    release.snapshot(force=force)
    release.materialize()
    release.trial()
    release.load()
    release.ready()
    release.smoke()
    release.commit()
    release.switch(patient=False)
    release.confirm(patient=False)
    release.point_alias()
