"""
Make everything equal the decision.

    look    without a lock (`interlock.upkeep.survey`)
    mend    under the lock, only where something was found: recover, restore bytes, follow, drop, sweep, point

A pass that finds nothing writes nothing. Runs without Prefect.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from interlock.errors import Busy, DeliveryError
from interlock.records import Candidate, Current, Run
from interlock.release.alias import AliasState, is_late, point_alias, state_of
from interlock.release.engine import Engine
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.recover import recover
from interlock.release.steps import carry_out
from interlock.store import Writer
from interlock.upkeep.survey import Survey, agrees, aliases_of, damaged, engines_of, survey


class AliasPolicy(Enum):
    """What is done about an alias that somebody moved by hand in the registry."""

    REPORT = "report"
    RESTORE = "restore"
    RELEASE = "release"


@dataclass
class Report:
    """
    What one pass over one model found, and what it did about it.

    Args:
        busy: Somebody else is changing the model; it is looked at again later.
        audited: Whether bytes, golden answers and aliases were looked at too; without that, nothing is said of them.
        left_by: Whose release was open.
        failed: What was to be done did not work.
    """

    model: str
    found: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    busy: Busy | None = None
    failed: bool = False
    audited: bool = True
    left_by: Run | None = None

    @property
    def told(self) -> str:
        """The report as a person reads it."""
        whole = "everything equals" if self.audited else "replicas serve, as far as this pass looked,"
        found = "; ".join(self.found) or f"{whole} the decision"
        did = "; ".join(self.done) or "nothing done" if self.busy is None else str(self.busy)
        return f"{self.model}: {found} -> {did}" if self.found else f"{self.model}: {found}"


@dataclass(frozen=True)
class Reconciler:
    """
    Passes over many models with the same means.

    Args:
        policy: What is done about an alias that was moved by hand.
    """

    env: Environment
    policy: AliasPolicy = AliasPolicy.REPORT

    def reconcile(self, models: Sequence[str], audit: Collection[str] | None = None) -> list[Report]:
        """
        Make every reachable replica and the aliases we own equal the decisions of *models*.

        A model that is being released is left alone: its report is *busy*. One that fails does not stop the others.

        Args:
            models: Which ones.
            audit: Which of them are also audited: digests, golden answers, aliases. Without it, all.
        """
        closely = models if audit is None else audit
        return [self._reconcile(seen, audited=seen.model in closely) for seen in survey(self.env, models, closely)]

    def _reconcile(self, seen: Survey, *, audited: bool) -> Report:
        left_by = seen.journal.run if seen.journal else None
        found = [disagreement.what for disagreement in seen.disagreements]
        report = Report(seen.model, found, audited=audited, left_by=left_by)
        moved = [alias for alias, (state, _) in seen.aliases.items() if state is AliasState.MOVED]
        mendable = any(disagreement.mendable for disagreement in seen.disagreements)
        try:
            if mendable or (moved and self.policy is AliasPolicy.RESTORE):
                self._mend_under_lock(seen.model, report)
            if self.policy is AliasPolicy.RELEASE:
                report.done += [self._release(seen.model, alias, seen.aliases[alias][1]) for alias in moved]
        except Busy as busy:
            report.busy = busy
        except DeliveryError as error:
            report.found.append(str(error))
            report.failed = True
        return report

    def _mend_under_lock(self, model: str, report: Report) -> None:
        with Writer.locked(self.env.store, model, self.env.run) as writer:
            with suppress(DeliveryError):  # bytes first: a recovery needs them where a replica was restarted
                report.done.extend(self._restore(writer))
            if recovery := recover(writer, self.env):
                report.done.append(recovery.how)
            for mend in (_sweep, self._restore, self._follow, self._point):
                try:
                    report.done.extend(mend(writer))
                except DeliveryError as error:
                    report.found.append(str(error))
                    report.failed = True
            if report.done:
                writer.record("reconciled", "; ".join(report.done))

    def _restore(self, writer: Writer) -> Iterator[str]:
        for variant in damaged(writer.store, writer.store.current(writer.model)):
            version = variant.active_version
            candidate = Candidate(
                model=writer.model, alias=variant.alias, version=version, run_id=variant.run_id, sha256=variant.sha256
            )
            writer.restore(candidate, partial(self.env.registry.fetch, candidate))
            yield f"fetched the bytes of v{version} again"

    def _follow(self, writer: Writer) -> Iterator[str]:
        current = writer.store.current(writer.model)
        for engine in engines_of(writer.store, current, self.env.engine_for):
            yield from _mend_engine(engine, current)

    def _point(self, writer: Writer) -> Iterator[str]:
        current = writer.store.current(writer.model)
        for alias in aliases_of(writer.store, current):
            yield from self._mend_alias(writer, current, alias)

    def _mend_alias(self, writer: Writer, current: Current, alias: str) -> Iterator[str]:
        state, names = state_of(writer.store, self.env.registry, current, alias)
        mendable = (
            {AliasState.PENDING, AliasState.MOVED} if self.policy is AliasPolicy.RESTORE else {AliasState.PENDING}
        )
        if state in mendable:
            point_alias(writer, self.env.registry, current, alias)
            decided = current.version_of(alias)
            yield f"alias {alias} names {f'v{decided}' if decided else 'nothing'} again, not v{names}"
        elif state is AliasState.AGREES and is_late(writer.store, current, alias):
            writer.note_alias(alias, [names] if names else [])
            yield f"noted again that alias {alias} names {f'v{names}' if names else 'nothing'}"

    def _release(self, model: str, alias: str, wanted: int | None) -> str:
        """Take a hand-moved alias as the wish that its version go live."""
        if wanted is None:
            return f"alias {alias} was removed by hand: nothing to release"
        candidate = self.env.registry.candidate(model, alias, wanted)
        with released(self.env, candidate, [], why=f"alias {alias} was moved to v{wanted} by hand") as release:
            carry_out(release)
        return f"released v{wanted}, which alias {alias} was moved to by hand"


def _sweep(writer: Writer) -> Iterator[str]:
    if swept := writer.sweep():
        yield f"swept {', '.join(swept)}"


def _mend_engine(engine: Engine, current: Current) -> Iterator[str]:
    sightings = engine.observe(current.model)
    for alias in {alias for sighting in sightings if sighting.seen for alias in sighting.seen.staged}:
        engine.drop(current.model, alias)
        yield f"{engine.ref.name} dropped the candidate of {alias}"
    if any(sighting.seen and not agrees(sighting, current) for sighting in sightings):
        engine.follow(current)
        yield f"{engine.ref.name} follows epoch {current.epoch} again"
