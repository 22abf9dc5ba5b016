"""
Make everything equal the decision.

    findings without a lock: an open journal, a lost decision, staging, engines that drifted, candidates, aliases
    mend     under the lock, only when something was found: recover, follow, drop, sweep, point

A pass that finds nothing writes nothing. Runs without Prefect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from delivery.alias import AliasState, point_alias, state_of
from delivery.engine import Engine, EngineFor, Sighting
from delivery.errors import Busy, CorruptRecord, DeliveryError
from delivery.records import Current, EngineRef, Run
from delivery.recovery import recover
from delivery.registry import Registry
from delivery.store import Store, Writer


@dataclass
class Report:
    """What one pass over one model found, and what it did about it."""

    model: str
    found: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    busy: str = ""
    failed: bool = False


def reconcile(store: Store, model: str, *, engine_for: EngineFor, registry: Registry, run: Run) -> Report:
    """
    Make every reachable replica and the alias we own equal the decision.

    A model that is being released is left alone: the report is *busy*. An alias that was moved by hand is found
    and not touched.

    Raises:
        RecoveryFailed: An open release could be neither finished nor undone.
        Unwritable: The repository is read-only or full.
    """
    found = list(findings(store, model, engine_for, registry))
    report = Report(model, found=[finding.what for finding in found])
    if not any(finding.mendable for finding in found):
        return report
    try:
        with store.writer(model, run) as writer:
            report.done = list(_mend(writer, engine_for, registry))
            if report.done:
                writer.record("reconciled", "; ".join(report.done))
    except Busy as busy:
        report.busy = str(busy)
    return report


class Finding(NamedTuple):
    """Something that disagrees with the decision; *mendable* says whether a pass under the lock can change that."""

    what: str
    mendable: bool = True


def findings(store: Store, model: str, engine_for: EngineFor, registry: Registry) -> Iterator[Finding]:
    """Look without a lock, and yield everything that disagrees with the decision."""
    try:
        current, journal = store.current(model), store.journal(model)
    except CorruptRecord as lost:
        yield Finding(str(lost))
        return
    if journal:
        yield Finding(f"the release of v{journal.candidate.version} of {journal.opened_at_utc} is open")
    if any(store.paths(model).staging.glob("*")):
        yield Finding("staging is not empty")
    for engine in _engines(current, engine_for):
        yield from _drift(engine.observe(model), current)
    yield from _late_aliases(store, registry, current)


def _late_aliases(store: Store, registry: Registry, current: Current) -> Iterator[Finding]:
    for alias in _aliases(store, current):
        state, names = state_of(store, registry, current, alias)
        if state is not AliasState.AGREES:
            what = f"alias {alias} is {state.value} (names {names}, decided {current.version_of(alias)})"
            yield Finding(what, mendable=state is AliasState.PENDING)


def _mend(writer: Writer, engine_for: EngineFor, registry: Registry) -> Iterator[str]:
    recovery = recover(writer, engine_for, registry)
    if recovery:
        yield recovery.how
    if swept := writer.sweep():
        yield f"swept {', '.join(swept)}"
    current = writer.store.current(writer.model)
    for engine in _engines(current, engine_for):
        yield from _mend_engine(engine, current)
    for alias in _aliases(writer.store, current):
        yield from _mend_alias(writer, registry, current, alias)


def _mend_engine(engine: Engine, current: Current) -> Iterator[str]:
    sightings = engine.observe(current.model)
    for alias in {alias for sighting in sightings if sighting.seen for alias in sighting.seen.staged}:
        engine.drop(current.model, alias)
        yield f"{engine.ref.name} dropped the candidate of {alias}"
    if any(sighting.seen and not _agrees(sighting, current) for sighting in sightings):
        engine.follow(current)
        yield f"{engine.ref.name} follows epoch {current.epoch} again"


def _mend_alias(writer: Writer, registry: Registry, current: Current, alias: str) -> Iterator[str]:
    if state_of(writer.store, registry, current, alias)[0] is AliasState.PENDING:
        try:
            point_alias(writer, registry, current, alias)
        except DeliveryError as error:
            yield f"alias {alias} stays pending: {error}"
        else:
            yield f"alias {alias} names v{current.version_of(alias)} again"


def _drift(sightings: list[Sighting], current: Current) -> Iterator[Finding]:
    for sighting in sightings:
        if sighting.seen is None:
            yield Finding(f"{sighting.replica} does not answer: {sighting.absent}", mendable=False)
        elif not _agrees(sighting, current):
            yield Finding(f"{sighting.replica} serves {sighting.seen.serves}, decided is epoch {current.epoch}")
        elif sighting.seen.staged:
            yield Finding(f"{sighting.replica} still holds candidates: {sighting.seen.staged}")


def _agrees(sighting: Sighting, current: Current) -> bool:
    aliases = {*current.variants, *(sighting.seen.serves if sighting.seen else ())}
    return all(sighting.follows(current, alias) for alias in aliases)


def _aliases(store: Store, current: Current) -> list[str]:
    return sorted(
        {*current.variants, *(alias for alias, wrote in store.written_aliases(current.model).items() if wrote)}
    )


def _engines(current: Current, engine_for: EngineFor) -> list[Engine]:
    refs: dict[tuple[str, str], EngineRef] = {}
    for variant in current.variants.values():
        refs |= {ref.key: ref for ref in variant.engines}
    return [engine_for(ref) for ref in refs.values()]
