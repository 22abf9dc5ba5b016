"""
The one way back: finish or undo the open release.

    before the commit                    drop the candidate; a claim that was never committed is void
    after it, a wrong or no answer       commit the state before of that one alias, then follow
    after it, no verdict (a crash)       forward if every replica that answers follows and passes the golden rows,
                                         and every engine has one; else back
    an operator's rollback, after it     forward unless a replica answers wrongly; silence brings back nothing
    after it, nobody can judge           RecoveryFailed: a 401, a rule, a missing block or an unreadable disk leaves the
                                         decision alone, and the next responder tries again

Only Broken condemns a digest, and only that of a release: a version that an operator goes back to was live.

Called by the release itself, by hooks, by the next release, by reconcile and by an operator; none of them has
logic of its own. Idempotent: kill it anywhere and call it again. Whoever calls it holds the model's lock.
"""

from contextlib import suppress
from dataclasses import dataclass

from interlock.clock import utc_stamp
from interlock.errors import (
    Broken,
    CorruptRecord,
    DeliveryError,
    NotFollowed,
    RecoveryFailed,
    Unreachable,
    Unreadable,
    Unwritable,
)
from interlock.records import Current, HistoryEntry, Journal, Outcome
from interlock.release.alias import point_alias
from interlock.release.engine import Engine, EngineFor, Sighting, check_follow, without_any
from interlock.release.environment import Environment
from interlock.release.registry import Registry
from interlock.store import Writer


@dataclass(frozen=True)
class Recovery:
    """What a recovery did, and the decision that holds now."""

    how: str
    current: Current


@dataclass(frozen=True)
class Back:
    """Why a committed release must be undone, and whether its digest is condemned for it."""

    why: str
    condemns: bool


def recover(writer: Writer, env: Environment, cause: BaseException | None = None) -> Recovery | None:
    """
    Finish or undo the open release of the writer's model; return what was done, None if there was nothing to do.

    Args:
        writer: Held by the caller.
        env: Its registry, where the alias goes back to, may be away: that never stops a recovery.
        cause: Why the release stopped, if anybody knows: Broken is a verdict on the candidate.

    Raises:
        RecoveryFailed: The journal stays open, so that the next responder tries again.
    """
    try:
        return _recover(writer, env, cause)
    except Exception as error:
        msg = (
            f"recovery of {writer.model} failed: {error}{_because(cause)}; the journal stays open, "
            "`interlock reconcile` tries again"
        )
        with suppress(Unwritable, Unreadable):  # a full or an unreadable disk may be why it failed
            writer.record_once("recovery failed", msg)
        raise RecoveryFailed(msg) from error


def _recover(writer: Writer, env: Environment, cause: BaseException | None) -> Recovery | None:
    rebuilt = _rebuild_current(writer)
    current = writer.store.current(writer.model)
    writer.void_claims_above(current.epoch)
    journal = _readable_journal(writer)
    if journal is None:
        return None if rebuilt is None else Recovery(rebuilt, current)
    if current.same_decision(journal.before):
        how = _undo_rehearsal(writer, journal, cause)
    elif current.release_id != journal.release_id:
        how = "overtaken by a later decision"
    else:
        engines = [env.engine_for(ref) for ref in journal.engines]
        back = _judged(writer, engines, current, journal, cause)
        how = _roll_back(writer, engines, journal, back) if back else _roll_forward(writer, journal)
        how += _alias_behind(writer, env.registry, journal.candidate.alias)
    _drop_candidate(journal, env.engine_for)
    writer.record(
        "recovery", f"{journal.candidate.model} v{journal.candidate.version}: {how}{_because(cause)}", journal
    )
    recovery = Recovery(how, writer.store.current(writer.model))
    writer.close_journal()
    return recovery


def _rebuild_current(writer: Writer) -> str | None:
    """
    Write a lost or unreadable current.json again from the newest claim; return what was done, None if nothing was.

    A claim is made only after the proof, so the newest one is a proven decision even if its commit did not happen;
    whether it may stay is then decided as after any crash.
    """
    try:
        writer.store.current(writer.model)
    except CorruptRecord as lost:
        newest = next(writer.store.entries(writer.model), None)
        rebuilt = newest.after if newest else Current.nothing(writer.model)
        writer.restore_current(rebuilt)
        writer.record("rebuilt", f"{lost}; now epoch {rebuilt.epoch}")
        return f"rebuilt the decision, epoch {rebuilt.epoch}"
    return None


def _readable_journal(writer: Writer) -> Journal | None:
    try:
        return writer.store.journal(writer.model)
    except CorruptRecord as error:
        writer.record("corrupt journal", str(error))
        writer.close_journal()
        return None


def _drop_candidate(journal: Journal, engine_for: EngineFor) -> None:
    """Let every engine forget it; one that cannot be found or asked now drops it at a pass of reconcile."""
    for ref in journal.engines:
        with suppress(DeliveryError):
            engine_for(ref).drop(journal.candidate.model, journal.candidate.alias)


def _undo_rehearsal(writer: Writer, journal: Journal, cause: BaseException | None) -> str:
    if isinstance(cause, Broken):
        _condemn(writer, journal, str(cause))
    _quarantine_if_refused(writer, journal)
    return "rolled back before the commit, nothing was exposed"


def _condemn(writer: Writer, journal: Journal, reason: str) -> None:
    """Refuse the candidate's digest from now on, unless it is a way back, or what serves."""
    if journal.kind == "release" and not _is_live(journal.before, journal):
        writer.refuse_digest(journal.candidate.sha256, journal.candidate.version, reason)


def _quarantine_if_refused(writer: Writer, journal: Journal) -> None:
    """Move a refused version away, unless it ever was live: such a one the machine never moves."""
    candidate = journal.candidate
    refusal = writer.store.refusal(candidate.model, candidate.sha256)
    if refusal and not _ever_live(writer, candidate.version):
        writer.quarantine(candidate.version, refusal.reason)


def _ever_live(writer: Writer, version: int) -> bool:
    decisions = (state for entry in writer.store.entries(writer.model) for state in (entry.after, entry.before))
    return any(variant.active_version == version for state in decisions for variant in state.variants.values())


def _is_live(current: Current, journal: Journal) -> bool:
    return journal.candidate.sha256 in {variant.sha256 for variant in current.variants.values()}


def _judged(
    writer: Writer, engines: list[Engine], current: Current, journal: Journal, cause: BaseException | None
) -> Back | None:
    """
    Return why the committed release must be undone, None if it may stay.

    Raises:
        DeliveryError: Nobody can tell, because a rule, a record or the disk says no.
    """
    if not current.same_decision(journal.after):
        newest = next(writer.store.entries(writer.model), None)
        return Back(newest.why, newest.condemns) if newest else Back("an earlier recovery decided so", condemns=False)
    if isinstance(cause, Broken | NotFollowed) or (isinstance(cause, Unreachable) and journal.kind == "release"):
        return Back(str(cause), isinstance(cause, Broken))
    try:
        sightings = [sighting for engine in engines for sighting in _proven(engine, current, journal)]
    except (Broken, NotFollowed) as error:
        return Back(str(error), isinstance(error, Broken))
    silent = without_any(sightings) if journal.kind == "release" else []  # an operator's way back waits for nobody
    return Back(f"no replica of {', '.join(silent)} answers", condemns=False) if silent else None


def _proven(engine: Engine, current: Current, journal: Journal) -> list[Sighting]:
    """Let the engine follow (it compares golden answers before it flips) and see that each answering replica did."""
    sightings = engine.follow(current)
    check_follow(sightings, current, journal.candidate.alias)
    return sightings


def leave_behind(writer: Writer, journal: Journal) -> None:
    """Refuse from now on what an operator went back from, so that no schedule undoes the operator."""
    if left := journal.left_behind:
        writer.refuse_digest(left.sha256, left.active_version, f"rolled back by {journal.run.who}: {journal.why}")


def _roll_forward(writer: Writer, journal: Journal) -> str:
    leave_behind(writer, journal)
    writer.forget_attempts(journal.candidate.sha256)
    account = _account_of(writer, journal)
    if account.outcome is Outcome.OPEN:
        writer.account(account.model_copy(update={"outcome": Outcome.RECOVERED}))
    return "rolled forward, every engine serves it"


def _roll_back(writer: Writer, engines: list[Engine], journal: Journal, back: Back) -> str:
    undone = _account_of(writer, journal)
    current = _commit_state_before(writer, journal, back)
    for engine in engines:  # at once: what is written below can wait, users cannot
        engine.follow(current)
    if back.condemns:
        _condemn(writer, journal, back.why)
    if journal.left_behind:
        writer.allow_digest(journal.left_behind.sha256)
    note = f"by epoch {current.epoch}: {back.why}"
    writer.account(undone.model_copy(update={"outcome": Outcome.UNDONE, "note": note}))
    return f"rolled back after the commit: {back.why}"


def _alias_behind(writer: Writer, registry: Registry, alias: str) -> str:
    """Point the alias at what is decided; a registry that is away or says no never stops a recovery."""
    try:
        point_alias(writer, registry, writer.store.current(writer.model), alias)
    except DeliveryError as error:
        return f"; alias {alias} pending ({error})"
    return ""


def _commit_state_before(writer: Writer, journal: Journal, back: Back) -> Current:
    now = writer.store.current(writer.model)
    if not now.same_decision(journal.after):
        return now
    alias = journal.candidate.alias
    epoch = writer.store.next_epoch(writer.model)
    after = now.having(alias, journal.before.variants.get(alias), epoch=epoch, release_id=journal.release_id)
    entry = HistoryEntry(
        epoch=after.epoch,
        release_id=journal.release_id,
        kind="rollback",
        run=journal.run,
        at_utc=utc_stamp(),
        why=f"undoes epoch {journal.after.epoch}: {back.why}",
        alias=journal.candidate.alias,
        outcome=Outcome.COMPLETED,
        condemns=back.condemns,
        before=now,
        after=after,
    )
    return writer.commit(now, entry)


def _account_of(writer: Writer, journal: Journal) -> HistoryEntry:
    """Return the claim with its checks; when it is lost or damaged, what the journal knows of it."""
    with suppress(CorruptRecord):
        if entry := writer.store.entry(writer.model, journal.after.epoch):
            return entry
    return HistoryEntry.of(journal, Outcome.OPEN)


def _because(cause: BaseException | None) -> str:
    return f" | {type(cause).__name__}: {cause}" if cause else ""
