"""What runs, what is live, what each replica and the registry say of it, and everything that disagrees."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import typer

from interlock.cli.output import show_table
from interlock.errors import Unreadable
from interlock.records import HistoryEntry, Variant
from interlock.release.alias import AliasState
from interlock.release.engine import Sighting
from interlock.release.environment import Environment
from interlock.settings import Settings
from interlock.stack.processes import processes
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
RUNNING = "running"


@dataclass(frozen=True)
class ProcessStatus:
    """One process of the local stack, and whether it answers."""

    name: str
    state: str
    address: str


@dataclass(frozen=True)
class ReplicaStatus:
    """One replica; *serves* is a version, None for nothing."""

    engine: str
    address: str
    answers: bool
    serves: int | None

    @property
    def says(self) -> str:
        """What it serves, as a person reads it."""
        if not self.answers:
            return "does not answer"
        return f"v{self.serves}" if self.serves else "serves nothing"


@dataclass(frozen=True)
class AliasStatus:
    """What is decided for one alias, and what replicas and the registry say of it."""

    alias: str
    version: int
    run_id: str
    previous_version: int | None
    replicas: tuple[ReplicaStatus, ...]
    registry_names: int | None
    registry: AliasState

    @property
    def registry_says(self) -> str:
        """What the registry's alias names, as a person reads it."""
        if self.registry is AliasState.UNKNOWN:
            return "unknown, MLflow does not say"
        return f"{_version(self.registry_names)}, {self.registry.value}"


@dataclass(frozen=True)
class Decision:
    """One decision of the record."""

    epoch: int
    at_utc: str
    kind: str
    alias: str
    before: int | None
    after: int | None
    who: str
    flow_run_name: str | None
    flow_run_id: str | None
    why: str
    outcome: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> "Decision":
        """Return what people are shown of an entry."""
        return cls(
            entry.epoch,
            entry.at_utc,
            entry.kind,
            entry.alias,
            entry.before.version_of(entry.alias),
            entry.after.version_of(entry.alias),
            entry.run.who,
            entry.run.flow_run_name,
            entry.run.flow_run_id,
            entry.why,
            entry.ended,
        )

    @property
    def cells(self) -> tuple[object, ...]:
        """The decision as a row of a table whose columns are `DECISION`."""
        change = f"{_version(self.before)} -> {_version(self.after)}"
        by = self.who + (f", {self.flow_run_name} {self.flow_run_id}" if self.flow_run_id else "")
        return self.epoch, self.at_utc, self.kind, self.alias, change, by, self.outcome, self.why or "no reason given"


DECISION = ("epoch", "at", "what", "alias", "change", "by", "outcome", "why")


@dataclass(frozen=True)
class ModelStatus:
    """
    One model.

    Args:
        epoch: Of the decision; None where it is unreadable.
        changed_by: The process of this machine that is releasing it.
        wrong: What disagrees.
        explained: What disagrees while it is being changed, and may by that.
    """

    model: str
    epoch: int | None
    aliases: tuple[AliasStatus, ...]
    changed_by: str | None
    wrong: tuple[str, ...]
    explained: tuple[str, ...]
    decisions: tuple[Decision, ...]

    def show(self) -> None:
        """Print it."""
        for line in self.lines():
            typer.echo(line)
        if self.decisions:
            typer.echo("  last decisions:")
            show_table(DECISION, (decision.cells for decision in self.decisions), indent=4)

    def lines(self) -> Iterator[str]:
        """Yield what is decided and what is so, as a person reads it."""
        if self.epoch is None:
            yield f"{self.model}: the decision is unreadable"
        elif not self.aliases:
            yield f"{self.model}: nothing serves (epoch {self.epoch})"
        for alias in self.aliases:
            facts = f"epoch {self.epoch}, run {alias.run_id}, previous {_version(alias.previous_version)}"
            yield f"{self.model} {alias.alias}: v{alias.version} ({facts})"
            yield from (f"    {replica.engine} {replica.address}: {replica.says}" for replica in alias.replicas)
            yield f"    alias {alias.alias} in MLflow: {alias.registry_says}"
        if self.changed_by is not None:
            yield f"  ~ under way, by {self.changed_by}"
        yield from (f"  ! {what}" for what in self.wrong)
        yield from (f"  ~ {what}" for what in self.explained)


@dataclass(frozen=True)
class Status:
    """Everything that `interlock status` says."""

    environment: str
    repository: str
    processes: tuple[ProcessStatus, ...]
    room: str | None
    models: tuple[ModelStatus, ...]

    @property
    def is_well(self) -> bool:
        """Whether everything runs and agrees."""
        runs = all(process.state == RUNNING for process in self.processes)
        return runs and self.room is None and not any(model.wrong for model in self.models)

    def show(self) -> None:
        """Print it."""
        show_table(("process", "state", "address"), ((p.name, p.state, p.address) for p in self.processes))
        if self.room is not None:
            typer.echo(f"  ! {self.room}")
        for model in self.models:
            model.show()


def status_of(settings: Settings, env: Environment) -> Status:
    """Look closely at every process, every model and its record."""
    running = tuple(_processes(settings))
    models = tuple(model_status(env, seen) for seen in surveys(env))
    return Status(settings.environment, str(env.store.root), running, room(env.store), models)


def surveys(env: Environment) -> list[Survey]:
    """Look closely at every model, and at its record."""
    models = env.store.models()
    found = survey(env, models, audit=models)
    for seen in found:
        for what in damage(env.store, seen.model):
            seen.disagree(what, mendable=False)
    return found


def model_status(env: Environment, seen: Survey) -> ModelStatus:
    """Return what is decided and what is so of one model; while it is changed, what that may explain is not wrong."""
    changed_by = changing(env, seen)
    wrong = [found for found in seen.disagreements if not (found.mendable and changed_by is not None)]
    entries, _ = readable(env.store, seen.model)
    variants = sorted(seen.current.variants.items()) if seen.current else []
    return ModelStatus(
        seen.model,
        seen.current.epoch if seen.current else None,
        tuple(_alias(seen, alias, variant) for alias, variant in variants),
        changed_by,
        _words(wrong),
        _words([found for found in seen.disagreements if found not in wrong]),
        tuple(Decision.of(entry) for entry in reversed(entries[-LAST:])),
    )


def room(store: Store) -> str | None:
    """Return that the repository's disk has too little room for some releases, None if it has enough."""
    root = next(folder for folder in (store.root, *store.root.parents) if folder.exists())
    free = shutil.disk_usage(root).free
    needed = max(LEAST_ROOM, ROOM_FOR * _largest(store))
    if free >= needed:
        return None
    return f"the disk of {store.root} has {free / MB:.0f} MB free, and the next releases may need {needed / MB:.0f} MB"


def changing(env: Environment, seen: Survey) -> str | None:
    """Return which process of this machine holds the lock of a model whose release is open, None if none does."""
    lock = env.store.paths(seen.model).lock
    who = signature(env.store.paths(seen.model)) if seen.journal else None
    if who is None or who["host"] != socket.gethostname() or not _has_open(who["pid"], lock):
        return None
    return f"{who['flow_run_name'] or who['who']}, process {who['pid']}, since {who['since_utc']}"


def _processes(settings: Settings) -> Iterator[ProcessStatus]:
    supervisor = Supervisor(settings)
    states = supervisor.states() if supervisor.is_running() else {}
    for process in processes(settings):
        state = states.get(process.name, "STOPPED").lower()
        healthy = process.health is None or _answers(process.health)
        yield ProcessStatus(process.name, state if healthy else f"{state}, does not answer", process.health or "")


def _alias(seen: Survey, alias: str, variant: Variant) -> AliasStatus:
    replicas = (_replica(s, alias) for s in seen.sightings.values() if variant.follows(*s.engine.key))
    state, names = seen.aliases.get(alias, (AliasState.UNKNOWN, None))
    return AliasStatus(
        alias, variant.active_version, variant.run_id, variant.previous_version, tuple(replicas), names, state
    )


def _replica(sighting: Sighting, alias: str) -> ReplicaStatus:
    served = sighting.seen.serves.get(alias) if sighting.seen else None
    engine = "/".join(sighting.engine.key)
    return ReplicaStatus(engine, sighting.replica, sighting.seen is not None, served.version if served else None)


def _words(disagreements: list[Disagreement]) -> tuple[str, ...]:
    return tuple(found.what for found in disagreements)


def _largest(store: Store) -> int:
    """Return the bytes of the largest version on disk."""
    folders = [folder for model in store.models() for folder in store.paths(model).version_folders()]
    return max((_size(folder) for folder in folders), default=0)


def _size(folder: Path) -> int:
    with suppress(OSError, Unreadable):  # pruned meanwhile, or nothing that a release made
        return sum((folder / name).lstat().st_size for name in names_in(folder))
    return 0


def _has_open(pid: int, path: Path) -> bool:
    """Whether that process still lives and has *path* open, which the holder of a lock does until it lets go."""
    try:
        return str(path.resolve()) in {file.path for file in psutil.Process(pid).open_files()}
    except psutil.AccessDenied:
        return True  # it lives, and another user's files are not ours to see
    except psutil.Error:
        return False


def _version(version: int | None) -> str:
    return f"v{version}" if version else "nothing"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=TIMEOUT_S).is_success
    except httpx.TransportError:
        return False
