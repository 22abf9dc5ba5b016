"""
The invariants of a model after faults and one pass of reconcile, checked from outside.

    I2  the decision parses and its bytes are on disk      I6  the record is whole, epochs only rise
    I3  everything equals it; a second pass writes nothing  I8  no debris, no candidate left loaded
    I4  nothing that was live or failed is lost             I13 what is refused does not serve
    I5  nothing is open, and the lock can be taken
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from world.fakes import RUN

from interlock.errors import DeliveryError
from interlock.records import Current
from interlock.release.environment import Environment
from interlock.store import Store, Writer
from interlock.store.contents import names_in
from interlock.upkeep import history
from interlock.upkeep.reconcile import Reconciler, Report
from interlock.upkeep.survey import agrees, aliases_of, engines_of

KNOWN = {
    "current.json",
    "lock",
    "history",
    "events",
    "refused",
    "attempts",
    "registry.json",
    "failed",
    "odd",
    ".staging",
}
THE_BYTES = {"model.onnx", "manifest.json"}
IN_A_VERSION = THE_BYTES | {"trial.json"}


@dataclass(frozen=True)
class Rest:
    """
    A model at rest.

    Args:
        moved: Aliases that somebody moved by hand: reported, not touched.
    """

    env: Environment
    model: str
    current: Current
    moved: Collection[str] = ()

    @property
    def store(self) -> Store:
        return self.env.store


Rule = Callable[[Rest], Iterator[str]]


def pass_of_reconcile(env: Environment, model: str = "best_model") -> Report:
    (report,) = Reconciler(env).reconcile([model])
    return report


def tree(store: Store) -> dict[str, int]:
    """Every file but the lock, which names its last holder, with its time of change."""
    files = (path for path in store.root.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path): path.stat().st_mtime_ns for path in files}


def violations(
    env: Environment, model: str = "best_model", *, rules: Collection[Rule] | None = None, moved: Collection[str] = ()
) -> Iterator[str]:
    """Yield every invariant that does not hold."""
    try:
        at = Rest(env, model, env.store.current(model), moved)
    except DeliveryError as error:
        yield f"I2: the decision cannot be read: {error}"
        return
    for rule in rules or RULES:
        try:
            yield from rule(at)
        except (DeliveryError, OSError) as error:
            yield f"{rule.__name__}: {error!r}"


def bytes_are_there(at: Rest) -> Iterator[str]:
    for variant in at.current.variants.values():
        if not at.store.is_intact(at.model, variant.active_version, variant.sha256):
            yield f"I2: v{variant.active_version} is decided and its bytes are not on disk"


def engines_follow(at: Rest) -> Iterator[str]:
    for engine in engines_of(at.store, at.current, at.env.engine_for):
        for sighting in engine.observe(at.model):
            if not agrees(sighting, at.current):
                yield f"I3: {sighting.replica} is not at epoch {at.current.epoch}: {sighting.seen or sighting.absent}"
            if sighting.seen and sighting.seen.staged:
                yield f"I8: {sighting.replica} still holds {sighting.seen.staged}"


def aliases_name_it(at: Rest) -> Iterator[str]:
    for alias in sorted({*aliases_of(at.store, at.current)} - {*at.moved}):
        named = at.env.registry.alias(at.model, alias)
        if named != at.current.version_of(alias):
            yield f"I3: alias {alias} names {named}, decided is {at.current.version_of(alias)}"


def nothing_is_lost(at: Rest) -> Iterator[str]:
    lives = {(v.active_version, v.sha256) for e in at.store.entries(at.model) for v in e.after.variants.values()}
    for version, sha256 in lives:
        if not at.store.is_intact(at.model, version, sha256):
            yield f"I4: v{version} was live and is not on disk"
    failed = at.store.paths(at.model).failed
    for name in names_in(failed):
        if not {*names_in(failed / name)} >= THE_BYTES:  # of who failed in the trial there is no report
            yield f"I4: {name} lost its files"


def nothing_is_open(at: Rest) -> Iterator[str]:
    if journal := at.store.journal(at.model):
        yield f"I5: the {journal.kind} of v{journal.candidate.version} is open"
    with Writer.locked(at.store, at.model, RUN):
        pass


def record_is_whole(at: Rest) -> Iterator[str]:
    yield from (f"I6: {what}" for what in history.damage(at.store, at.model))


def no_debris(at: Rest) -> Iterator[str]:
    paths = at.store.paths(at.model)
    left = at.store.debris(at.model)
    left += [name for name in names_in(paths.releases) if name not in KNOWN]
    left += [name for name in names_in(paths.versions) if not (name.isdigit() or name == "config.pbtxt")]
    yield from (f"I8: {name} is debris" for name in left)
    for folder in paths.version_folders():
        if more := {*names_in(folder)} - IN_A_VERSION:
            yield f"I8: {folder} holds {sorted(more)}"


def refused_is_not_live(at: Rest) -> Iterator[str]:
    for variant in at.current.variants.values():
        if refusal := at.store.refusal(at.model, variant.sha256):
            yield f"I13: v{variant.active_version} serves and is refused: {refusal.reason}"


def a_second_pass_writes_nothing(at: Rest) -> Iterator[str]:
    before = tree(at.store)
    again = pass_of_reconcile(at.env, at.model)
    moved = [what for what in again.found if "moved by hand" in what]
    if again.done or len(moved) > len(at.moved) or moved != again.found:
        yield f"I3: a second pass finds something: {again.told}"
    changed = {Path(name).name for name, _ in tree(at.store).items() ^ before.items()}
    if changed:
        yield f"I3: a second pass writes {sorted(changed)}"


RULES: tuple[Rule, ...] = (
    bytes_are_there,
    engines_follow,
    aliases_name_it,
    nothing_is_lost,
    record_is_whole,
    no_debris,
    refused_is_not_live,
    a_second_pass_writes_nothing,
    nothing_is_open,  # takes the lock, so it is last
)

AFTER_DAMAGE: tuple[Rule, ...] = (
    bytes_are_there,
    engines_follow,
    aliases_name_it,
    no_debris,
    a_second_pass_writes_nothing,
    nothing_is_open,
)
"""What holds though somebody damaged the record and versions that do not serve, and others were pruned."""
