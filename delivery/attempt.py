"""
Hold the model's lock around a release or a rollback: recover what is open, carry on, undo it on any exception.

    released       a candidate that the registry knows
    rolled_back    an older version on disk; asks a release that holds the lock to stop
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from delivery.engine import Engine, EngineFor
from delivery.errors import DeliveryError, telling
from delivery.records import Candidate, EngineRef, Run
from delivery.recovery import recover
from delivery.registry import Registry
from delivery.release import Release
from delivery.rollback import Rollback, check_not_live, engines_of, target
from delivery.store import Store, Writer

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
) -> Iterator[Release]:
    """
    Open a release, and undo it on any exception.

    Every engine that is enrolled already takes part, whichever ones *engines* names.

    Raises:
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
        Busy: Somebody else is changing this model.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    with store.writer(candidate.model, run) as writer:
        recover(writer, engine_for, registry)
        enrolled = store.current(candidate.model).variants.get(candidate.alias)
        with _telling_what_serves(writer, candidate.alias):
            taking_part = _connected(engines, enrolled.engines if enrolled else (), engine_for)
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
    candidate = target(store, model, alias, version)
    with store.writer(model, run, wait_s=STOP_WAIT_S, interrupt=True) as writer:
        recover(writer, engine_for, registry)
        check_not_live(store.current(model), candidate)
        with _telling_what_serves(writer, alias):
            taking_part = _connected([], engines_of(store, candidate), engine_for)
            opened = Rollback(writer, candidate, taking_part, registry, run, why)
        with _undone_on_failure(opened, engine_for) as rollback:
            yield rollback


@contextmanager
def _telling_what_serves(writer: Writer, alias: str) -> Iterator[None]:
    """Nothing was begun, so nothing is undone; an engine that cannot be found or answers nonsense is told as ever."""
    try:
        yield
    except DeliveryError as error:
        raise telling(error, writer.store.current(writer.model).describe(alias)) from error


@contextmanager
def _undone_on_failure(release: R, engine_for: EngineFor) -> Iterator[R]:
    engines = {engine.ref.key: engine for engine in release.engines}

    def connected(ref: EngineRef) -> Engine:
        """The engines are known by now: Prefect's API, where blocks are, may be away when they are needed most."""
        return engines.get(ref.key) or engine_for(ref)

    try:
        yield release
        release.close()
    except BaseException as cause:
        recovery = recover(release.writer, connected, release.registry, cause)
        if not isinstance(cause, Exception):
            raise
        candidate = release.candidate
        how = f" ({recovery.how})" if recovery else ""
        now = release.writer.store.current(candidate.model).describe(candidate.alias)
        raise telling(cause, f"{now}{how}") from cause


def _connected(engines: Sequence[Engine], enrolled: Sequence[EngineRef], engine_for: EngineFor) -> list[Engine]:
    named = {engine.ref.key: engine for engine in engines}
    others = [engine_for(ref) for ref in enrolled if ref.key not in named]
    return sorted([*named.values(), *others], key=lambda engine: not engine.leads)
