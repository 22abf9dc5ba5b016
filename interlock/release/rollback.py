"""
An operator's way back: the steps of a release, with an older version that is on disk.

It needs the version's bytes and one replica: the registry may be away, and so may all other replicas, which follow
when they return. The version was live, so its answers are looked at and no stopwatch, and whatever goes wrong never
condemns it. The digest left behind is refused from the commit on, so that no schedule undoes the operator.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from interlock.errors import AlreadyLive, NotFound, Unreachable
from interlock.names import alias_name, version_number
from interlock.records import Candidate, Current, EngineRef, Kind, Variant
from interlock.release.engine import Engine
from interlock.release.environment import Environment
from interlock.release.recover import leave_behind
from interlock.release.steps import Release
from interlock.store import Store, Writer
from interlock.store.contents import is_there


class Rollback(Release):
    """A release of an older version; replicas that do not answer at its beginning are given up."""

    kind: ClassVar[Kind] = "rollback"
    timed: ClassVar[bool] = False

    def __init__(
        self,
        env: Environment,
        writer: Writer,
        candidate: Candidate,
        engines: Sequence[Engine],
        why: str,
        *,
        force: bool,
    ) -> None:
        """
        Made by `interlock.release.open`, inside the lock. A way back is taken also across a changed contract.

        Raises:
            Unreachable: No replica answers at all.
        """
        super().__init__(env, writer, candidate, engines, why, force=force, new_contract=True)
        present = [engine.present(candidate.model) for engine in engines]
        self.rehearsing = [there for there, _ in present]
        self.given_up = self.absent = [replica for _, missing in present for replica in missing]
        if not any(engine.replicas for engine in self.rehearsing):
            msg = f"no replica answers, so nobody can prove v{candidate.version}: {', '.join(self.given_up)}"
            raise Unreachable(msg)

    def trial(self) -> None:
        """Nothing is tried: the version was live."""

    def commit(self) -> Current:
        """Write the decision, and refuse from now on what it leaves behind."""
        current = super().commit()
        leave_behind(self.writer, self.journal)
        return current

    def _check_not_stopped(self) -> None:
        """What an operator decided is finished: a second operator who waits decides after it, nobody stays without."""
        if self.current is self.before:
            super()._check_not_stopped()


def target(store: Store, model: str, alias: str, version: int | None) -> Candidate:
    """
    Return *version*, or the one that was live before, as a candidate from what is on disk.

    Raises:
        NotFound: It is not on disk, was quarantined, or there is none before.
        InvalidName: The model name, the alias or the version number is not valid.
    """
    alias_name(alias)
    store.known(model)
    wanted = _before(store, model, alias) if version is None else version_number(version)
    if (why := _gone(store, model, wanted)) is not None:
        msg = f"{model} v{wanted} {why}"
        raise NotFound(msg)
    manifest = store.manifest(model, wanted)
    was_live = next((variant for variant in _lives(store, model) if variant.active_version == wanted), None)
    sha256 = was_live.sha256 if was_live else manifest.sha256
    return Candidate(model=model, alias=alias, version=wanted, run_id=manifest.run_id, sha256=sha256)


def check_not_live(current: Current, candidate: Candidate) -> None:
    """
    Look whether the candidate, or its very bytes, serve already.

    Raises:
        AlreadyLive: They do.
    """
    live = current.variants.get(candidate.alias)
    if live and candidate.sha256 == live.sha256:
        same = "" if candidate.version == live.active_version else f": v{live.active_version} holds the same bytes"
        msg = f"v{candidate.version} is live already, nothing was changed{same}"
        raise AlreadyLive(msg)


def engines_of(store: Store, candidate: Candidate) -> Sequence[EngineRef]:
    """Return the engines that follow the alias, or that did when it was last live."""
    live = store.current(candidate.model).variants.get(candidate.alias)
    variant = live or next(_lives(store, candidate.model, candidate.alias), None)
    return variant.engines if variant else ()


def _before(store: Store, model: str, alias: str) -> int:
    """Return the version that was live last, among those that are on disk and were not refused."""
    live = store.current(model).variants.get(alias)
    skipped: dict[int, str] = {}
    for variant in _lives(store, model, alias):
        if live and variant.sha256 == live.sha256:
            continue
        refusal = store.refusal(model, variant.sha256)
        why = f"is refused: {refusal.reason}" if refusal else _gone(store, model, variant.active_version)
        if why is None:
            return variant.active_version
        skipped[variant.active_version] = why
    others = "".join(f"; v{version} {why}" for version, why in skipped.items())
    msg = f"no earlier version of {model} {alias} can serve{others}"
    raise NotFound(msg)


def _lives(store: Store, model: str, alias: str | None = None) -> Iterator[Variant]:
    """Yield what was ever live, newest first."""
    for entry in store.entries(model):
        variant = entry.after.variants.get(entry.alias)
        if variant and alias in (None, entry.alias):
            yield variant


def _gone(store: Store, model: str, version: int) -> str | None:
    """Return why a version is not on disk, None if it is."""
    if is_there(store.paths(model).onnx(version)):
        return None
    if put_away := store.put_away(model, version):
        return f"was quarantined ({put_away.reason}) and is at {put_away.folder}"
    return f"is not in the model repository {store.root}"
