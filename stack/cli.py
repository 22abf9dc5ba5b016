"""The `interlock` command."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from blocks.settings import Settings
from delivery import outbound
from delivery.errors import DeliveryError
from stack.engines import engines
from stack.errors import NotHere, StackError
from stack.operate import history, prune, reconcile, rollback, status
from stack.place import check_here
from stack.processes import Supervisor

if TYPE_CHECKING:
    from stack.demo import Demo
    from stack.demo_credit import DemoCredit
    from stack.demo_triton import DemoTriton

WRONG_PLACE = 2
"""Exit code of a command that was given in the wrong folder, or by the wrong user; 1 is what the command found."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def up() -> None:
    """Bring the local stack up: Prefect, MLflow, the serving app, a worker and the reconcile loop."""
    from stack import shell
    from stack.up import bring_up

    settings = Settings()
    bring_up(settings, typer.echo)
    typer.echo(
        f"Prefect  {settings.local_url('prefect')}  (its page asks for what is in {settings.prefect_login_file})"
    )
    typer.echo(f"MLflow   {settings.mlflow}")
    typer.echo(f"Serving  {settings.serving[0]}  (x-token in {settings.token_file})")
    typer.echo("To run flows from this shell:")
    for line in shell.lines(settings):
        typer.echo(f"  {line}")


@app.command()
def down() -> None:
    """Stop the local stack; what it stored stays."""
    settings = Settings()
    check_here(settings)
    supervisor = Supervisor(settings)
    if not supervisor.is_running():
        typer.echo("nothing runs")
        return
    supervisor.stop()
    typer.echo("stopped")


for verb in (status, history, rollback, engines, reconcile, prune):
    app.command()(verb)


@app.command()
def render_triton() -> None:
    """Render Triton's config.pbtxt from the decisions: an init container's job before tritonserver starts."""
    from stack.place import place
    from stack.triton_server import render

    settings = Settings()
    for folder in render(place(settings).store, settings.environment):
        typer.echo(folder)


@app.command()
def demo() -> None:
    """Show the main job on the local stack, and leave it up or down as it was."""
    from stack.demo import Demo

    _play(Demo, Settings())


@app.command()
def demo_triton() -> None:
    """Show releases to a real Triton on the local stack, and leave it up or down as it was."""
    from stack.demo_triton import DemoTriton
    from stack.triton_server import check

    check(Settings())
    _play(DemoTriton, Settings())


@app.command()
def demo_credit() -> None:
    """Show continuous deployment of a credit score on a stack of its own, and leave that up or down as it was."""
    from stack.demo_credit import DemoCredit, beside

    _play(DemoCredit, beside(Settings()))


@app.command()
def seed_credit(
    rows: Annotated[int, typer.Option(min=10, max=10_000_000, help="Number of customers.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same table.")] = 0,
    drift: Annotated[float, typer.Option(min=0, max=1, help="How far the world has moved.")] = 0.0,
) -> None:
    """Make a synthetic table of customers in the feature store, in place of the one there: what credit_score learns."""
    from stack.credit_table import seed as seed_table

    typer.echo(seed_table(Settings(), rows, seed, drift))


def _play(demo: type[Demo | DemoTriton | DemoCredit], settings: Settings) -> None:
    from stack.up import bring_up

    supervisor, story = Supervisor(settings), demo(settings, typer.echo)
    was_up = supervisor.is_running()
    try:
        bring_up(settings, typer.echo)
        story.play()
    finally:
        if not was_up and supervisor.is_running():
            supervisor.stop()
            typer.echo(
                f"The stack was down before, so it is down again: `{story.again}` brings it back with all of this."
            )


def main() -> None:
    """Run the command; what is wrong is said in one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        outbound.apply(Settings().addresses)
        app()
    except NotHere as error:
        _end(str(error), WRONG_PLACE)
    except PermissionError as error:
        _end(f"{error.filename or 'a file'}: {error.strerror}; whose it is can do that", WRONG_PLACE)
    except (DeliveryError, StackError) as error:
        _end(str(error))
    except OSError as error:
        _end(f"{error.filename or 'a file'}: {error.strerror or error}")
    except ValidationError as error:
        _end("; ".join(f"INTERLOCK_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))


def _end(why: str, code: int = 1) -> None:
    typer.echo(f"interlock: {why}", err=True)
    sys.exit(code)
