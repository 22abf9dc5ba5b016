"""
Un-enrol an engine that was replaced or taken away: a decision of its own, after which no release asks for it.

The version stays what it is. The engine is told if it still answers, so that it stops serving; the others follow.
"""

from contextlib import suppress
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import DeliveryError, LastEngine, NotFound
from interlock.records import Current, EngineRef, HistoryEntry, Outcome, Run, Variant
from interlock.release.engine import EngineFor
from interlock.release.environment import Environment
from interlock.release.recover import recover
from interlock.store import Writer


def unenrol(env: Environment, model: str, key: tuple[str, str], *, force: bool, why: str) -> list[str]:
    """
    Take the engine *key*, kind and name, from every alias that it follows; return those aliases.

    Raises:
        NotFound: It follows none; the message names those that are enrolled.
        LastEngine: It is the last engine of an alias, and not *force*.
        Busy: Somebody else is changing this model.
    """
    with Writer.locked(env.store, model, env.run) as writer:
        recover(writer, env)
        leaving = _leaving(env.store.current(model), key, force=force)
        for variant in leaving:
            _decide(writer, variant, key, env.run, why)
        _follow(env.store.current(model), [ref for variant in leaving for ref in variant.engines], env.engine_for)
    return [variant.alias for variant in leaving]


def _leaving(current: Current, key: tuple[str, str], *, force: bool) -> list[Variant]:
    leaving = [variant for variant in current.variants.values() if variant.follows(*key)]
    if not leaving:
        enrolled = sorted({"/".join(ref.key) for variant in current.variants.values() for ref in variant.engines})
        msg = f"{'/'.join(key)} is not enrolled for {current.model}; there are {', '.join(enrolled) or 'none'}"
        raise NotFound(msg)
    last = [variant.alias for variant in leaving if len(variant.engines) == 1]
    if last and not force:
        msg = f"{'/'.join(key)} is the last engine of {current.model} {', '.join(last)}: nobody would serve it"
        raise LastEngine(msg)
    return leaving


def _decide(writer: Writer, variant: Variant, key: tuple[str, str], run: Run, why: str) -> None:
    before, release_id = writer.store.current(writer.model), uuid4().hex
    stay = tuple(ref for ref in variant.engines if ref.key != key)
    after = before.having(
        variant.alias,
        variant.model_copy(update={"engines": stay}),
        epoch=writer.store.next_epoch(writer.model),
        release_id=release_id,
    )
    entry = HistoryEntry(
        epoch=after.epoch,
        release_id=release_id,
        kind="release",
        run=run,
        at_utc=utc_stamp(),
        why=f"un-enrols {'/'.join(key)}: {why or 'no reason given'}",
        alias=variant.alias,
        outcome=Outcome.COMPLETED,
        before=before,
        after=after.model_copy(update={"flow_run_id": run.flow_run_id}),
    )
    writer.commit(before, entry)


def _follow(current: Current, refs: list[EngineRef], engine_for: EngineFor) -> None:
    """Let everybody follow who answers; whoever does not is seen to by the next pass of reconcile, or is gone."""
    for ref in {ref.key: ref for ref in refs}.values():
        with suppress(DeliveryError):
            engine_for(ref).follow(current)
