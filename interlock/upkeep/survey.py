"""
Look at models without a lock: the decision, what each replica serves, what the aliases name, and what disagrees.

    on disk     every model, at every look
    survey      each replica once, for all models together
    audit       models that are named: digests of the bytes, golden answers, engines of before, aliases
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock.errors import DeliveryError, Unreadable, Unwritable
from interlock.records import Current, EngineRef, Journal, Variant
from interlock.release.alias import AliasState, is_late, state_of
from interlock.release.engine import Engine, EngineFor, Seen, Sighting
from interlock.release.registry import Registry
from interlock.store import Store
from interlock.store.contents import shown
from interlock.store.odd import check_no_link


class Finding(NamedTuple):
    """Something that disagrees with the decision; *mendable* says whether a pass under the lock can change that."""

    what: str
    mendable: bool = True


@dataclass
class View:
    """One model as it is; *current* is None when the decision is unreadable."""

    model: str
    current: Current | None = None
    journal: Journal | None = None
    sightings: dict[tuple[str, str, str], Sighting] = field(default_factory=dict)
    aliases: dict[str, tuple[AliasState, int | None]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def find(self, what: str, *, mendable: bool = True) -> None:
        """Note what disagrees, once."""
        if what not in {finding.what for finding in self.findings}:
            self.findings.append(Finding(what, mendable))

    @property
    def cannot_follow(self) -> bool:
        """Whether a replica says that it cannot load what is decided: its bytes are looked at now, not in turn."""
        return any(sighting.seen and sighting.seen.failures for sighting in self.sightings.values())

    def see(self, sightings: Sequence[Sighting], current: Current) -> None:
        """Note what replicas serve, and where it is not what is decided."""
        for sighting in sightings:
            self.sightings[*sighting.engine.key, sighting.replica] = sighting
            if sighting.seen and (unlike := _unlike(sighting, sighting.seen, current)):
                self.find(f"{sighting.replica} {unlike}")
            if not sighting.seen and _is_enrolled(sighting.engine, current):
                self.find(f"{sighting.replica} does not answer: {sighting.absent}", mendable=False)


def look(
    store: Store, models: Sequence[str], *, engine_for: EngineFor, registry: Registry, audit: Collection[str]
) -> list[View]:
    """
    Look at *models*; those of *audit* more closely.

    Args:
        store: The model repository.
        models: Names; a record that is unreadable is a finding, not an error.
        engine_for: Finds the engines that records name; one that cannot be found or asked is a finding.
        registry: Asked for the aliases of audited models, and for those that are known to be late.
        audit: Which models are looked at closely.
    """
    views = [_on_disk(store, model) for model in models]
    _survey(views, engine_for)
    registry_answers = True
    for view in views:
        closely = view.model in audit or view.cannot_follow
        try:
            if closely and view.current:
                _audit(store, view, view.current, engine_for)
            if view.current and registry_answers:
                registry_answers = _see_aliases(store, registry, view, view.current, closely=closely)
        except Unreadable as error:
            view.find(str(error))
    return views


def damaged(store: Store, current: Current) -> list[Variant]:
    """Return the variants whose bytes or manifest on disk are not the decided ones."""
    return [v for v in current.variants.values() if not store.is_intact(current.model, v.active_version, v.sha256)]


def engines_of(store: Store, current: Current, engine_for: EngineFor) -> list[Engine]:
    """
    Return every engine that follows the model, and those that may not know that they do not.

    These are the ones that did before the last decision, and the ones of the last recovery: one of them may not have
    heard that it must drop its candidate.
    """
    newest = next(store.entries(current.model), None)
    before = newest.before.variants.values() if newest else ()
    recovered = next((event.engines for event in store.events(current.model) if event.engines), ())
    followers = [ref for variant in (*before, *current.variants.values()) for ref in variant.engines]
    return [engine_for(ref) for ref in {ref.key: ref for ref in (*recovered, *followers)}.values()]


def agrees(sighting: Sighting, current: Current) -> bool:
    """Whether a replica that answers serves exactly what is decided, for every alias."""
    aliases = {*current.variants, *(sighting.seen.serves if sighting.seen else ())}
    return all(sighting.follows(current, alias) for alias in aliases)


def aliases_of(store: Store, current: Current) -> list[str]:
    """Return every alias that is decided, or that we wrote to and did not remove."""
    written = store.written_aliases(current.model)
    return sorted({*current.variants, *(alias for alias, versions in written.items() if versions)})


def _on_disk(store: Store, model: str) -> View:
    view = View(model)
    try:
        view.current, view.journal = store.current(model), store.journal(model)
    except DeliveryError as lost:
        view.find(str(lost))
    if view.journal:
        what, version, run = view.journal.kind, view.journal.candidate.version, view.journal.run
        view.find(f"the {what} of v{version} of {view.journal.opened_at_utc} by {run.flow_run_name or run.who} is open")
    try:
        check_no_link(*(folder for folder in store.paths(model).folders if folder != store.paths(model).staging))
    except (Unreadable, Unwritable) as odd:
        view.find(str(odd), mendable=False)
    with suppress(Unreadable):  # what cannot be read is found above, or by the next pass
        if left := store.debris(model):
            view.find(f"a killed writer left {', '.join(shown(path.name) for path in left)}")
    return view


def _survey(views: Sequence[View], engine_for: EngineFor) -> None:
    by_model = {view.model: view for view in views}
    for ref, currents in _followers([view.current for view in views if view.current]):
        try:
            seen = engine_for(ref).survey(list(currents.values()))
        except DeliveryError as error:
            for model in currents:
                by_model[model].find(f"engine {ref.name} cannot be asked: {error}", mendable=False)
            continue
        for model, sightings in seen.items():
            by_model[model].see(sightings, currents[model])


def _followers(currents: Sequence[Current]) -> Iterable[tuple[EngineRef, dict[str, Current]]]:
    """Return every engine with the models that it follows."""
    followers: dict[tuple[str, str], tuple[EngineRef, dict[str, Current]]] = {}
    for current in currents:
        for ref in (ref for variant in current.variants.values() for ref in variant.engines):
            followers.setdefault(ref.key, (ref, {}))[1][current.model] = current
    return followers.values()


def _audit(store: Store, view: View, current: Current, engine_for: EngineFor) -> None:
    for variant in damaged(store, current):
        view.find(f"the bytes of v{variant.active_version} on disk are lost or damaged")
    try:
        for engine in engines_of(store, current, engine_for):
            known = [s for s in view.sightings.values() if s.engine.key == engine.ref.key]
            if not known or any(sighting.seen for sighting in known):  # one that was silent just now is not asked again
                view.see(engine.observe(view.model), current)
    except DeliveryError as error:
        view.find(f"its engines cannot be asked: {error}", mendable=False)


def _see_aliases(store: Store, registry: Registry, view: View, current: Current, *, closely: bool) -> bool:
    """See what the aliases name; return whether the registry answers."""
    for alias in aliases_of(store, current):
        if closely or is_late(store, current, alias):
            state, names = view.aliases[alias] = state_of(store, registry, current, alias)
            if state is not AliasState.AGREES:
                what = f"alias {alias} is {state.value} (names {names}, decided {current.version_of(alias)})"
                view.find(what, mendable=state is not AliasState.UNKNOWN)
            elif is_late(store, current, alias):
                view.find(f"alias {alias} names v{names}, which is not what we noted")
            if state is AliasState.UNKNOWN:
                return False
    return True


def _unlike(sighting: Sighting, seen: Seen, current: Current) -> str:
    """Return in which way a replica is not as decided; empty if it is."""
    if seen.failures:
        failures = "; ".join(f"{alias}: {why}" for alias, why in seen.failures.items())
        return f"cannot follow epoch {current.epoch}: {failures}"
    if not agrees(sighting, current):
        return f"serves {_told(seen)}, decided is epoch {current.epoch}"
    return f"still holds candidates: {seen.staged}" if seen.staged else ""


def _is_enrolled(engine: EngineRef, current: Current) -> bool:
    return any(variant.follows(*engine.key) for variant in current.variants.values())


def _told(seen: Seen) -> str:
    return ", ".join(f"{alias} v{served.version}" for alias, served in seen.serves.items()) or "nothing"
