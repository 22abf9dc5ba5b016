"""The record of a model's decisions, and whether it is whole: every one parses, and each continues the one before."""

from collections.abc import Iterator
from itertools import pairwise

from interlock.errors import DeliveryError
from interlock.records import HistoryEntry, Outcome
from interlock.store import Store


def readable(store: Store, model: str) -> tuple[list[HistoryEntry], list[str]]:
    """Return the decisions that can be read, oldest first, and what keeps the others from being read."""
    entries: list[HistoryEntry] = []
    lost: list[str] = []
    try:
        epochs = store.epochs(model)
    except DeliveryError as error:
        return [], [str(error)]
    for epoch in epochs:
        try:
            if entry := store.entry(model, epoch):
                entries.append(entry)
        except DeliveryError as error:
            lost.append(str(error))
    return entries, lost


def damage(store: Store, model: str) -> Iterator[str]:
    """Yield what is wrong with the record; nothing if it is whole."""
    entries, lost = readable(store, model)
    yield from lost
    for older, newer in pairwise(entries):
        if not newer.before.same_decision(older.after):
            yield f"epoch {newer.epoch} does not continue epoch {older.epoch}: it was decided upon {newer.before.epoch}"
    yield from _unlike_now(store, model, entries)


def _unlike_now(store: Store, model: str, record: list[HistoryEntry]) -> Iterator[str]:
    try:
        current, journal = store.current(model), store.journal(model)
    except DeliveryError as lost:
        yield str(lost)
        return
    if record and record[-1].after != current:
        yield f"current.json says epoch {current.epoch}, which is not the newest decision on record, {record[-1].epoch}"
    if journal is None:
        yield from (f"epoch {entry.epoch} has no outcome" for entry in record if entry.outcome is Outcome.OPEN)
