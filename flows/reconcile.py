"""
Make everything equal the decisions, where it can be seen in the Prefect UI.

The guarantee is `interlock reconcile --every 30`, which runs outside Prefect; this makes the same pass.
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from blocks.environment import environment
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from flows.recover_run import recover_run
from interlock.upkeep.reconcile import AliasPolicy, Reconciler
from tasks import reconcile as steps
from tasks.announce import announced
from tasks.run import this_run


@flow(name="reconcile", on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def reconcile(
    model: str | None = None,
    policy: AliasPolicy = AliasPolicy.REPORT,
    registry: str = "dev",
    repository: str = "dev",
    chat: str = "dev",
) -> State[Any]:
    """
    Finish or undo what is open, let engines that drifted follow again, and look at aliases, bytes and debris.

    Args:
        model: Which model; without it, all.
        policy: What is done about an alias that was moved by hand: report it, restore it, or release its version.
        registry: Name of the block MlflowRegistry.
        repository: Name of the block ModelRepository.
        chat: Name of the block ChatWebhook.

    Raises:
        NotFound: There is no such model.
    """
    with announced(chat, model or "", "", subject="reconcile", page="reconcile") as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        env = environment(store, MlflowRegistry.named(registry).connect(), this_run())
        reports = steps.reconcile(Reconciler(env, policy), model)
        told = announce.reconciled(reports)
        if any(report.failed for report in reports):
            return Failed(message="; ".join(told))
        mended = any(report.done for report in reports)
        name = "Busy" if any(report.busy is not None for report in reports) else "Mended" if mended else "Agrees"
        return Completed(name=name, message="; ".join(told) or f"{len(reports)} models equal their decisions")
    return announce.ended
