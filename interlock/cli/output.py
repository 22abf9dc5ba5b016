"""What commands print: tables and lines for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
WIDE = 10_000
"""Columns where nobody looks at a terminal: nothing is cut or wrapped."""


def show_json(content: object) -> None:
    """Print records, dataclasses and lists of them as JSON."""
    typer.echo(json.dumps(content, indent=2, default=_plain))


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]], indent: int = 0) -> None:
    """Print *rows* below *headers*, as wide as a terminal is; to a file or a pipe, as wide as they are."""
    table = Table(*headers, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE, highlight=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        typer.echo(" " * indent + line.rstrip())


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.value if isinstance(value, Enum) else str(value)
