"""
Hold the model's lock around a release or a rollback: recover what is open, carry on, undo it on any exception.

    released       a candidate that the registry knows
    rolled_back    an older version on disk; asks a release that holds the lock to stop
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from interlock.errors import CorruptRecord, DeliveryError, InvalidName, StaleEpoch, Unreadable
from interlock.records import Candidate, Current, EngineRef
from interlock.release.engine import Engine, EngineFor
from interlock.release.environment import Environment
from interlock.release.recover import recover
from interlock.release.rollback import Rollback, check_not_live, engines_of, target
from interlock.release.steps import Release
from interlock.store import Store, Writer

R = TypeVar("R", bound=Release)
STOP_WAIT_S = 30.0
"""How long a rollback waits for a release to stop."""


@contextmanager
def released(
    env: Environment,
    candidate: Candidate,
    engines: Sequence[Engine],
    *,
    why: str = "",
    force: bool = False,
    new_contract: bool = False,
    since: Current | None = None,
) -> Iterator[Release]:
    """
    Open a release, and undo it on any exception.

    Every engine that is enrolled already takes part, whichever ones *engines* names.

    Args:
        env: Where the release happens.
        candidate: What is released.
        engines: What it is released to; each is enrolled as it is given, also if it was enrolled otherwise before.
        why: For the record.
        force: Release bytes that failed before.
        new_contract: Release it also if it takes or gives something else than what is live.
        since: Refuse the release if the decision has changed since this one was read.

    Raises:
        StaleEpoch: Somebody decided after *since*; nothing was changed.
        DeliveryError: Why the release failed; the message names what serves now.
        Busy: Somebody else is changing this model.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    store = env.store
    with (
        _telling_what_serves(store, candidate.model, candidate.alias),
        Writer.locked(store, candidate.model, env.run) as writer,
    ):
        recover(writer, env)
        if since:
            check_same_decision(store.current(candidate.model), since)
        enrolled = store.current(candidate.model).variants.get(candidate.alias)
        taking_part = connected(engines, enrolled.engines if enrolled else (), env.engine_for)
        release = Release(env, writer, candidate, taking_part, why, force=force, new_contract=new_contract)
        with _undone_on_failure(env, release):
            yield release


@contextmanager
def rolled_back(
    env: Environment, model: str, alias: str, version: int | None, *, why: str, force: bool = False
) -> Iterator[Rollback]:
    """
    Open a rollback to *version*, or to the one before, and undo it on any exception.

    The target version is chosen before waiting for the lock, so stopping a running release cannot change it.

    Args:
        env: Where the rollback happens.
        model: Whose version goes back.
        alias: Under which it is live.
        version: The version to go back to; without it, the one that was live before.
        why: For the record.
        force: Also to a version that failed or was rolled back before.

    Raises:
        NotFound: The version is not on disk, was quarantined, or there is none before.
        AlreadyLive: It serves already; nothing was changed.
        Unreachable: No replica answers at all.
        DeliveryError: Why the rollback failed; the message names what serves now.
        Busy: Somebody held the lock and did not stop within 30 s; the message names who, and what ends that.
        RecoveryFailed: The way back failed too; the journal stays open for the next responder.
    """
    store = env.store
    with _telling_what_serves(store, model, alias):
        candidate = target(store, model, alias, version)
        with Writer.locked(store, model, env.run, wait_s=STOP_WAIT_S, interrupt=True) as writer:
            recover(writer, env)
            check_not_live(store.current(model), candidate)
            taking_part = connected([], engines_of(store, candidate), env.engine_for)
            with _undone_on_failure(env, Rollback(env, writer, candidate, taking_part, why, force=force)) as rollback:
                yield rollback


def check_same_decision(current: Current, since: Current) -> None:
    """
    Look whether *since* still is the decision.

    Raises:
        StaleEpoch: Somebody decided after it.
    """
    if not current.same_decision(since):
        msg = f"somebody decided meanwhile (epoch {current.epoch}), nothing was changed here"
        raise StaleEpoch(msg)


@contextmanager
def _undone_on_failure(env: Environment, release: R) -> Iterator[R]:
    engines = {engine.ref.key: engine for engine in release.engines}

    def known(ref: EngineRef) -> Engine:
        """The engines are known by now: Prefect's API, where blocks are, may be away when they are needed most."""
        return engines.get(ref.key) or env.engine_for(ref)

    try:
        yield release
        release.close()
    except BaseException as cause:
        recovery = recover(release.writer, replace(env, engine_for=known), cause)
        if not isinstance(cause, Exception):
            raise
        error = DeliveryError.of(cause)
        now = recovery.current if recovery else release.current
        error.serves, error.way_back = now.describe(release.candidate.alias), recovery.how if recovery else None
    else:
        return
    raise error


@contextmanager
def _telling_what_serves(store: Store, model: str, alias: str) -> Iterator[None]:
    """Let every failure name it, also of what is around the steps: the lock, an earlier release, the disk."""
    try:
        yield
    except InvalidName:
        raise
    except DeliveryError as error:
        if error.serves is None:
            error.serves = _serving(store, model, alias)
        raise


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
