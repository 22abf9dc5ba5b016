"""The operator's verbs; none of them needs Prefect: status, history, rollback, reconcile, prune."""

import getpass
import socket
import sys
from typing import Annotated

import typer

from blocks.settings import Settings
from delivery.attempt import rolled_back
from delivery.errors import AlreadyLive, DeliveryError, DigestRefused, Unreadable
from delivery.history import damage, readable
from delivery.prune import prune as prune_model
from delivery.reconcile import AliasPolicy
from delivery.records import Run
from delivery.release import carry_out
from stack.loop import reconcile_for_ever
from stack.people import people
from stack.place import place
from stack.status import disagrees, line, parts_status, told, views

MODEL = "best_model"
Model = Annotated[str, typer.Option(help="Registered name in MLflow, and folder in the repository.")]


def status() -> None:
    """Show what runs, what is live and who says so, and everything that disagrees; exit code 1 if anything does."""
    settings = Settings()
    where, rows = place(settings), parts_status(settings)
    for name, state, address in rows:
        typer.echo(f"{name:<10} {state:<10} {address}")
    seen = views(where)
    for view in seen:
        typer.echo("\n".join(told(where, view)))
    sys.exit(int(any(disagrees(where, view) for view in seen) or any(state != "running" for _, state, _ in rows)))


def history(model: Model = MODEL) -> None:
    """Show every decision and event of a model, newest first, and verify the record; exit code 1 if it is not whole."""
    store = place(Settings()).store
    entries, _ = readable(store, model)
    rows, wrong = [(entry.at_utc, line(entry)) for entry in reversed(entries)], list(damage(store, model))
    try:
        rows += [(event.at_utc, f"   - {event.at_utc} {event.kind}: {event.message}") for event in store.events(model)]
    except Unreadable as lost:
        wrong.append(str(lost))
    for _, text in sorted(rows, key=lambda pair: pair[0], reverse=True):
        typer.echo(text)
    typer.echo("\n".join(f"  ! {what}" for what in wrong) or f"{model}: the record is whole")
    sys.exit(int(bool(wrong)))


def rollback(
    model: Model = MODEL,
    alias: Annotated[str, typer.Option(help="Whose version goes back.")] = "A",
    version: Annotated[int | None, typer.Option(help="Go back to this one; without it, to the one before.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    *,
    force: Annotated[bool, typer.Option(help="Also to a version that failed or was rolled back before.")] = False,
) -> None:
    """Go back to an older version at once, without Prefect and without MLflow; what is left behind is refused."""
    settings = Settings()
    where, team = place(settings), people(settings)
    try:
        with rolled_back(
            where.store,
            model,
            alias,
            version,
            engine_for=where.engine_for,
            registry=where.registry,
            run=Run(who=person()),
            why=reason,
        ) as release:
            carry_out(release, force=force)
    except AlreadyLive as live:
        typer.echo(str(live))
        return
    except DeliveryError as error:
        team.hear_no(model, alias, error)
        hint = "; --force goes back to it all the same" if isinstance(error, DigestRefused) else ""
        sys.exit(f"interlock: {error}{hint}")
    typer.echo(f"{release.current.describe(alias)} ({release.outcome})")
    team.hear_of(release)


def reconcile(
    every: Annotated[float | None, typer.Option(help="Seconds between passes; without it, one pass.")] = None,
    policy: Annotated[
        AliasPolicy, typer.Option(help="What to do about an alias that was moved by hand.")
    ] = AliasPolicy.REPORT,
) -> None:
    """Make everything equal the decisions; exit code 1 if something could not be mended."""
    settings = Settings()
    reconciler = place(settings).reconciler("interlock reconcile", policy)
    if every is not None:
        reconcile_for_ever(reconciler, every, people(settings))
    reports = reconciler.reconcile(reconciler.store.models())
    for report in reports:
        typer.echo(report.told)
    sys.exit(int(any(report.failed for report in reports)))


def prune(
    versions: Annotated[int, typer.Option(help="How many versions that were live to keep for each alias.")] = 10,
    failed: Annotated[int, typer.Option(help="How many quarantined versions to keep of each model.")] = 10,
) -> None:
    """Remove old versions and old quarantined ones of every model; never the last two live ones."""
    where = place(Settings())
    for model in where.store.models():
        removed = prune_model(
            where.store,
            model,
            versions=versions,
            failed=failed,
            engine_for=where.engine_for,
            registry=where.registry,
            run=Run(who=person()),
        )
        typer.echo(f"{model}: removed {', '.join(removed) or 'nothing'}")


def person() -> str:
    """Return who types the command."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
