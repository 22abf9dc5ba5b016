"""The environment that Prefect's blocks describe: a repository, a registry, and each engine's secret by its name."""

from blocks.serving_api import ServingApi
from blocks.triton_server import TritonServer
from interlock.adapters.engines import engines
from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.records import SERVING_API, EngineRef, Run
from interlock.release.environment import Environment
from interlock.store import Store


def environment(store: Store, registry: MlflowRegistry, run: Run) -> Environment:
    """Return where the run releases; the block of an engine is loaded when the engine is first needed."""
    return Environment(store, registry, engines(store, _secret), run)


def _secret(ref: EngineRef) -> str:
    """
    Return the token or the key of the engine *ref*.

    Raises:
        NotFound: No block of its kind has its name; the message names the command that makes it.
        Unreachable: Prefect's API does not answer.
    """
    if ref.kind == SERVING_API:
        return ServingApi.named(ref.name).token.get_secret_value()
    return TritonServer.named(ref.name).key.get_secret_value()
