"""Rows in files, and batches that are made as the flow makes them, step by step in this process."""

from pathlib import Path

import pyarrow as pa
from prefect.logging import disable_run_logger
from pyarrow import parquet
from world.credit import credit
from world.models import decide, put

from blocks.feature_store import FeatureStore
from demos.credit_table import credit_table
from interlock.batch.folder import BatchFolder
from interlock.batch.parts import parts_of
from interlock.store import Store
from tasks import batch as steps
from tasks.batch import ask

MODEL = "best_model"
NO_TABLES = FeatureStore(url="sqlite:////nowhere/features.db")


def serving(root: Path) -> Store:
    """A repository in which a credit model is live for A."""
    store = Store(root)
    put(store, 1, credit())
    decide(store, "A", 1)
    return store


def arrow(table) -> pa.Table:
    cells = {name: pa.array(column, from_pandas=True) for name, column in table.items()}
    return pa.table(cells)


def write(path: Path, rows: int = 1000, group: int = 100, **change) -> Path:
    """A Parquet file of customers; *change* replaces columns."""
    parquet.write_table(arrow(credit_table(rows, seed=7) | change), path, row_group_size=group)
    return path


def make(
    store: Store, root: Path, *, name="b", tables=NO_TABLES, chunk_rows=100, version=None, parts=None, **source
) -> pa.Table:
    """Make a batch; with *parts*, stop after so many of them, as a run that dies does."""
    query, table = source.get("query"), source.get("table")
    file, question = ask(MODEL, "A", version, source.get("parquet"), query, table, "t", chunk_rows)
    with disable_run_logger(), BatchFolder(root).open(name) as work:
        batch = steps.pin.fn(store, work, question)
        if not work.is_finished():
            steps.begin.fn(store, work, batch, file, tables)
            rows = file or steps.copy_rows.fn(tables, store, work, batch)
            every = parts_of(rows.groups(), chunk_rows)
            for part in work.missing(every)[:parts]:
                steps.score.fn(store, work, batch, rows, part)
            if parts is not None:
                raise KeyboardInterrupt
            if table:
                steps.fill_table.fn(tables, store, work, batch, every)
            steps.publish.fn(work)
    return answers(root / name)


def answers(folder: Path) -> pa.Table:
    """What a user reads: the folder as one table."""
    return parquet.read_table(folder)
