"""Store, registry and engines of an environment, without Prefect: what the operator's verbs and the loop work with."""

from dataclasses import dataclass

from adapters.mlflow_registry import MlflowRegistry
from adapters.serving_api import KIND, serving_engine
from blocks.settings import Settings
from delivery.engine import Engine
from delivery.errors import NotFound
from delivery.records import EngineRef
from delivery.store import Store


@dataclass(frozen=True)
class Place:
    """Where an environment's things are."""

    store: Store
    registry: MlflowRegistry
    token: str

    def engine_for(self, ref: EngineRef) -> Engine:
        """
        Return the engine *ref* at the addresses that it was enrolled with.

        Raises:
            NotFound: Nobody knows that kind.
        """
        if ref.kind != KIND:
            msg = f"engine {ref.name} is a {ref.kind}; known is {KIND}"
            raise NotFound(msg)
        return serving_engine(ref.name, ref.urls, self.token)


def place(settings: Settings) -> Place:
    """Return where the things of *settings* are; nothing is opened before the first question."""
    registry = MlflowRegistry(settings.mlflow, auth=settings.mlflow_auth)
    return Place(Store(settings.repository_root), registry, settings.serving_token().get_secret_value())
