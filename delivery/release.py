r"""
Everything between the state before and the state after.

    snapshot -> materialize -> load -> ready -> smoke -> COMMIT -> switch -> confirm -> alias -> close
        \____ before the commit: nothing was exposed ____/   \____ after it: forward, or the state before ____/

`released` takes the lock, recovers what a dead owner left open, and on any exception recovers at once.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from delivery.alias import point_alias
from delivery.clock import utc_stamp
from delivery.engine import Engine, EngineFor, Sighting, absent, without_any
from delivery.errors import Broken, ContractChanged, DigestRefused, OutOfTime, Unreachable, telling
from delivery.records import Candidate, Check, Current, HistoryEntry, Journal, Run, Variant
from delivery.recovery import recover
from delivery.registry import Registry
from delivery.store import Store, Writer

LIMIT_S = 120.0
"""How long a release may hold the model's lock."""


class Release:
    """
    One release of one candidate under one alias; its methods are its steps, in their order.

    Every step is idempotent, so that it can be retried. Only Unreachable is worth a retry.
    """

    def __init__(
        self, writer: Writer, candidate: Candidate, engines: Sequence[Engine], registry: Registry, run: Run, why: str
    ) -> None:
        """Made by `released`, inside the lock."""
        self.writer = writer
        self.candidate = candidate
        self.engines = engines
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
                msg = (
                    f"{self._name} holds bytes that failed before (v{refusal.version}, {refusal.at_utc}: "
                    f"{refusal.reason}); release with force=True to try them again"
                )
                raise DigestRefused(msg)
            if refusal:
                self.writer.allow_digest(self.candidate.sha256)
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

    def load(self) -> None:
        """Make the candidate answer pinned requests on every replica of every engine."""
        with self._step("load"):
            for engine in self.engines:
                engine.load(self.candidate)

    def ready(self) -> None:
        """Ask every replica whether it has the candidate."""
        with self._step("ready"):
            for engine in self.engines:
                engine.ready(self.candidate)

    def smoke(self) -> None:
        """Compare the candidate's answers to the golden rows, on every replica."""
        with self._step("smoke") as details:
            manifest = self.writer.store.manifest(self.candidate.model, self.candidate.version)
            details.extend(engine.smoke(self.candidate, manifest) for engine in self.engines)

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

    def point_alias(self) -> None:
        """Point the alias in the registry at what serves now."""
        with self._step("alias"):
            point_alias(self.writer, self.registry, self.current, self.candidate.alias)
        self.alias_pending = False

    def leave_alias_pending(self) -> None:
        """Accept that the registry is away; `reconcile` derives the alias from the decision."""
        self.alias_pending = True

    def close(self) -> None:
        """Forget the candidate, complete the account of the decision and forget the journal."""
        with self._step("close"):
            for engine in self.engines:
                engine.drop(self.candidate.model, self.candidate.alias)
            self.writer.account(self._entry(self.outcome))
            self.writer.close_journal()

    @property
    def outcome(self) -> str:
        """How the release ended, as a person reads it."""
        late = [f"degraded: {', '.join(self.absent)} did not answer"] if self.absent else []
        late += [f"alias {self.candidate.alias} pending"] if self.alias_pending else []
        return "; ".join(["completed", *late])

    @property
    def _name(self) -> str:
        return f"{self.candidate.model} v{self.candidate.version}"

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
            run=run,
            candidate=self.candidate,
            opened_at_utc=utc_stamp(),
            why=why,
            before=self.before,
            after=after.model_copy(update={"flow_run_id": run.flow_run_id}),
        )

    def _entry(self, outcome: str) -> HistoryEntry:
        return HistoryEntry(
            epoch=self.journal.after.epoch,
            release_id=self.journal.release_id,
            kind="release",
            run=self.journal.run,
            at_utc=self.journal.after.updated_at_utc,
            why=self.journal.why,
            alias=self.candidate.alias,
            outcome=outcome,
            checks=tuple(self.checks),
            before=self.before,
            after=self.journal.after,
        )

    def _settle(self, sightings: list[Sighting], *, patient: bool) -> None:
        """Every replica that answered must follow; absent ones are waited for while *patient*, then named."""
        missing = absent(sightings)
        for sighting in sightings:
            if sighting.seen and not sighting.follows(self.current, self.candidate.alias):
                expected = f"{self._name} of epoch {self.current.epoch}"
                msg = f"{sighting.replica} does not serve {expected}: {sighting.seen.serves}"
                raise Broken(msg)
        if missing and (patient or without_any(sightings)):
            raise Unreachable("; ".join(sighting.absent for sighting in missing))
        self.absent = [sighting.replica for sighting in missing]

    @contextmanager
    def _step(self, step: str) -> Iterator[list[str]]:
        started, details = time.monotonic(), list[str]()
        if started > self._deadline:
            msg = f"{self._name}: the release held its lock for {LIMIT_S:g} s, before {step}"
            raise OutOfTime(msg)
        yield details
        check = Check(step=step, ms=round((time.monotonic() - started) * 1000, 2), detail="; ".join(details))
        self.checks = [*(other for other in self.checks if other.step != step), check]


@contextmanager
def released(
    store: Store,
    candidate: Candidate,
    engines: Sequence[Engine],
    *,
    engine_for: EngineFor,
    registry: Registry,
    run: Run,
    why: str = "",
) -> Iterator[Release]:
    """
    Hold the model's lock around a release, and undo it on any exception.

    Every engine that is enrolled already takes part, whichever ones *engines* names.

    Raises:
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
        Busy: Somebody else is changing this model.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    with store.writer(candidate.model, run) as writer:
        recover(writer, engine_for, registry)
        release = Release(writer, candidate, _enrolled(store, candidate, engines, engine_for), registry, run, why)
        try:
            yield release
            release.close()
        except BaseException as cause:
            recovery = recover(writer, engine_for, registry, cause)
            if not isinstance(cause, Exception):
                raise
            how = f" ({recovery.how})" if recovery else ""
            raise telling(cause, f"{store.current(candidate.model).describe(candidate.alias)}{how}") from cause


def _enrolled(store: Store, candidate: Candidate, engines: Sequence[Engine], engine_for: EngineFor) -> list[Engine]:
    named = {engine.ref.key: engine for engine in engines}
    variant = store.current(candidate.model).variants.get(candidate.alias)
    others = [ref for ref in (variant.engines if variant else ()) if ref.key not in named]
    engines = [*named.values(), *(engine_for(ref) for ref in others)]
    return sorted(engines, key=lambda engine: not engine.leads)
