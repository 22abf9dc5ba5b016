"""The `interlock` command."""

from __future__ import annotations

import logging
import sys

import typer
from pydantic import ValidationError

from interlock import outbound
from interlock.cli.adopt import adopt
from interlock.cli.engines import engines
from interlock.cli.operate import history, prune, reconcile, rollback, status
from interlock.environment import check_here
from interlock.errors import DeliveryError, NotHere
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.supervisor import Supervisor

WRONG_PLACE = 2
"""Exit code of a command that was given in the wrong folder, or by the wrong user; 1 is what the command found."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def up() -> None:
    """Bring the local stack up: Prefect, MLflow, the serving app, a worker and the reconcile loop."""
    from interlock.cli import shell
    from interlock.stack.up import bring_up

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


for verb in (status, history, rollback, adopt, engines, reconcile, prune):
    app.command()(verb)


@app.command()
def render_triton() -> None:
    """Render Triton's config.pbtxt from the decisions: an init container's job before tritonserver starts."""
    from interlock.cli.here import here
    from interlock.stack.triton.server import render

    settings = Settings()
    for folder in render(here(settings).store, settings.environment):
        typer.echo(folder)


def main() -> None:
    """Run the command `interlock`."""
    telling(app)


def telling(command: typer.Typer) -> None:
    """Run a command; what is wrong is said in one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        outbound.apply(Settings().addresses)
        command()
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
