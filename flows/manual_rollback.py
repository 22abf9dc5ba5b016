r"""
An operator's switch: go back to an older version, or leave everything as it was.

    on disk? -> stop whoever holds the lock -> snapshot -> ... -> commit -> switch -> confirm -> alias
        \ no: ends as Failed                        \___ any failure: recover ___/
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.environment import environment
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from flows.recover_run import recover_run
from interlock.errors import AlreadyLive
from interlock.release.open import rolled_back
from tasks import release as steps
from tasks.announce import announced
from tasks.run import this_run


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def manual_rollback(
    model: str = "best_model",
    alias: str = "A",
    version: int | None = None,
    reason: str = "",
    force: bool = False,  # noqa: FBT001, FBT002 - a check box in the Prefect UI
    registry: str = "dev",
    repository: str = "dev",
    chat: str = "dev",
) -> State[Any]:
    """
    Go back to *version*, or to the one that was live before; what is left behind is refused from then on.

    MLflow and all replicas but one may be away: the alias and the replicas follow when they return. A release that
    holds the lock is asked to stop, for 30 s.

    Args:
        model: Registered name in MLflow, and folder in the repository.
        alias: Whose version goes back.
        version: The version; without it, the one that was live before.
        reason: Why, for the record.
        force: Also to a version that failed or was rolled back before.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        chat: Name of the block ChatWebhook.

    Raises:
        DeliveryError: Why nothing changed; the message names the version that serves on.
    """
    with announced(chat, model, alias) as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        env = environment(store, MlflowRegistry.named(registry).connect(), this_run())
        try:
            with rolled_back(env, model, alias, version, why=reason, force=force) as rollback:
                announce.learned(rollback.candidate)
                steps.carry_out(rollback)
        except AlreadyLive as live:
            return Completed(name="AlreadyLive", message=announce.tell("ALREADY LIVE", live.what))
        return Completed(name="RolledBack", message=announce.released(rollback))
    return announce.ended
