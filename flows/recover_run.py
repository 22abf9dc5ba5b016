"""
The second responder: the hook of every flow, when the body could not recover by itself.

It trusts the journal only: it acts when the open journal is its own run's. Prefect runs it in the flow's process after
an exception, and in a fresh one after SIGKILL, where `flow_run.parameters` holds only what was passed.
"""

import inspect
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from blocks.chat_webhook import ChatWebhook
from blocks.engines import engine_for
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from delivery.errors import DeliveryError
from delivery.records import Journal, Run
from delivery.recovery import recover
from delivery.store import Store
from tasks.news import News, serves
from tasks.pages import publish_no

WAIT_S = 30.0


def recover_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Finish or undo the release that *flow_run* left open; nothing is done when it left none."""
    names = _parameters(flow, flow_run)
    store = ModelRepository.named(names["repository"]).connect()
    mine = [model for model in store.models() if _is_open(store, model, flow_run)]
    logger = flow_run_logger(flow_run, flow)
    if not mine:
        logger.info("run ended as %s; it left no open release", state.name)
    for model in mine:
        journal = store.journal(model)
        if journal is None:
            continue
        run = Run(flow_run_id=str(flow_run.id), flow_run_name=flow_run.name, who=f"hook of {state.name}")
        try:
            with store.writer(model, run, wait_s=WAIT_S) as writer:
                recovery = recover(writer, engine_for, MlflowRegistry.named(names["registry"]).connect())
        except DeliveryError as error:  # Prefect swallows what a hook raises: say it where people look
            alias = journal.candidate.alias
            publish_no(model, alias, "RECOVERY FAILED", str(error), serves(store, model, alias))
            _news(names, store, journal).tell("RECOVERY FAILED", str(error))
            raise
        if recovery:
            logger.info("recovered: %s", recovery.how)
            _news(names, store, journal).tell(f"RECOVERED after {state.name}", recovery.how)


def _news(names: dict[str, Any], store: Store, journal: Journal) -> News:
    """Look the chat up only when there is something to tell: without it a recovery is made all the same."""
    candidate = journal.candidate
    news = News(ChatWebhook.named(names["chat"]).connect(), store, candidate.model, candidate.alias)
    news.learned(candidate)
    return news


def _is_open(store: Store, model: str, flow_run: FlowRun) -> bool:
    journal = store.journal(model)
    return journal is not None and journal.run.flow_run_id == str(flow_run.id)


def _parameters(flow: Flow[Any, Any], flow_run: FlowRun) -> dict[str, Any]:
    """Return what was passed over the defaults of the flow's signature."""
    defaults = {name: p.default for name, p in inspect.signature(flow.fn).parameters.items()}
    return defaults | (flow_run.parameters or {})
