"""What runs, what is live, what each replica and the registry say of it, and everything that disagrees."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from interlock.errors import Unreadable
from interlock.records import HistoryEntry
from interlock.release.alias import AliasState
from interlock.release.engine import Sighting
from interlock.release.environment import Environment
from interlock.settings import Settings
from interlock.stack.processes import parts
from interlock.stack.supervisor import Supervisor
from interlock.store import Store
from interlock.store.contents import names_in
from interlock.store.lock import signature
from interlock.upkeep.history import damage, readable
from interlock.upkeep.survey import Disagreement, Survey, survey

TIMEOUT_S = 2.0
LAST = 5
"""How many decisions are shown."""
MB = 1_000_000
LEAST_ROOM = 200 * MB
ROOM_FOR = 3
"""How many releases of the largest version there must be room for."""


def parts_status(settings: Settings) -> list[tuple[str, str, str]]:
    """Return name, state and address of each part."""
    supervisor = Supervisor(settings)
    states = supervisor.states() if supervisor.is_running() else {}
    rows = []
    for part in parts(settings):
        state = states.get(part.name, "STOPPED").lower()
        healthy = part.health is None or _answers(part.health)
        rows.append((part.name, state if healthy else f"{state}, does not answer", part.health or ""))
    return rows


def surveys(env: Environment) -> list[Survey]:
    """Look closely at every model, and at its record."""
    models = env.store.models()
    found = survey(env, models, audit=models)
    for seen in found:
        for what in damage(env.store, seen.model):
            seen.disagree(what, mendable=False)
    return found


def room(store: Store) -> str | None:
    """Return that the repository's disk has too little room for some releases, None if it has enough."""
    root = next(folder for folder in (store.root, *store.root.parents) if folder.exists())
    free = shutil.disk_usage(root).free
    needed = max(LEAST_ROOM, ROOM_FOR * _largest(store))
    if free >= needed:
        return None
    return f"the disk of {store.root} has {free / MB:.0f} MB free, and the next releases may need {needed / MB:.0f} MB"


def _largest(store: Store) -> int:
    """Return the bytes of the largest version on disk."""
    folders = [folder for model in store.models() for folder in store.paths(model).version_folders()]
    return max((_size(folder) for folder in folders), default=0)


def _size(folder: Path) -> int:
    with suppress(OSError, Unreadable):  # pruned meanwhile, or nothing that a release made
        return sum((folder / name).lstat().st_size for name in names_in(folder))
    return 0


def told(env: Environment, seen: Survey) -> Iterator[str]:
    """Yield what is decided and what is so, for each alias, and the last decisions."""
    yield from _decided(seen)
    if (name := changing(env, seen)) is not None:
        yield f"  ~ under way, by {name}"
    disagreeing = disagrees(env, seen)
    for what in seen.disagreements:
        yield f"  {'!' if what in disagreeing else '~'} {what.what}"
    entries, _ = readable(env.store, seen.model)
    if entries:
        yield "  last decisions:"
        yield from (f"    {line(entry)}" for entry in reversed(entries[-LAST:]))


def disagrees(env: Environment, seen: Survey) -> list[Disagreement]:
    """Return what is wrong; while somebody is changing the model, what that may explain is not."""
    explained = changing(env, seen) is not None
    return [found for found in seen.disagreements if not (found.mendable and explained)]


def changing(env: Environment, seen: Survey) -> str | None:
    """Return which process of this machine holds the lock of a model whose release is open, None if none does."""
    lock = env.store.paths(seen.model).lock
    who = signature(env.store.paths(seen.model)) if seen.journal else None
    if who is None or who["host"] != socket.gethostname() or not _has_open(who["pid"], lock):
        return None
    return f"{who['flow_run_name'] or who['who']}, process {who['pid']}, since {who['since_utc']}"


def _has_open(pid: int, path: Path) -> bool:
    """Whether that process still lives and has *path* open, which the holder of a lock does until it lets go."""
    try:
        return str(path.resolve()) in {file.path for file in psutil.Process(pid).open_files()}
    except psutil.AccessDenied:
        return True  # it lives, and another user's files are not ours to see
    except psutil.Error:
        return False


def line(entry: HistoryEntry) -> str:
    """Return one decision as a person reads it: what, for whom, by whom, why, and how it ended."""
    change = f"{_version(entry.before.version_of(entry.alias))} -> {_version(entry.after.version_of(entry.alias))}"
    flow = f", {entry.run.flow_run_name} {entry.run.flow_run_id}" if entry.run.flow_run_id else ""
    return (
        f"{entry.epoch:>4} {entry.at_utc} {entry.kind} {entry.alias} {change} by {entry.run.who}{flow}: "
        f"{entry.why or 'no reason given'} ({entry.ended})"
    )


def _decided(seen: Survey) -> Iterator[str]:
    if seen.current is None:
        yield f"{seen.model}: the decision is unreadable"
        return
    if not seen.current.variants:
        yield f"{seen.model}: nothing serves (epoch {seen.current.epoch})"
    for alias, variant in sorted(seen.current.variants.items()):
        yield (
            f"{seen.model} {alias}: v{variant.active_version} (epoch {seen.current.epoch}, run {variant.run_id}, "
            f"previous {_version(variant.previous_version)})"
        )
        for sighting in seen.sightings.values():
            if variant.follows(*sighting.engine.key):
                engine = f"{sighting.engine.kind}/{sighting.engine.name}"
                yield f"    {engine} {sighting.replica}: {_serves(sighting, alias)}"
        yield f"    alias {alias} in MLflow: {_named(seen, alias)}"


def _serves(sighting: Sighting, alias: str) -> str:
    if sighting.seen is None:
        return "does not answer"
    served = sighting.seen.serves.get(alias)
    return f"v{served.version}" if served else "serves nothing"


def _named(seen: Survey, alias: str) -> str:
    state, names = seen.aliases.get(alias, (AliasState.UNKNOWN, None))
    return "unknown, MLflow does not say" if state is AliasState.UNKNOWN else f"{_version(names)}, {state.value}"


def _version(version: int | None) -> str:
    return f"v{version}" if version else "nothing"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=TIMEOUT_S).is_success
    except httpx.TransportError:
        return False
