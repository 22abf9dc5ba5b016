"""
What a process does to a repository while faults hit it: the real store, the real clients, over the wire.

    release     v2 over v1, or v1 over nothing
    slow        a release whose smoke test says no: its answers come too late
    broken      a release whose engine refuses to follow after the commit, so that it goes back
    rollback    an operator's, to the version before
    reconcile   one pass
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from world.engines import serving_engine
from world.fakes import RUN

from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.adapters.serving.engine import ServingReplica
from interlock.errors import Broken
from interlock.records import Current, EngineRef
from interlock.release.engine import Engine, Seen
from interlock.release.environment import Environment
from interlock.release.open import released, rolled_back
from interlock.release.steps import carry_out
from interlock.store import Store
from interlock.upkeep.reconcile import Reconciler

MODEL = "best_model"
ALIAS = "A"
ENGINE = "dev"


@dataclass(frozen=True)
class Place:
    """Where everything is: the repository's root, the URLs of the serving app and of the registry, the app's token."""

    root: str
    app: str
    registry_url: str
    token: str

    @property
    def told(self) -> dict[str, str]:
        """What makes the same place elsewhere."""
        return {"root": self.root, "app": self.app, "registry_url": self.registry_url, "token": self.token}

    @cached_property
    def store(self) -> Store:
        return Store(Path(self.root))

    @cached_property
    def registry(self) -> MlflowRegistry:
        return MlflowRegistry(self.registry_url)

    def engine_for(self, ref: EngineRef | None = None) -> Engine:
        return serving_engine(ENGINE, [self.app], self.token)

    @property
    def env(self) -> Environment:
        return Environment(self.store, self.registry, self.engine_for, RUN)


class Stubborn(ServingReplica):
    """Does not follow to v2, and says so."""

    def follow(self, current: Current) -> Seen:
        if current.version_of(ALIAS) == 2:
            raise Broken(f"{self.address} does not want v2")
        return super().follow(current)


def release(place: Place, version: int = 2, engine: Engine | None = None) -> str:
    candidate = place.registry.candidate(MODEL, ALIAS, version)
    with released(place.env, candidate, [engine or place.engine_for()]) as run:
        carry_out(run)
    return run.account.ended


def first(place: Place) -> str:
    return release(place, version=1)


def slow(place: Place) -> str:
    return release(place, engine=serving_engine(ENGINE, [place.app], place.token, latency_budget_ms=1e-6))


def broken(place: Place) -> str:
    engine = place.engine_for()
    (replica,) = engine.replicas
    stubborn = Stubborn(replica.client, replica.name, replica.latency_budget_ms)
    return release(place, engine=replace(engine, replicas=[stubborn]))


def rollback(place: Place) -> str:
    with rolled_back(place.env, MODEL, ALIAS, None, why="an operator said so") as run:
        carry_out(run)
    return run.account.ended


def reconcile(place: Place) -> str:
    (report,) = Reconciler(place.env).reconcile([MODEL])
    return report.told


ACTS: dict[str, Callable[[Place], str]] = {
    act.__name__: act for act in (release, first, slow, broken, rollback, reconcile)
}
