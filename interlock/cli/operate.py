"""The operator's verbs; none of them needs Prefect: status, history, rollback, reconcile, prune."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from interlock.cli.announce import announcer
from interlock.cli.here import here
from interlock.cli.loop import reconcile_for_ever
from interlock.cli.output import AsJson, show_json, show_table
from interlock.cli.status import DECISION, Decision, status_of
from interlock.errors import AlreadyLive, DeliveryError, DigestRefused, Unreadable
from interlock.records import Event
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


def status(*, as_json: AsJson = False) -> None:
    """Show what runs, what is live and who says so, and everything that disagrees; exit code 1 if anything does."""
    settings = Settings()
    seen = status_of(settings, here(settings))
    if as_json:
        show_json(seen)
    else:
        seen.show()
    sys.exit(int(not seen.is_well))


def history(model: Model = MODEL, *, as_json: AsJson = False) -> None:
    """Show every decision and event of a model, newest first, and verify the record; exit code 1 if it is not whole."""
    store = here(Settings()).store
    store.known(model)
    entries, _ = readable(store, model)
    decisions, events, wrong = [Decision.of(entry) for entry in entries], list[Event](), list(damage(store, model))
    try:
        events = list(store.events(model))
    except Unreadable as lost:
        wrong.append(str(lost))
    if as_json:
        show_json({"decisions": decisions, "events": events, "wrong": wrong})
    else:
        told = [(event.at_utc, ("", event.at_utc, event.kind, "", "", "", "", event.message)) for event in events]
        rows = [*((decision.at_utc, decision.cells) for decision in reversed(decisions)), *told]
        show_table(DECISION, (cells for _, cells in sorted(rows, key=lambda pair: pair[0], reverse=True)))
        typer.echo("\n".join(f"  ! {what}" for what in wrong) or f"{model}: the record is whole")
    sys.exit(int(bool(wrong)))


def rollback(
    model: Model = MODEL,
    alias: Annotated[str, typer.Option(help="Whose version goes back.")] = "A",
    version: Annotated[int | None, typer.Option(help="Go back to this one; without it, to the one before.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    *,
    force: Annotated[bool, typer.Option(help="Also to a version that failed or was rolled back before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go back to an older version at once, without Prefect and without MLflow; what is left behind is refused."""
    settings = Settings()
    env, announce = here(settings), announcer(settings)
    try:
        with rolled_back(env, model, alias, version, why=reason, force=force) as release:
            carry_out(release)
    except AlreadyLive as live:
        typer.echo(str(live), err=as_json)
        if as_json:
            show_json(env.store.current(model))
        return
    except DeliveryError as error:
        announce.failed(model, alias, error)
        if isinstance(error, DigestRefused):
            error.way_out = "--force goes back to it all the same"
        raise
    if as_json:
        show_json(release.account)
    else:
        typer.echo(f"{release.current.describe(alias)} ({release.account.ended})")
    announce.released(release)


def reconcile(
    every: Annotated[
        float | None, typer.Option(callback=_period, help="Seconds between passes, 1 or more; without it, one pass.")
    ] = None,
    policy: Annotated[
        AliasPolicy, typer.Option(help="What to do about an alias that was moved by hand.")
    ] = AliasPolicy.REPORT,
    *,
    as_json: AsJson = False,
) -> None:
    """Make everything equal the decisions; exit code 1 if something could not be mended."""
    settings = Settings()
    env = here(settings, "interlock reconcile")
    reconciler = Reconciler(env, policy)
    if every is not None:
        reconcile_for_ever(reconciler, every, announcer(settings))
    reports = reconciler.reconcile(env.store.models())
    if as_json:
        show_json(reports)
    else:
        typer.echo("\n".join(report.told for report in reports) or f"nothing was ever released in {env.store.root}")
    sys.exit(int(any(report.failed for report in reports)))


def prune(
    model: Annotated[str | None, typer.Option(help="Whose versions go.")] = None,
    *,
    every_model: Annotated[bool, typer.Option("--all", help="Those of every model, instead.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only list what would go.")] = False,
    versions: Annotated[int, typer.Option(help="How many versions that were live to keep for each alias.")] = 10,
    failed: Annotated[int, typer.Option(help="How many quarantined versions to keep of each model.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Remove old versions and old quarantined ones of a model; never the last two live ones."""
    if (model is None) != every_model:
        msg = "say whose versions go: --model NAME, or --all"
        raise typer.BadParameter(msg)
    env = here(Settings())
    act: Callable[..., list[str]] = partial(doomed, env.store) if dry_run else partial(prune_model, env)
    names = env.store.models() if model is None else [env.store.known(model)]
    gone = {name: act(name, versions=versions, failed=failed) for name in names}
    if as_json:
        show_json(gone)
        return
    what = "would be removed" if dry_run else "removed"
    for name, folders in gone.items():
        typer.echo("\n".join([f"{name}: {len(folders)} {what}", *(f"  {folder}" for folder in folders)]))
