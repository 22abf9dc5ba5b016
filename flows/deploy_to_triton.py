r"""
Make a registered version live on Triton, or leave everything as it was.

    ask -> resolve -> snapshot -> materialize -> trial -> load -> ready -> smoke -> commit -> switch -> confirm -> alias
                          \___________________________ any failure: recover ______________________/
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.environment import environment
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from blocks.triton_server import TritonServer
from flows.recover_run import recover_run
from interlock.names import alias_name, model_name
from interlock.release.open import released
from tasks import registry as registry_steps
from tasks import release as steps
from tasks import serving as serving_steps
from tasks.announce import announced
from tasks.run import this_run


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def deploy_to_triton(  # noqa: PLR0913, PLR0917 - each is a field of the form in the Prefect UI
    model: str = "best_model",
    alias: str = "A",
    version: int | None = None,
    force: bool = False,  # noqa: FBT001, FBT002 - a check box in the Prefect UI
    new_contract: bool = False,  # noqa: FBT001, FBT002
    registry: str = "dev",
    repository: str = "dev",
    triton: str = "dev",
    serving: str | None = None,
    chat: str = "dev",
) -> State[Any]:
    """
    Deploy the version that *alias* names now, or *version*.

    Args:
        model: Registered name in MLflow, and folder in the repository.
        alias: Under which the version goes live.
        version: The version; without it, the one that *alias* names in MLflow.
        force: Release bytes that failed before.
        new_contract: Release it also if it takes or gives something else than what is live.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        triton: Name of the block TritonServer.
        serving: Name of a block ServingApi, to release to the serving app by the same decision.
        chat: Name of the block ChatWebhook.

    Raises:
        DeliveryError: Why nothing changed; the message names the version that serves on.
    """
    with announced(chat, model, alias) as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        model_name(model)
        alias_name(alias)
        mlflow = MlflowRegistry.named(registry)
        env = environment(store, mlflow.connect(), this_run())
        engines = [TritonServer.named(triton).connect()]
        engines += [ServingApi.named(serving).connect()] if serving else []

        announce.heard(serving_steps.ask_engines(env, model, alias, engines))
        candidate = registry_steps.resolve(mlflow, model, alias, version)
        announce.learned(candidate)
        with released(env, candidate, engines, why="deployed", force=force, new_contract=new_contract) as delivery:
            steps.carry_out(delivery)
        return Completed(message=announce.released(delivery))
    return announce.ended
