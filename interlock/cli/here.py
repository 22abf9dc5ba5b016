"""Where a command works, and who gives it."""

import getpass
import os
import socket

import typer

from interlock.environment import environment
from interlock.release.environment import Environment
from interlock.settings import Settings


def here(settings: Settings, who: str | None = None) -> Environment:
    """
    Return the environment that the command works on, and say on stderr which one it is.

    Raises:
        NotHere: There is none in this folder; the message names the way out.
        PermissionError: It is another user's.
    """
    env = environment(settings, who or person())
    typer.echo(f"environment {settings.environment}, repository {env.store.root}", err=True)
    return env


def person() -> str:
    """Return who types the command."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
