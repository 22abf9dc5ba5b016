"""Answers of a batch, in a Parquet file that appears whole or not at all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from interlock.batch.parts import Batch
from interlock.errors import Unreadable
from interlock.model.answers import Answers
from interlock.model.named import class_names
from interlock.model.signature import Signature, Task
from interlock.store.durable import move, sync_file, writing

NAME = pa.dictionary(pa.int32(), pa.string())
WHO = ["model", "version", "run_id", "batch"]


@dataclass(frozen=True)
class Answered:
    """
    Answers to consecutive rows, of which the first has the position *first*.

    Args:
        customers: Text or null, n of them.
        answers: To n rows.
    """

    first: int
    customers: pa.Array
    answers: Answers


def schema_of(signature: Signature) -> pa.Schema:
    """
    Return the columns of the answers.

    `predict` is the name of the class, or the number; for several targets there is `predict_<target>` for each, and for
    multilabel it is a list of names. `confidence` is null where there is none.
    """
    return pa.schema(
        [
            pa.field("position", pa.int64(), nullable=False),
            pa.field("customer_id", pa.string()),
            *(pa.field(name, kind, nullable=False) for name, kind in predicted(signature).items()),
            pa.field("confidence", pa.float32()),
            pa.field("model", NAME, nullable=False),
            pa.field("version", pa.int32(), nullable=False),
            pa.field("run_id", NAME, nullable=False),
            pa.field("batch", NAME, nullable=False),
        ]
    )


def write_answers(path: Path, batch: Batch, signature: Signature, pieces: Iterable[Answered]) -> int:
    """
    Put the answers at *path*, atomically and durably; return the number of rows.

    Raises:
        Unwritable: The folder is read-only or full.
    """
    temporary, rows, schema = path.with_name(f".{path.name}-{uuid4().hex}"), 0, schema_of(signature)
    repeated = ["customer_id", *(name for name, kind in predicted(signature).items() if kind == NAME), *WHO]
    try:
        with writing(path.parent):
            with parquet.ParquetWriter(temporary, schema, use_dictionary=repeated, write_page_checksum=True) as file:
                for piece in pieces:
                    file.write_batch(_record_batch(batch, signature, schema, piece))
                    rows += len(piece.answers)
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


def predicted(signature: Signature) -> dict[str, pa.DataType]:
    """Return the columns that hold the answer, by their names."""
    if signature.task is Task.CLASSIFICATION:
        return {"predict": NAME}
    if signature.task is Task.MULTILABEL:
        return {"predict": pa.list_(pa.string())}
    if len(signature.targets) == 1:
        return {"predict": pa.float64()}
    return {f"predict_{target}": pa.float64() for target in signature.targets}


def _record_batch(batch: Batch, signature: Signature, schema: pa.Schema, piece: Answered) -> pa.RecordBatch:
    count, confidence = len(piece.answers), piece.answers.confidence()
    arrays = [
        pa.array(np.arange(piece.first, piece.first + count)),
        piece.customers,
        *_columns(piece.answers, signature),
        pa.nulls(count, pa.float32()) if confidence is None else pa.array(confidence, pa.float32()),
        _same(batch.question.model, count),
        pa.array(np.full(count, batch.version, dtype=np.int32)),
        _same(batch.run_id, count),
        _same(batch.name, count),
    ]
    return pa.record_batch(arrays, schema=schema)


def _columns(answers: Answers, signature: Signature) -> list[pa.Array]:
    if signature.task is Task.REGRESSION:
        return [pa.array(column.astype(np.float64)) for column in answers.numbers.T]  # type: ignore[union-attr]
    if signature.task is Task.MULTILABEL:
        return [pa.array(class_names(answers, signature), pa.list_(pa.string()))]
    labels = pa.array(answers.labels.astype(np.int32))  # type: ignore[union-attr]
    return [pa.DictionaryArray.from_arrays(labels, pa.array(signature.class_names))]


def _same(word: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([word]))
