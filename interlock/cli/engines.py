"""The operator's verb for engines: which ones are enrolled, and how one that was taken away is left out."""

from typing import Annotated

import typer

from interlock.cli.announce import announcer
from interlock.cli.operate import MODEL, Model, person
from interlock.environment import environment
from interlock.release.enrolment import unenrol
from interlock.release.message import message
from interlock.settings import Settings


def engines(
    model: Model = MODEL,
    remove: Annotated[str | None, typer.Option(metavar="KIND/NAME", help="Leave this one out from now on.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    *,
    force: Annotated[bool, typer.Option(help="Also the last engine of an alias.")] = False,
) -> None:
    """List the engines that are enrolled for each alias of a model; every release of it is proved on all of them."""
    settings = Settings()
    env = environment(settings, person())
    env.store.known(model)
    if remove:
        kind, _, name = remove.partition("/")
        aliases = unenrol(env, model, (kind, name), force=force, why=reason)
        told = f"{remove} is not asked any more by releases of {model} {', '.join(aliases)}"
        typer.echo(told)
        announcer(settings).chat.say(
            message("UN-ENROLLED", model, f"{told}: {reason or 'no reason given'} (by {person()})")
        )
    for alias, variant in sorted(env.store.current(model).variants.items()):
        typer.echo(f"{model} {alias}: v{variant.active_version}")
        for ref in variant.engines:
            typer.echo(f"    {'/'.join(ref.key)} {' '.join(ref.urls)}")
