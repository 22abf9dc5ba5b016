"""
Read the decision, and notice when current.json is not it.

    current.json    what is decided; written by the one rename that commits
    history/        who may have committed: a claim for every epoch, with the account of it

A commit cannot be overtaken by a late writer (`interlock.store.commit`). What puts an older decision back all the same
is a copy: a backup, a person, an older Interlock. The account of the newer one tells.
"""

from contextlib import suppress

from interlock.errors import CorruptRecord, Unreadable
from interlock.names import is_number
from interlock.records import Current, HistoryEntry, Journal, Outcome
from interlock.store.contents import names_in, read
from interlock.store.paths import ModelPaths


def decision(paths: ModelPaths) -> Current:
    """
    Return the decision; epoch 0 if there never was one.

    Raises:
        CorruptRecord: It is unreadable, lost though decisions were made or claimed, or older than one that was made.
        Unreadable: The disk does not let it read.
    """
    current = read(paths.current, Current)
    if (wrong := _why_not_the_decision(paths, current)) is not None:
        again = read(paths.current, Current)
        if again == current:  # else somebody decided while we looked
            msg = f"{paths.current} {wrong}; `interlock reconcile` rebuilds it"
            raise CorruptRecord(msg)
        current = again
    return current or Current.nothing(paths.model)


def epochs(paths: ModelPaths) -> list[int]:
    """Return the epochs that were claimed and not voided, oldest first."""
    stems = (name.removesuffix(".json") for name in names_in(paths.history))
    return sorted(int(stem) for stem in stems if is_number(stem))


def last_claimed(paths: ModelPaths) -> int:
    """Return the highest epoch that anybody ever claimed, also in vain; 0 if nobody did."""
    stems = (name.split(".")[0] for name in names_in(paths.history))
    return max((int(stem) for stem in stems if is_number(stem)), default=0)


def _why_not_the_decision(paths: ModelPaths, current: Current | None) -> str | None:
    if current is None:
        return "is lost" if epochs(paths) else None
    with suppress(Unreadable):  # whoever may read current.json only has the decision all the same
        above = [epoch for epoch in epochs(paths) if epoch > current.epoch]
        made = [epoch for epoch in above if _was_made(paths, epoch)]
        return f"says epoch {current.epoch}, although epoch {made[-1]} was decided" if made else None
    return None


def _was_made(paths: ModelPaths, epoch: int) -> bool:
    """Whether a claim has an account, and is not that of a commit that is under way."""
    with suppress(CorruptRecord):
        entry, journal = read(paths.entry(epoch), HistoryEntry), read(paths.journal, Journal)
        under_way = entry and journal and journal.release_id == entry.release_id
        return bool(entry and not under_way and entry.outcome is not Outcome.OPEN)
    return False
