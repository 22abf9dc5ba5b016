"""Where releases happen and who asks for them: what every release, rollback and pass of upkeep works with."""

from dataclasses import dataclass

from interlock.records import Run
from interlock.release.engine import EngineFor
from interlock.release.registry import Registry
from interlock.store import Store


@dataclass(frozen=True)
class Environment:
    """
    The means of a release.

    Made from settings by `interlock.environment`, and from Prefect's blocks by `blocks.environment`. What is done in it
    is a function that takes it first, because the functions of release and upkeep build on one another.

    Args:
        store: The model repository.
        registry: Where the bytes of a candidate come from, and where the alias is.
        engine_for: Finds the engine that an enrolment names.
        run: Who asks; for the record.
    """

    store: Store
    registry: Registry
    engine_for: EngineFor
    run: Run
