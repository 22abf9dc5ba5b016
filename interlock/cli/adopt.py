"""`interlock adopt`: a model that somebody else trained becomes a version, and live if that is wanted."""

from typing import Annotated
from uuid import uuid4

import typer

from interlock.adapters.mlflow.experiment import DEFAULT
from interlock.adapters.mlflow.originals import MlflowOriginals
from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.cli.announce import announcer
from interlock.cli.here import here
from interlock.cli.output import AsJson, show_json
from interlock.errors import ContractChanged, DeliveryError, DigestRefused
from interlock.model.signature import Task
from interlock.names import alias_name, model_name
from interlock.records import SERVING_API, Candidate, EngineRef
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.steps import Release, carry_out
from interlock.settings import Settings

WAYS: dict[type[DeliveryError], str] = {
    ContractChanged: "--new-contract releases it all the same",
    DigestRefused: "--force tries it all the same",
}
MODEL, ALIAS = "best_model", "A"


def adopt(  # noqa: PLR0913 - each is an option of the command
    source: Annotated[str, typer.Argument(help="models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN_ID")],
    model: Annotated[str, typer.Option(help="Registered name of what is made.")] = MODEL,
    alias: Annotated[str, typer.Option(help="Under which it goes live.")] = ALIAS,
    sample: Annotated[str | None, typer.Option(help="Parquet file with rows that it takes.")] = None,
    task: Annotated[Task | None, typer.Option(help="Where an ONNX does not say it.")] = None,
    class_name: Annotated[list[str] | None, typer.Option(help="Name of a class; once for each, by label.")] = None,
    *,
    trust: Annotated[bool, typer.Option(help="Load it also if it is a pickle, which runs its maker's code.")] = False,
    release: Annotated[bool, typer.Option(help="Go on and make it live on the serving app.")] = False,
    force: Annotated[bool, typer.Option(help="Release bytes that failed before.")] = False,
    new_contract: Annotated[bool, typer.Option(help="Also if it takes or gives something else than before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version of a model that somebody else logged to MLflow, proven against the original."""
    from interlock.adapters.mlflow.adoption import (
        proven,  # scikit-learn costs a second, and no other command waits for it
        registered,
        why,
    )

    settings = Settings()
    env = here(settings)
    model_name(model)
    alias_name(alias)
    auth = settings.mlflow_auth
    originals = MlflowOriginals(settings.mlflow, auth=auth)
    original, made = proven(originals, source, sample=sample, task=task, class_names=class_name or None, trust=trust)
    tracking = MlflowTracking(settings.mlflow, DEFAULT, auth)
    registry = MlflowRegistry(settings.mlflow, auth=auth)
    candidate = registered(tracking, registry, original, made, key=uuid4().hex, model=model, alias=alias)
    reason = why(original, made)
    if not as_json:
        typer.echo(f"{model} v{candidate.version}: {reason}")
    if not release:
        if as_json:
            show_json(candidate)
        return
    delivery = _release(env, settings, candidate, reason, force=force, new_contract=new_contract)
    if as_json:
        show_json(delivery.account)
    else:
        typer.echo(f"{delivery.current.describe(alias)} ({delivery.account.ended})")


def _release(
    env: Environment, settings: Settings, candidate: Candidate, reason: str, *, force: bool, new_contract: bool
) -> Release:
    announce = announcer(settings)
    engine = env.engine_for(EngineRef(kind=SERVING_API, name=settings.environment, urls=tuple(settings.serving)))
    try:
        with released(env, candidate, [engine], why=reason, force=force, new_contract=new_contract) as delivery:
            carry_out(delivery)
    except DeliveryError as error:
        announce.failed(candidate.model, candidate.alias, error, "RELEASE FAILED")
        error.way_out = WAYS.get(type(error))
        raise
    announce.released(delivery)
    return delivery
