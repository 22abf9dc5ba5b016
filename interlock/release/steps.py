r"""
The steps between the state before and the state after. `open` opens a release and undoes it on failure.

`STEPS` is the one list of them; how each is made, at once or as a retried task of Prefect, is said to `carry_out`.

    snapshot -> materialize -> trial -> load -> ready -> smoke -> COMMIT -> switch -> confirm -> alias -> close
        \________ before the commit: nothing was exposed ________/   \____ after it: forward, or the state before ____/
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import ContractChanged, DeliveryError, DigestRefused, NotFollowed, OutOfTime, Unreachable
from interlock.model.trial import Limits, Trial, try_out
from interlock.records import (
    DEFAULT_BUDGET_MS,
    Candidate,
    Check,
    Current,
    HistoryEntry,
    Journal,
    Kind,
    Outcome,
    Run,
    Variant,
)
from interlock.release.alias import point_alias
from interlock.release.engine import Engine, Sighting, absent, without_any
from interlock.release.environment import Environment
from interlock.store import Writer

LIMIT_S = 120.0
"""How long a release may hold the model's lock."""


class Release:
    """
    One release of one candidate under one alias; its methods are its steps, in their order.

    Every step is idempotent, so that it can be retried. Only Unreachable is worth a retry. Every step raises
    OutOfTime when the lock was held for too long, and Stopped when an operator's rollback waits for it.

    Args:
        patient: Whether the running step will be tried again: until then a replica that does not answer is waited for.
    """

    kind: ClassVar[Kind] = "release"
    timed: ClassVar[bool] = True
    try_out = staticmethod(try_out)

    def __init__(
        self,
        env: Environment,
        writer: Writer,
        candidate: Candidate,
        engines: Sequence[Engine],
        why: str,
        *,
        force: bool,
        new_contract: bool = False,
    ) -> None:
        """Made by `interlock.release.open`, inside the lock."""
        self.writer = writer
        self.force = force
        self.new_contract = new_contract
        self.patient = False
        self.candidate = candidate
        self.engines = engines
        self.rehearsing = engines
        self.given_up: list[str] = []
        self.registry = env.registry
        self.before = writer.store.current(candidate.model)
        self.journal = self._plan(env.run, why)
        self.current = self.before
        self.checks: list[Check] = []
        self.absent: list[str] = []
        self.alias_pending: DeliveryError | None = None
        self._deadline = time.monotonic() + LIMIT_S

    def snapshot(self) -> None:
        """
        Write down the state before and after, before the first side effect.

        Raises:
            DigestRefused: These bytes failed before, and nobody forces them.
        """
        with self._step("snapshot"):
            refusal = self.writer.store.refusal(self.candidate.model, self.candidate.sha256)
            if refusal and not self.force:
                msg = f"{self._name} holds {refusal.told_of(self.candidate.version)}"
                raise DigestRefused(msg)
            if self.force:
                self.writer.allow_digest(self.candidate.sha256)
                self.writer.forget_attempts(self.candidate.sha256)
            self.writer.open_journal(self.journal)

    def materialize(self) -> None:
        """
        Put the version into the model repository, checked against its digest.

        Raises:
            DigestMismatch: The registry's bytes are not the trained ones.
            ContractChanged: It takes or gives something else than what is live, and nobody said that this is wanted.
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
            self.current = self.writer.commit(self.before, HistoryEntry.of(self.journal, Outcome.OPEN, self.checks))
        return self.current

    def switch(self) -> None:
        """Let every engine follow the decision; a replica that stays away is named, not waited for."""
        with self._step("switch"):
            self._settle([s for engine in self.engines for s in engine.follow(self.current)])

    def confirm(self) -> None:
        """Look whether every replica serves the decision."""
        with self._step("confirm"):
            self._settle([s for engine in self.engines for s in engine.observe(self.candidate.model)])

    def point_alias(self) -> None:
        """Point the alias at what serves now; a registry that is away or says no leaves it pending for `reconcile`."""
        with self._step("alias") as details:
            try:
                point_alias(self.writer, self.registry, self.current, self.candidate.alias)
            except DeliveryError as error:
                self.alias_pending = error
                details.append(f"pending: {error}")

    def close(self) -> None:
        """Forget the candidate, complete the account of the decision and forget the journal."""
        with self._step("close"):
            for engine in self.engines:
                engine.drop(self.candidate.model, self.candidate.alias)
            self.writer.account(self.account)
            self.writer.forget_attempts(self.candidate.sha256)
            self.writer.close_journal()

    @property
    def late(self) -> list[str]:
        """What is not yet as decided, as a person reads it."""
        late = [f"degraded: {', '.join(self.absent)} did not answer"] if self.absent else []
        return late + ([f"alias {self.candidate.alias} pending"] if self.alias_pending is not None else [])

    @property
    def account(self) -> HistoryEntry:
        """The decision with its checks, as it is written down when everything went well."""
        return HistoryEntry.of(self.journal, Outcome.COMPLETED, self.checks, "; ".join(self.late))

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
        old = store.manifest(self.candidate.model, live.active_version).signature
        new = store.manifest(self.candidate.model, self.candidate.version).signature
        changes = new.told_from(old)
        if changes is None:
            return
        if not self.new_contract:
            msg = f"clients of v{live.active_version} would find {self._name} changed: {changes}"
            raise ContractChanged(msg)
        why = "; ".join(filter(None, [self.journal.why, f"new contract: {changes}"]))
        self.journal = self.journal.model_copy(update={"why": why})

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

    def _settle(self, sightings: list[Sighting]) -> None:
        """Every replica that answered must follow; absent ones are waited for while patient, then named."""
        expected = [sighting for sighting in sightings if sighting.replica not in self.given_up]
        missing = absent(expected)
        for sighting in sightings:
            if sighting.seen and not sighting.follows(self.current, self.candidate.alias):
                wanted = f"{self._name} of epoch {self.current.epoch}"
                msg = f"{sighting.replica} does not serve {wanted}: {sighting.seen.serves}"
                raise NotFollowed(msg)
        if missing and (self.patient or without_any(expected)):
            raise Unreachable("; ".join(str(sighting.absent) for sighting in missing))
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


@dataclass(frozen=True)
class Step:
    """
    One step of a release or a rollback.

    Args:
        name: That of the method of `Release` that makes it.
        retried: Whether it is worth another attempt when nobody answered.
    """

    name: str
    retried: bool = True

    def make(self, release: Release) -> None:
        """Make the step."""
        getattr(release, self.name)()


STEPS = (
    Step("snapshot"),
    Step("materialize"),
    Step("trial", retried=False),
    Step("load"),
    Step("ready"),
    Step("smoke"),
    Step("commit"),
    Step("switch"),
    Step("confirm"),
    Step("point_alias", retried=False),
)


def carry_out(release: Release, make: Callable[[Step, Release], None] = Step.make) -> None:
    """Make every step of an open release or rollback, in order; *make* says how, by default at once and only once."""
    for step in STEPS:
        make(step, release)
