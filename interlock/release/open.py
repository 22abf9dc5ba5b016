"""
Hold the model's lock around a release or a rollback: recover what is open, carry on, undo it on any exception.

    released       a candidate that the registry knows
    rolled_back    an older version on disk; asks a release that holds the lock to stop
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from interlock.errors import CorruptRecord, DeliveryError, InvalidName, StaleEpoch, Unreadable, telling
from interlock.records import Candidate, Current, EngineRef, Run
from interlock.release.engine import Engine, EngineFor
from interlock.release.recover import recover
from interlock.release.registry import Registry
from interlock.release.rollback import Rollback, check_not_live, engines_of, target
from interlock.release.steps import Release
from interlock.store import Store, Writer

R = TypeVar("R", bound=Release)
STOP_WAIT_S = 30.0
"""How long a rollback waits for a release to stop."""


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
    since: Current | None = None,
) -> Iterator[Release]:
    """
    Open a release, and undo it on any exception.

    Every engine that is enrolled already takes part, whichever ones *engines* names.

    Args:
        store: The model repository.
        candidate: What is released.
        engines: What it is released to.
        engine_for: Finds the engines that records name.
        registry: Where the bytes come from, and the alias is.
        run: Who asks.
        why: For the record.
        since: The decision that the wish to release was judged by.

    Raises:
        StaleEpoch: Somebody decided after *since*; nothing was changed.
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
        Busy: Somebody else is changing this model.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    with (
        _telling_what_serves(store, candidate.model, candidate.alias),
        Writer.locked(store, candidate.model, run) as writer,
    ):
        recover(writer, engine_for, registry)
        if since:
            check_same_decision(store.current(candidate.model), since, candidate.alias)
        enrolled = store.current(candidate.model).variants.get(candidate.alias)
        taking_part = connected(engines, enrolled.engines if enrolled else (), engine_for)
        opened = Release(writer, candidate, taking_part, registry, run, why)
        with _undone_on_failure(opened, engine_for) as release:
            yield release


@contextmanager
def rolled_back(
    store: Store,
    model: str,
    alias: str,
    version: int | None,
    *,
    engine_for: EngineFor,
    registry: Registry,
    run: Run,
    why: str,
) -> Iterator[Rollback]:
    """
    Open a rollback to *version*, or to the one before, and undo it on any exception.

    Which one is before is decided now, not when a release that holds the lock has stopped.

    Raises:
        NotFound: The version is not on disk, was quarantined, or there is none before.
        AlreadyLive: It serves already; nothing was changed.
        Unreachable: No replica answers at all.
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
        Busy: Somebody held the lock and did not stop within 30 s; the message names who, and what ends that.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    with _telling_what_serves(store, model, alias):
        candidate = target(store, model, alias, version)
        with Writer.locked(store, model, run, wait_s=STOP_WAIT_S, interrupt=True) as writer:
            recover(writer, engine_for, registry)
            check_not_live(store.current(model), candidate)
            taking_part = connected([], engines_of(store, candidate), engine_for)
            opened = Rollback(writer, candidate, taking_part, registry, run, why)
            with _undone_on_failure(opened, engine_for) as rollback:
                yield rollback


def check_same_decision(current: Current, since: Current, alias: str) -> None:
    """
    Look whether *since* still is the decision.

    Raises:
        StaleEpoch: Somebody decided after it.
    """
    if not current.same_decision(since):
        msg = f"somebody decided meanwhile (epoch {current.epoch}), nothing was changed here: {current.describe(alias)}"
        raise StaleEpoch(msg)


@contextmanager
def _undone_on_failure(release: R, engine_for: EngineFor) -> Iterator[R]:
    engines = {engine.ref.key: engine for engine in release.engines}

    def known(ref: EngineRef) -> Engine:
        """The engines are known by now: Prefect's API, where blocks are, may be away when they are needed most."""
        return engines.get(ref.key) or engine_for(ref)

    try:
        yield release
        release.close()
    except BaseException as cause:
        recovery = recover(release.writer, known, release.registry, cause)
        if not isinstance(cause, Exception):
            raise
        how = f" ({recovery.how})" if recovery else ""
        now = recovery.current if recovery else release.current
        raise telling(cause, f"{now.describe(release.candidate.alias)}{how}") from cause


@contextmanager
def _telling_what_serves(store: Store, model: str, alias: str) -> Iterator[None]:
    """Let every failure name it, also of what is around the steps: the lock, an earlier release, the disk."""
    try:
        yield
    except InvalidName:
        raise
    except DeliveryError as error:
        told = telling(error, _serving(store, model, alias))
        if str(told) == str(error):
            raise
        raise told from error


def _serving(store: Store, model: str, alias: str) -> str:
    try:
        return store.current(model).describe(alias)
    except (CorruptRecord, Unreadable) as error:
        return f"what serves is not known: {error}"


def connected(engines: Sequence[Engine], enrolled: Sequence[EngineRef], engine_for: EngineFor) -> list[Engine]:
    """Return every engine that takes part, the named ones and the *enrolled* ones, those that lead first."""
    named = {engine.ref.key: engine for engine in engines}
    others = [engine_for(ref) for ref in enrolled if ref.key not in named]
    return sorted([*named.values(), *others], key=lambda engine: not engine.leads)
