"""The operator's verbs; none of them needs Prefect: status, history, rollback, reconcile, prune."""

import getpass
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from interlock.cli.announce import people
from interlock.cli.loop import reconcile_for_ever
from interlock.cli.status import disagrees, line, parts_status, room, told, views
from interlock.environment import place
from interlock.errors import AlreadyLive, DeliveryError, DigestRefused, Unreadable
from interlock.records import Run
from interlock.release.open import rolled_back
from interlock.release.steps import carry_out
from interlock.settings import Settings
from interlock.upkeep.history import damage, readable
from interlock.upkeep.prune import doomed
from interlock.upkeep.prune import prune as prune_model
from interlock.upkeep.reconcile import AliasPolicy

MODEL = "best_model"
LONGEST_S = 86_400
Model = Annotated[str, typer.Option(help="Registered name in MLflow, and folder in the repository.")]


def _period(every: float | None) -> float | None:
    if every is not None and not 1 <= every <= LONGEST_S:  # says no to nan, too
        msg = f"a pass every 1 to {LONGEST_S} seconds, not {every:g}"
        raise typer.BadParameter(msg)
    return every


def status() -> None:
    """Show what runs, what is live and who says so, and everything that disagrees; exit code 1 if anything does."""
    settings = Settings()
    where, rows = place(settings), parts_status(settings)
    for name, state, address in rows:
        typer.echo(f"{name:<10} {state:<10} {address}")
    if tight := room(where.store):
        typer.echo(f"  ! {tight}")
    seen = views(where)
    for view in seen:
        typer.echo("\n".join(told(where, view)))
    wrong = bool(tight) or any(disagrees(where, view) for view in seen)
    sys.exit(int(wrong or any(state != "running" for _, state, _ in rows)))


def history(model: Model = MODEL) -> None:
    """Show every decision and event of a model, newest first, and verify the record; exit code 1 if it is not whole."""
    store = place(Settings()).store
    store.known(model)
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
        if isinstance(error, DigestRefused):
            msg = f"{error}; --force goes back to it all the same"
            raise DigestRefused(msg) from error
        raise
    typer.echo(f"{release.current.describe(alias)} ({release.outcome})")
    team.hear_of(release)


def reconcile(
    every: Annotated[
        float | None, typer.Option(callback=_period, help="Seconds between passes, 1 or more; without it, one pass.")
    ] = None,
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
    typer.echo("\n".join(report.told for report in reports) or f"nothing was ever released in {reconciler.store.root}")
    sys.exit(int(any(report.failed for report in reports)))


def prune(
    model: Annotated[str | None, typer.Option(help="Whose versions go.")] = None,
    *,
    every_model: Annotated[bool, typer.Option("--all", help="Those of every model, instead.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only list what would go.")] = False,
    versions: Annotated[int, typer.Option(help="How many versions that were live to keep for each alias.")] = 10,
    failed: Annotated[int, typer.Option(help="How many quarantined versions to keep of each model.")] = 10,
) -> None:
    """Remove old versions and old quarantined ones of a model; never the last two live ones."""
    if (model is None) != every_model:
        msg = "say whose versions go: --model NAME, or --all"
        raise typer.BadParameter(msg)
    where = place(Settings())
    remove = partial(prune_model, engine_for=where.engine_for, registry=where.registry, run=Run(who=person()))
    act: Callable[..., list[str]] = doomed if dry_run else remove
    for name in where.store.models() if model is None else [where.store.known(model)]:
        gone = act(where.store, name, versions=versions, failed=failed)
        what = "would be removed" if dry_run else "removed"
        typer.echo("\n".join([f"{name}: {len(gone)} {what}", *(f"  {folder}" for folder in gone)]))


def person() -> str:
    """Return who types the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
