"""`python -m demos NAME`: show what Interlock does, on the real stack of this machine."""

from typing import Annotated

import typer

from demos.credit import DemoCredit, beside
from demos.credit_table import seed
from demos.main_job import Demo
from demos.triton import DemoTriton
from interlock.cli.main import telling
from interlock.settings import Settings
from interlock.stack.supervisor import Supervisor
from interlock.stack.triton.server import check
from interlock.stack.up import bring_up

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command("main-job")
def main_job() -> None:
    """Show the main job on the local stack, and leave it up or down as it was."""
    _play(Demo, Settings())


@app.command()
def triton() -> None:
    """Show releases to a real Triton on the local stack, and leave it up or down as it was."""
    check(Settings())
    _play(DemoTriton, Settings())


@app.command()
def credit() -> None:
    """Show continuous deployment of a credit score on a stack of its own, and leave that up or down as it was."""
    _play(DemoCredit, beside(Settings()))


@app.command()
def seed_credit(
    rows: Annotated[int, typer.Option(min=10, max=10_000_000, help="Number of customers.")] = 20_000,
    seed_: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same table.")] = 0,
    drift: Annotated[float, typer.Option(min=0, max=1, help="How far the world has moved.")] = 0.0,
) -> None:
    """Make a synthetic table of customers in the feature store, in place of the one there: what credit_score learns."""
    typer.echo(seed(Settings(), rows, seed_, drift))


def _play(demo: type[Demo | DemoTriton | DemoCredit], settings: Settings) -> None:
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


if __name__ == "__main__":
    telling(app)
