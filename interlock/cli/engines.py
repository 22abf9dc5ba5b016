"""The operator's verb for engines: which ones are enrolled, and how one that was taken away is left out."""

from typing import Annotated

import typer

from interlock.cli.announce import people
from interlock.cli.operate import MODEL, Model, person
from interlock.environment import Place, place
from interlock.errors import LastEngine
from interlock.records import Run
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
    where = place(settings)
    where.store.known(model)
    if remove:
        aliases = _remove(where, model, remove, reason, force=force)
        told = f"{remove} is not asked any more by releases of {model} {', '.join(aliases)}"
        typer.echo(told)
        people(settings).chat.say(
            message("UN-ENROLLED", model, f"{told}: {reason or 'no reason given'} (by {person()})")
        )
    for alias, variant in sorted(where.store.current(model).variants.items()):
        typer.echo(f"{model} {alias}: v{variant.active_version}")
        for ref in variant.engines:
            typer.echo(f"    {'/'.join(ref.key)} {' '.join(ref.urls)}")


def _remove(where: Place, model: str, engine: str, why: str, *, force: bool) -> list[str]:
    kind, _, name = engine.partition("/")
    try:
        return unenrol(
            where.store,
            model,
            (kind, name),
            force=force,
            engine_for=where.engine_for,
            registry=where.registry,
            run=Run(who=person()),
            why=why,
        )
    except LastEngine as last:
        msg = f"{last}; --force leaves it out all the same"
        raise LastEngine(msg) from last
