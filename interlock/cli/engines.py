"""The operator's verb for engines: which ones are enrolled, and how one that was taken away is left out."""

from typing import Annotated

import typer

from interlock.cli.announce import announcer
from interlock.cli.here import here, person
from interlock.cli.operate import MODEL, Model
from interlock.cli.output import AsJson, show_json, show_table
from interlock.errors import LastEngine
from interlock.release.enrolment import unenrol
from interlock.release.message import message
from interlock.settings import Settings


def engines(
    model: Model = MODEL,
    remove: Annotated[str | None, typer.Option(metavar="KIND/NAME", help="Leave this one out from now on.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    *,
    force: Annotated[bool, typer.Option(help="Also the last engine of an alias.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the engines that are enrolled for each alias of a model; every release of it is proved on all of them."""
    settings = Settings()
    env = here(settings)
    env.store.known(model)
    if remove:
        kind, _, name = remove.partition("/")
        try:
            aliases = unenrol(env, model, (kind, name), force=force, why=reason)
        except LastEngine as last:
            last.way_out = "--force leaves it out all the same"
            raise
        told = f"{remove} is not asked any more by releases of {model} {', '.join(aliases)}"
        typer.echo(told, err=as_json)
        announcer(settings).chat.say(
            message("UN-ENROLLED", model, f"{told}: {reason or 'no reason given'} (by {person()})")
        )
    variants = sorted(env.store.current(model).variants.items())
    if as_json:
        show_json([variant for _, variant in variants])
        return
    show_table(
        ("model", "alias", "version", "engine", "addresses", "budget"),
        (
            (
                model,
                alias,
                f"v{variant.active_version}",
                "/".join(ref.key),
                " ".join(ref.urls),
                f"{ref.latency_budget_ms:g} ms",
            )
            for alias, variant in variants
            for ref in variant.engines
        ),
    )
