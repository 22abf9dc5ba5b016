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
from interlock.release.environment import Environment
from interlock.store import Store
from interlock.store.contents import shown
from interlock.store.odd import check_no_link


class Disagreement(NamedTuple):
    """Something that is not as decided; *mendable* says whether a pass under the lock can change that."""

    what: str
    mendable: bool = True


@dataclass
class Survey:
    """One model as it is; *current* is None when the decision is unreadable."""

    model: str
    current: Current | None = None
    journal: Journal | None = None
    sightings: dict[tuple[str, str, str], Sighting] = field(default_factory=dict)
    aliases: dict[str, tuple[AliasState, int | None]] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)

    def disagree(self, what: str, *, mendable: bool = True) -> None:
        """Note what disagrees, once."""
        if what not in {known.what for known in self.disagreements}:
            self.disagreements.append(Disagreement(what, mendable))

    @property
    def cannot_follow(self) -> bool:
        """Whether a replica says that it cannot load what is decided: its bytes are looked at now, not in turn."""
        return any(sighting.seen and sighting.seen.failures for sighting in self.sightings.values())

    def note(self, sightings: Sequence[Sighting], current: Current) -> None:
        """Note what replicas serve, and where it is not what is decided."""
        for sighting in sightings:
            self.sightings[*sighting.engine.key, sighting.replica] = sighting
            if sighting.seen and (unlike := _unlike(sighting, sighting.seen, current)) is not None:
                self.disagree(f"{sighting.replica} {unlike}")
            if not sighting.seen and _is_enrolled(sighting.engine, current):
                self.disagree(f"{sighting.replica} does not answer: {sighting.absent}", mendable=False)


def survey(env: Environment, models: Sequence[str], audit: Collection[str]) -> list[Survey]:
    """
    Look at *models*; those of *audit* more closely.

    Args:
        env: An engine that cannot be found or asked is a disagreement. The registry is asked for the aliases of audited
            models, and for those that are known to be late.
        models: Names; a record that is unreadable is a disagreement, not an error.
        audit: Which models are looked at closely.
    """
    surveys = [_on_disk(env.store, model) for model in models]
    _ask_replicas(surveys, env.engine_for)
    registry_answers = True
    for seen in surveys:
        closely = seen.model in audit or seen.cannot_follow
        try:
            if closely and seen.current:
                _audit(env, seen, seen.current)
            if seen.current and registry_answers:
                registry_answers = _see_aliases(env, seen, seen.current, closely=closely)
        except Unreadable as error:
            seen.disagree(str(error))
    return surveys


def damaged(store: Store, current: Current) -> list[Variant]:
    """Return the variants whose bytes or manifest on disk are not the decided ones."""
    return [v for v in current.variants.values() if not store.is_intact(current.model, v.active_version, v.sha256)]


def engines_of(store: Store, current: Current, engine_for: EngineFor) -> list[Engine]:
    """
    Return the engines enrolled for this model, and those that may still hold a candidate of it.

    These are the ones that were enrolled before the last decision, and the ones of the last recovery.
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


def _on_disk(store: Store, model: str) -> Survey:
    seen = Survey(model)
    try:
        seen.current, seen.journal = store.current(model), store.journal(model)
    except DeliveryError as lost:
        seen.disagree(str(lost))
    if seen.journal:
        what, version, run = seen.journal.kind, seen.journal.candidate.version, seen.journal.run
        seen.disagree(
            f"the {what} of v{version} of {seen.journal.opened_at_utc} by {run.flow_run_name or run.who} is open"
        )
    try:
        check_no_link(*(folder for folder in store.paths(model).folders if folder != store.paths(model).staging))
    except (Unreadable, Unwritable) as odd:
        seen.disagree(str(odd), mendable=False)
    with suppress(Unreadable):  # what cannot be read is found above, or by the next pass
        if left := store.debris(model):
            seen.disagree(f"a killed writer left {', '.join(shown(path.name) for path in left)}")
    return seen


def _ask_replicas(surveys: Sequence[Survey], engine_for: EngineFor) -> None:
    by_model = {seen.model: seen for seen in surveys}
    for ref, currents in _followers([seen.current for seen in surveys if seen.current]):
        try:
            answers = engine_for(ref).survey(list(currents.values()))
        except DeliveryError as error:
            for model in currents:
                by_model[model].disagree(f"engine {ref.name} cannot be asked: {error}", mendable=False)
            continue
        for model, sightings in answers.items():
            by_model[model].note(sightings, currents[model])


def _followers(currents: Sequence[Current]) -> Iterable[tuple[EngineRef, dict[str, Current]]]:
    """Return every engine with the models that it follows."""
    followers: dict[tuple[str, str], tuple[EngineRef, dict[str, Current]]] = {}
    for current in currents:
        for ref in (ref for variant in current.variants.values() for ref in variant.engines):
            followers.setdefault(ref.key, (ref, {}))[1][current.model] = current
    return followers.values()


def _audit(env: Environment, seen: Survey, current: Current) -> None:
    for variant in damaged(env.store, current):
        seen.disagree(f"the bytes of v{variant.active_version} on disk are lost or damaged")
    try:
        for engine in engines_of(env.store, current, env.engine_for):
            known = [s for s in seen.sightings.values() if s.engine.key == engine.ref.key]
            if not known or any(sighting.seen for sighting in known):  # one that was silent just now is not asked again
                seen.note(engine.observe(seen.model), current)
    except DeliveryError as error:
        seen.disagree(f"its engines cannot be asked: {error}", mendable=False)


def _see_aliases(env: Environment, seen: Survey, current: Current, *, closely: bool) -> bool:
    """See what the aliases name; return whether the registry answers."""
    for alias in aliases_of(env.store, current):
        if closely or is_late(env.store, current, alias):
            state, names = seen.aliases[alias] = state_of(env.store, env.registry, current, alias)
            if state is not AliasState.AGREES:
                what = f"alias {alias} is {state.value} (names {names}, decided {current.version_of(alias)})"
                seen.disagree(what, mendable=state is not AliasState.UNKNOWN)
            elif is_late(env.store, current, alias):
                seen.disagree(f"alias {alias} names v{names}, which is not what we noted")
            if state is AliasState.UNKNOWN:
                return False
    return True


def _unlike(sighting: Sighting, seen: Seen, current: Current) -> str | None:
    """Return in which way a replica is not as decided, None if it is."""
    if seen.failures:
        failures = "; ".join(f"{alias}: {why}" for alias, why in seen.failures.items())
        return f"cannot follow epoch {current.epoch}: {failures}"
    if not agrees(sighting, current):
        return f"serves {_told(seen)}, decided is epoch {current.epoch}"
    return f"still holds candidates: {seen.staged}" if seen.staged else None


def _is_enrolled(engine: EngineRef, current: Current) -> bool:
    return any(variant.follows(*engine.key) for variant in current.variants.values())


def _told(seen: Seen) -> str:
    return ", ".join(f"{alias} v{served.version}" for alias, served in seen.serves.items()) or "nothing"
