"""
The second responder: the hook of every flow, when the body could not recover, or tell how it ended, by itself.

It trusts the journal only: it acts when the open journal is its own run's. Prefect runs it in the flow's process after
an exception, and in a fresh one after SIGKILL, where `flow_run.parameters` holds only what was passed. Of parameters
that Prefect refused it holds them as they were passed, whatever they are.
"""

import inspect
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from blocks.chat_webhook import ChatWebhook
from blocks.environment import environment
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from interlock.adapters.notify import Chat, Silence
from interlock.errors import DeliveryError
from interlock.records import Journal, Run
from interlock.release.page import page_name
from interlock.release.recover import recover
from interlock.store import Store, Writer
from tasks.announce import Announcer, Log, has_told

WAIT_S = 30.0


def recover_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """
    Finish or undo the release that *flow_run* left open, and tell how the run ended if it did not tell that itself.

    Raises:
        DeliveryError: The recovery failed; people were told.
    """
    log, names = flow_run_logger(flow_run, flow), _parameters(flow, flow_run)
    announce = _announcer(log, flow, flow_run, names)
    try:
        left = _left_open(announce, names, flow_run, log)
    except DeliveryError as error:
        log.warning("run ended as %s; what it left open is not known: %s", state.name, error)
        _tell_end(announce, state, f"; what it left open is not known: {error}")
        return
    if not left:
        log.info("run ended as %s; it left no open release", state.name)
        _tell_end(announce, state)
    run = Run(flow_run_id=str(flow_run.id), flow_run_name=flow_run.name, who=f"hook of {state.name}")
    for store, journal in left:
        _recover(announce, store, journal, run, names["registry"])


def _recover(announce: Announcer, store: Store, journal: Journal, run: Run, registry: str) -> None:
    model, alias = journal.candidate.model, journal.candidate.alias
    announce.model, announce.alias, announce.page = model, alias, page_name(model, alias)
    announce.learned(journal.candidate)
    try:
        with Writer.locked(store, model, run, wait_s=WAIT_S) as writer:
            recovery = recover(writer, environment(store, MlflowRegistry.named(registry).connect(), run))
    except DeliveryError as error:  # Prefect swallows what a hook raises: say it where people look
        announce.tell("RECOVERY FAILED", str(error))
        raise
    if recovery:
        announce.tell("RECOVERED", f"{recovery.how}, by the {run.who}")


def _tell_end(announce: Announcer, state: State[Any], more: str = "") -> None:
    """Tell how a run ended that could not tell it: it was killed or cancelled, or Prefect refused its parameters."""
    if has_told(announce.flow_run_id):
        return
    announce.tell(str(state.name).upper(), " ".join((state.message or "").split()) + more)


def _left_open(announce: Announcer, names: dict[str, Any], flow_run: FlowRun, log: Log) -> list[tuple[Store, Journal]]:
    """Return the journals of the run; one that is unreadable, of whichever model, is left to the next pass."""
    if "repository" not in names:  # such a flow changes no model
        return []
    announce.store = store = ModelRepository.named(names["repository"]).connect()
    journals = []
    for model in store.models():
        try:
            journal = store.journal(model)
        except DeliveryError as error:
            log.warning("it is not known who left the release of %s open: %s", model, error)
            continue
        if journal and journal.run.flow_run_id == str(flow_run.id):
            journals.append((store, journal))
    return journals


def _announcer(log: Log, flow: Flow[Any, Any], flow_run: FlowRun, names: dict[str, Any]) -> Announcer:
    model, alias = str(names.get("model") or ""), str(names.get("alias") or "")
    subject = " ".join(filter(None, [flow.name, model, alias]))
    page = page_name(model, alias) if alias else flow.name
    return Announcer(_chat(names, log), log, str(flow_run.id), model, alias, subject, page)


def _chat(names: dict[str, Any], log: Log) -> Chat:
    """Return whom to tell; without a chat a recovery is made all the same."""
    try:
        return ChatWebhook.named(names["chat"]).connect()
    except DeliveryError as error:
        log.warning("the chat is not told: %s", error)
        return Silence()


def _parameters(flow: Flow[Any, Any], flow_run: FlowRun) -> dict[str, Any]:
    """Return what was passed over the defaults of the flow's signature, and the default where it was no name."""
    defaults = {name: p.default for name, p in inspect.signature(flow.fn).parameters.items()}
    passed = {name: value for name, value in (flow_run.parameters or {}).items() if _fits(value, defaults.get(name))}
    return defaults | passed


def _fits(value: object, default: object) -> bool:
    return isinstance(value, str) or not isinstance(default, str)
