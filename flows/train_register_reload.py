r"""
Train a model and make it live on the serving app, or leave everything as it was.

    preflight -> ask_engines -> champion -> (table) -> train -> log -> gate -> register -> RELEASE
                        \                                               \            \ release=False: Registered
                         \ version=7: that one, at once -> RELEASE        \ no: ends as Rejected
    RELEASE  snapshot -> materialize -> trial -> load -> ready -> smoke -> commit -> switch -> confirm -> alias
                  \______________________ any failure: recover ______________________/
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.environment import environment
from blocks.feature_store import FeatureStore
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.serving_api import ServingApi
from flows.recover_run import recover_run
from interlock.release.open import released
from tasks import feature_store as feature_steps
from tasks import registry as registry_steps
from tasks import release as steps
from tasks import serving as serving_steps
from tasks import tracking, training
from tasks.announce import announced
from tasks.preflight import preflight
from tasks.run import this_run


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def train_register_reload(  # noqa: PLR0913, PLR0917 - each is a field of the form in the Prefect UI
    learner: str = "iris",
    version: int | None = None,
    params: dict[str, Any] | None = None,
    metric: str | None = None,
    threshold: float | None = None,
    beat_champion: bool = False,  # noqa: FBT001, FBT002 - a check box in the Prefect UI
    release: bool = True,  # noqa: FBT001, FBT002
    force: bool = False,  # noqa: FBT001, FBT002
    new_contract: bool = False,  # noqa: FBT001, FBT002
    model: str = "best_model",
    alias: str = "A",
    registry: str = "dev",
    repository: str = "dev",
    serving: str = "dev",
    chat: str = "dev",
    feature_store: str = "dev",
) -> State[Any]:
    """
    Train *learner* with *params* and release the result under *alias*, if the gate lets it pass.

    Args:
        learner: Name of a file in `learners/`.
        version: Release this registered version, and train nothing.
        params: The learner's parameters; `C` and `max_iter` for iris.
        metric: What the gate compares, measured on held-out rows; without it, the learner's own: accuracy, r2, ...
        threshold: The metric must be above it; without it, the learner's own.
        beat_champion: Also ask that the metric is not below that of the version that is live for *alias*.
        release: False ends after the registration.
        force: Release bytes that failed before.
        new_contract: Release it also if it takes or gives something else than what is live.
        model: Registered name in MLflow, and folder in the repository.
        alias: Under which the version goes live.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        serving: Name of the block ServingApi.
        chat: Name of the block ChatWebhook.
        feature_store: Name of the block FeatureStore, for a learner that reads a table.

    Raises:
        DeliveryError: Why nothing changed; the message names the version that serves on.
    """
    with announced(chat, model, alias) as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        plan = training.plan(learner, params or {}, metric, threshold, model, alias)
        mlflow = MlflowRegistry.named(registry)
        env = environment(store, mlflow.connect(), this_run())
        engine = ServingApi.named(serving).connect()
        features = FeatureStore.named(feature_store) if plan.table else None

        preflight(mlflow, store, release=release)
        if release:
            announce.heard(serving_steps.ask_engines(env, model, alias, [engine]))
        verdict = None
        if version is not None:
            candidate, why = registry_steps.resolve(mlflow, model, alias, version), f"v{version}, as it was asked for"
        else:
            champion = registry_steps.champion(mlflow, store, model, alias, compare=beat_champion)
            data = feature_steps.read(features, plan.table) if features and plan.table else None
            trained = training.train(plan, data)
            run = tracking.log_run(mlflow, trained)
            announce.run_id = run.run_id
            verdict = training.judge(plan, trained, champion)
            tracking.close_run(mlflow, run, verdict)
            why = verdict.reason
            if not verdict.passed:
                return Completed(name="Rejected", message=announce.tell("REJECTED", why))
            candidate = registry_steps.register(mlflow, model, alias, run, trained, verdict)
        announce.learned(candidate)
        if not release:
            return Completed(name="Registered", message=announce.tell("REGISTERED", why))

        with released(env, candidate, [engine], why=why, force=force, new_contract=new_contract) as delivery:
            steps.carry_out(delivery)
        return Completed(message=announce.released(delivery, verdict))
    return announce.ended
