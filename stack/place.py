"""Store, registry and engines of an environment, without Prefect: what the operator's verbs and the loop work with."""

from dataclasses import dataclass, field

from adapters.mlflow_registry import MlflowRegistry
from adapters.serving_api import serving_engine
from adapters.triton import servers_of, triton_engine
from blocks.settings import Settings
from delivery.engine import Engine
from delivery.errors import NotFound
from delivery.reconcile import AliasPolicy, Reconciler
from delivery.records import SERVING_API, TRITON, EngineRef, Run
from delivery.store import Store


@dataclass(frozen=True)
class Place:
    """Where an environment's things are."""

    store: Store
    registry: MlflowRegistry
    token: str = field(repr=False)
    triton_key: str = field(repr=False)

    def engine_for(self, ref: EngineRef) -> Engine:
        """
        Return the engine *ref* at the addresses that it was enrolled with.

        Raises:
            NotFound: Nobody knows that kind.
        """
        if ref.kind == SERVING_API:
            return serving_engine(ref.name, ref.urls, self.token, latency_budget_ms=ref.latency_budget_ms)
        if ref.kind == TRITON:
            budget_ms = ref.latency_budget_ms
            return triton_engine(
                ref.name, servers_of(ref.urls), self.triton_key, self.store, latency_budget_ms=budget_ms
            )
        msg = f"engine {ref.name} is a {ref.kind}; known are {SERVING_API} and {TRITON}"
        raise NotFound(msg)

    def reconciler(self, who: str, policy: AliasPolicy = AliasPolicy.REPORT) -> Reconciler:
        """Return what makes everything here equal the decisions."""
        return Reconciler(self.store, self.engine_for, self.registry, Run(who=who), policy)


def place(settings: Settings) -> Place:
    """Return where the things of *settings* are; nothing is opened before the first question."""
    registry = MlflowRegistry(settings.mlflow, auth=settings.mlflow_auth)
    token, key = settings.serving_token().get_secret_value(), settings.triton_key().get_secret_value()
    return Place(Store(settings.repository_root), registry, token, key)
