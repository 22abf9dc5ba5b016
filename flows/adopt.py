r"""
Release a model that somebody else trained and logged to MLflow, or leave everything as it was.

    preflight -> ask_engines -> prove (fetch, convert, compare) -> register -> RELEASE
                                                                    \ release=False: Registered
    RELEASE as in train_register_reload
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
from interlock.adapters.mlflow.adoption import why
from interlock.names import alias_name, model_name
from interlock.release.open import released
from tasks import adoption
from tasks import release as steps
from tasks import serving as serving_steps
from tasks.announce import announced
from tasks.preflight import preflight
from tasks.run import this_run


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def adopt(  # noqa: PLR0913, PLR0917 - each is a field of the form in the Prefect UI
    source: str = "",
    sample: str | None = None,
    task: str | None = None,
    class_names: list[str] | None = None,
    trust: bool = False,  # noqa: FBT001, FBT002 - a check box in the Prefect UI
    release: bool = True,  # noqa: FBT001, FBT002
    force: bool = False,  # noqa: FBT001, FBT002
    new_contract: bool = False,  # noqa: FBT001, FBT002
    model: str = "best_model",
    alias: str = "A",
    registry: str = "dev",
    repository: str = "dev",
    serving: str = "dev",
    chat: str = "dev",
) -> State[Any]:
    """
    Make a version of the model at *source*, of flavour onnx, sklearn, xgboost, lightgbm or catboost, and release it.

    Args:
        source: Such as `models:/churn/3`, `models:/churn@champion` or `runs:/<run id>`; there is no default.
        sample: Path of a Parquet file with rows that it takes; without it, the input example that was logged with it.
        task: classification, regression or multilabel, for an ONNX whose outputs do not say it.
        class_names: Names of its classes, by label; without them, its own.
        trust: Load it also if it is a pickle, which runs whatever code its maker put into it.
        release: False ends after the registration.
        force: Release bytes that failed before.
        new_contract: Release it also if it takes or gives something else than what is live.
        model: Registered name of what is made, and folder in the repository.
        alias: Under which the version goes live.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        serving: Name of the block ServingApi.
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
        engine = ServingApi.named(serving).connect()

        preflight(mlflow, store, release=release)
        if release:
            announce.heard(serving_steps.ask_engines(env, model, alias, [engine]))
        original, made = adoption.prove(mlflow, source, sample, task, class_names, trust=trust)
        candidate = adoption.register(mlflow, original, made, model, alias)
        announce.learned(candidate)
        reason = why(original, made)
        if not release:
            return Completed(name="Registered", message=announce.tell("REGISTERED", f"v{candidate.version}, {reason}"))

        with released(env, candidate, [engine], why=reason, force=force, new_contract=new_contract) as delivery:
            steps.carry_out(delivery)
        return Completed(message=announce.released(delivery))
    return announce.ended
