"""Ask the engines of a release before anything is trained: one that is away then will be away at the rehearsal too."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.errors import CorruptRecord, Refused, Unreachable
from interlock.records import EngineRef
from interlock.release.engine import Engine, Sighting, absent
from interlock.release.environment import Environment
from interlock.release.open import connected
from interlock.store import Store


@dataclass(frozen=True)
class Answers:
    """What every replica said, and the first no: an engine that serves another model, or a wrong token."""

    seen: list[Sighting]
    refusal: Refused | None = None

    def check(self) -> None:
        """
        Look whether a release can be made.

        Raises:
            Refused: An engine says no.
            Unreachable: A replica does not answer.
        """
        if self.refusal:
            raise self.refusal
        if away := absent(self.seen):
            raise Unreachable("; ".join(str(sighting.absent) for sighting in away))


def ask(env: Environment, model: str, alias: str, engines: Sequence[Engine], *, patient: bool) -> Answers:
    """
    Ask every engine that a release of *model* under *alias* takes to: those named, and those enrolled.

    Raises:
        Unreachable: A replica does not answer, and *patient*: it is worth asking again.
    """
    enrolled = _enrolled(env.store, model, alias)
    answers = [_ask(engine, model) for engine in connected(engines, enrolled, env.engine_for)]
    refusal = next((answer.refusal for answer in answers if answer.refusal), None)
    together = Answers([sighting for answer in answers for sighting in answer.seen], refusal)
    if patient and not refusal:
        together.check()
    return together


def _ask(engine: Engine, model: str) -> Answers:
    try:
        return Answers(engine.observe(model))
    except Refused as no:
        return Answers([Sighting(engine.ref, replica.address, absent=no) for replica in engine.replicas], no)


def _enrolled(store: Store, model: str, alias: str) -> Sequence[EngineRef]:
    try:
        variant = store.current(model).variants.get(alias)
    except CorruptRecord:  # the release rebuilds it, and asks for itself
        return ()
    return variant.engines if variant else ()
