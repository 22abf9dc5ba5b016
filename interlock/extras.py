"""Parts of Interlock that are installed only where they are used: the extras of `pyproject.toml`."""

from collections.abc import Iterator
from contextlib import contextmanager

from interlock.errors import NotInstalled


@contextmanager
def extra(name: str) -> Iterator[None]:
    """
    Import what the extra *name* brings.

    Raises:
        NotInstalled: A module of it is missing; the message names the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotInstalled(missing(str(error.name), name)) from error


def missing(module: str, name: str) -> str:
    """Return that *module*, which the extra *name* brings, is not installed, and the command that installs it."""
    return f"{module} is not installed; the extra `{name}` brings it: `uv pip install 'interlock[{name}]'`"
