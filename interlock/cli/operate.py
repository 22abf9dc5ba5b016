"""The operator's verbs; none of them needs Prefect: status, history, rollback, reconcile, prune."""

import getpass
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from interlock.cli.announce import announcer
from interlock.cli.loop import reconcile_for_ever
from interlock.cli.status import disagrees, line, parts_status, room, surveys, told
from interlock.environment import environment
from interlock.errors import AlreadyLive, DeliveryError, DigestRefused, Unreadable
from interlock.release.open import rolled_back
from interlock.release.steps import carry_out
from interlock.settings import Settings
from interlock.upkeep.history import damage, readable
from interlock.upkeep.prune import doomed
from interlock.upkeep.prune import prune as prune_model
from interlock.upkeep.reconcile import AliasPolicy, Reconciler

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
    env, rows = environment(settings, person()), parts_status(settings)
    for name, state, address in rows:
        typer.echo(f"{name:<10} {state:<10} {address}")
    if (tight := room(env.store)) is not None:
        typer.echo(f"  ! {tight}")
    models = surveys(env)
    for seen in models:
        typer.echo("\n".join(told(env, seen)))
    wrong = tight is not None or any(disagrees(env, seen) for seen in models)
    sys.exit(int(wrong or any(state != "running" for _, state, _ in rows)))


def history(model: Model = MODEL) -> None:
    """Show every decision and event of a model, newest first, and verify the record; exit code 1 if it is not whole."""
    store = environment(Settings(), person()).store
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
    env, announce = environment(settings, person()), announcer(settings)
    try:
        with rolled_back(env, model, alias, version, why=reason, force=force) as release:
            carry_out(release)
    except AlreadyLive as live:
        typer.echo(str(live))
        return
    except DeliveryError as error:
        announce.failed(model, alias, error)
        if isinstance(error, DigestRefused):
            msg = f"{error}; --force goes back to it all the same"
            raise DigestRefused(msg) from error
        raise
    typer.echo(f"{release.current.describe(alias)} ({release.account.ended})")
    announce.released(release)


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
    env = environment(settings, "interlock reconcile")
    reconciler = Reconciler(env, policy)
    if every is not None:
        reconcile_for_ever(reconciler, every, announcer(settings))
    reports = reconciler.reconcile(env.store.models())
    typer.echo("\n".join(report.told for report in reports) or f"nothing was ever released in {env.store.root}")
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
    env = environment(Settings(), person())
    act: Callable[..., list[str]] = partial(doomed, env.store) if dry_run else partial(prune_model, env)
    for name in env.store.models() if model is None else [env.store.known(model)]:
        gone = act(name, versions=versions, failed=failed)
        what = "would be removed" if dry_run else "removed"
        typer.echo("\n".join([f"{name}: {len(gone)} {what}", *(f"  {folder}" for folder in gone)]))


def person() -> str:
    """Return who types the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
