r"""
Keep the newest version that passed the gate live; a deployment with a schedule calls it every ten minutes.

    API down? start it -> follow the decision -> newest -> compare -> RELEASE
        \ still down: Failed                                  \ no: ends as Skipped, and says why

    RELEASE  snapshot -> materialize -> trial -> load -> ready -> smoke -> commit -> switch -> confirm -> alias
                 \______________________ any failure: recover ______________________/
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.environment import environment
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from flows.recover_run import recover_run
from interlock.errors import Busy, StaleEpoch
from interlock.names import alias_name, model_name
from interlock.release.freshness import compare
from interlock.release.open import released
from tasks import registry as registry_steps
from tasks import release as steps
from tasks import serving as serving_steps
from tasks.announce import announced
from tasks.run import this_run


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def continuous_deployment(
    model: str = "best_model",
    alias: str = "A",
    registry: str = "dev",
    repository: str = "dev",
    serving: str = "dev",
    chat: str = "dev",
) -> State[Any]:
    """
    Release the newest version that passed the gate, if it was trained after the one that is live; else skip.

    A version that failed, or that an operator went back from, is not tried again. When somebody else is releasing
    this model, the run ends as Skipped and tells nobody.

    Args:
        model: Registered name in MLflow, and folder in the repository.
        alias: Under which the version goes live.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        serving: Name of the block ServingApi; its `start_command` is run when nobody answers there.
        chat: Name of the block ChatWebhook.

    Raises:
        DeliveryError: Why nothing changed; the message names the version that serves on.
    """
    with announced(chat, model, alias) as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        model_name(model)
        alias_name(alias)
        mlflow, app = MlflowRegistry.named(registry), ServingApi.named(serving)
        env = environment(store, mlflow.connect(), this_run())
        try:
            started = serving_steps.ensure_up(app)
            current = serving_steps.follow(app, store, model, alias)
            newest = registry_steps.newest(mlflow, model, alias)
            comparison = compare(store, current, alias, newest)
            why = "; ".join(filter(None, [started, comparison.why]))
            if newest:
                announce.learned(newest.candidate)
            if not newest or not comparison.release:
                return Completed(name="Skipped", message=announce.tell("SKIPPED", why))

            with released(env, newest.candidate, [app.connect()], why=why, since=current) as delivery:
                steps.carry_out(delivery)
        except (Busy, StaleEpoch) as other:
            return Completed(name="Skipped", message=str(other))
        return Completed(name="Released", message=announce.released(delivery))
    return announce.ended
