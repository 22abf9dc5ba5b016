"""Bound what is kept: old versions and quarantined ones. An operator runs it; nothing else deletes a version."""

from collections.abc import Iterator
from pathlib import Path

from interlock.errors import Refused
from interlock.records import HistoryEntry, Variant
from interlock.release.environment import Environment
from interlock.release.recover import recover
from interlock.store import Store, Writer
from interlock.store.contents import is_folder, names_in, reading

LEAST = 2
"""The last live versions of an alias that always stay: the one that serves and the one to go back to."""


def prune(env: Environment, model: str, *, versions: int, failed: int) -> list[str]:
    """
    Remove what is older than the last *versions* live ones of each alias, and than the last *failed* quarantined ones.

    Args:
        env: Where it happens; what is open is recovered first.
        model: Its name.
        versions: How many versions that were live are kept for each alias, at least 2.
        failed: How many quarantined versions are kept.

    Returns:
        What was removed, relative to the repository.

    Raises:
        Refused: *versions* is below 2 or *failed* below 0.
        Busy: The model is being changed.
    """
    _check(versions, failed)
    with Writer.locked(env.store, model, env.run) as writer:
        recover(writer, env)
        removed = doomed(env.store, model, versions=versions, failed=failed)
        for folder in removed:
            writer.discard(env.store.root / folder)
        if removed:
            writer.record("pruned", f"{env.run.who}: {', '.join(removed)}")
    return removed


def doomed(store: Store, model: str, *, versions: int, failed: int) -> list[str]:
    """
    Return what `prune` would remove, relative to the repository; nothing is touched.

    Raises:
        Refused: *versions* is below 2 or *failed* below 0.
    """
    _check(versions, failed)
    folders = [*_old_versions(store, model, versions), *_old_failures(store, model, failed)]
    return [str(folder.relative_to(store.root)) for folder in folders]


def _check(versions: int, failed: int) -> None:
    if versions < LEAST or failed < 0:
        msg = f"keep at least {LEAST} versions and 0 quarantined ones, not {versions} and {failed}"
        raise Refused(msg)


def _old_versions(store: Store, model: str, keep: int) -> list[Path]:
    kept = _kept(store, model, keep)
    folders = [path for path in store.paths(model).version_folders() if is_folder(path) and int(path.name) not in kept]
    return sorted(folders, key=lambda path: (path.parent.name, int(path.name)))


def _kept(store: Store, model: str, keep: int) -> set[int]:
    """Return the last *keep* versions that were live under each alias, and as many that may still be gone back to."""
    kept = {variant.active_version for variant in store.current(model).variants.values()}
    lives, usable = dict[str, list[int]](), dict[str, list[int]]()
    for alias, variant in _lives([*store.entries(model)]):
        lives.setdefault(alias, []).append(variant.active_version)
        if store.refusal(model, variant.sha256) is None:
            usable.setdefault(alias, []).append(variant.active_version)
    return kept.union(*([*dict.fromkeys(versions)][:keep] for versions in (*lives.values(), *usable.values())))


def _lives(entries: list[HistoryEntry]) -> Iterator[tuple[str, Variant]]:
    """Yield what was live, newest first; a decision whose own entry was lost is told by the one after it."""
    told = {entry.epoch for entry in entries}
    for entry in entries:
        if not entry.undone and entry.alias in entry.after.variants:
            yield entry.alias, entry.after.variants[entry.alias]
        if entry.before.epoch not in told:
            yield from entry.before.variants.items()


def _old_failures(store: Store, model: str, keep: int) -> list[Path]:
    """Return what was quarantined long ago; what is no folder was put there by somebody else."""
    root = store.paths(model).failed
    folders = [path for name in names_in(root) if is_folder(path := root / name)]
    with reading(root):
        return sorted(folders, key=lambda path: path.lstat().st_mtime_ns, reverse=True)[keep:]
