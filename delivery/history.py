"""The record of a model's decisions, and whether it is whole: every one parses, and each continues the one before."""

from collections.abc import Iterator
from itertools import pairwise

from delivery.errors import CorruptRecord, Unreadable
from delivery.records import HistoryEntry
from delivery.store import Store


def damage(store: Store, model: str) -> Iterator[str]:
    """Yield what is wrong with the record; nothing if it is whole."""
    readable: list[HistoryEntry] = []
    try:
        for epoch in store.epochs(model):
            try:
                if entry := store.entry(model, epoch):
                    readable.append(entry)
            except CorruptRecord as lost:
                yield str(lost)
        yield from _breaks(readable)
        yield from _unlike_now(store, model, readable)
    except Unreadable as unknown:
        yield str(unknown)


def _breaks(readable: list[HistoryEntry]) -> Iterator[str]:
    for older, newer in pairwise(readable):
        if not newer.before.same_decision(older.after):
            yield f"epoch {newer.epoch} does not continue epoch {older.epoch}: it was decided upon {newer.before.epoch}"


def _unlike_now(store: Store, model: str, record: list[HistoryEntry]) -> Iterator[str]:
    try:
        current = store.current(model)
    except CorruptRecord as lost:
        yield str(lost)
        return
    if record and record[-1].after != current:
        yield f"current.json says epoch {current.epoch}, which is not the newest decision on record, {record[-1].epoch}"
    try:
        settled = store.journal(model) is None
    except CorruptRecord as lost:
        yield str(lost)
        return
    if settled:
        yield from (f"epoch {entry.epoch} has no outcome" for entry in record if entry.outcome == "open")
