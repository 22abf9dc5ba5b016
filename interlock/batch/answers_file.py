"""Answers of a batch, in a Parquet file that appears whole or not at all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from interlock.batch.parts import Batch
from interlock.errors import Unreadable
from interlock.model.manifest import Labels
from interlock.store.durable import move, sync_file, writing

NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("customer_id", pa.string()),
        pa.field("predict", NAME, nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("model", NAME, nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("run_id", NAME, nullable=False),
        pa.field("batch", NAME, nullable=False),
    ]
)
REPEATED = ["customer_id", "predict", "model", "version", "run_id", "batch"]


@dataclass(frozen=True)
class Answered:
    """
    Answers to consecutive rows, of which the first has the position *first*.

    Args:
        customers: Text or null, n of them.
        labels: shape (n,), indices into the class names.
        confidences: shape (n,), the probability of each label.
    """

    first: int
    customers: pa.Array
    labels: Labels
    confidences: npt.NDArray[np.float32]


def write_answers(path: Path, batch: Batch, class_names: list[str], pieces: Iterable[Answered]) -> int:
    """
    Put the answers at *path*, atomically and durably; return the number of rows.

    Raises:
        Unwritable: The folder is read-only or full.
    """
    temporary, rows = path.with_name(f".{path.name}-{uuid4().hex}"), 0
    try:
        with writing(path.parent):
            with parquet.ParquetWriter(temporary, SCHEMA, use_dictionary=REPEATED, write_page_checksum=True) as file:
                for piece in pieces:
                    file.write_batch(_record_batch(batch, class_names, piece))
                    rows += len(piece.labels)
            sync_file(temporary)
            move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def read_answers(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """
    Yield the answers of a file, *rows* at most at once.

    Raises:
        Unreadable: It is gone, cut short or damaged.
    """
    if not path.is_file():
        msg = f"{path} is not there, or no regular file"
        raise Unreadable(msg)
    try:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(rows, use_threads=False)
    except (pa.ArrowException, OSError):
        msg = f"{path} cannot be read: it is cut short or damaged"
        raise Unreadable(msg) from None  # what Arrow says may quote a cell


def _record_batch(batch: Batch, class_names: list[str], piece: Answered) -> pa.RecordBatch:
    count = len(piece.labels)
    arrays = [
        pa.array(np.arange(piece.first, piece.first + count)),
        piece.customers,
        pa.DictionaryArray.from_arrays(pa.array(piece.labels.astype(np.int32)), pa.array(class_names)),
        pa.array(piece.confidences),
        _same(batch.question.model, count),
        pa.array(np.full(count, batch.version, dtype=np.int32)),
        _same(batch.run_id, count),
        _same(batch.name, count),
    ]
    return pa.record_batch(arrays, schema=SCHEMA)


def _same(word: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([word]))
