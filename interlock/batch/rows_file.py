"""Rows to predict, in a Parquet file that is read and written piece by piece: memory is bounded by the piece."""

import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute, parquet

from interlock.batch.parts import CUSTOMER, Part
from interlock.errors import InvalidRows, NotFound, Unreadable
from interlock.model.cells import Array, encoded_column
from interlock.model.rows import Table, Tensors, check_columns, encode_table
from interlock.model.signature import Column, Dtype, Signature
from interlock.store.durable import sync_file

BUFFER = 1 << 20
"""Bytes of a column that are read at once; without it, a whole row group is."""
LARGEST_CHUNK = 1 << 30
"""Most bytes that a column of a row group may inflate to, as the file says of itself."""
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
LONGEST_CELL = 4096
"""Most bytes of a text."""
LONGEST_ID = 512
"""Most bytes of a customer's id, which every row of a piece has for itself: as many as the serving app takes."""


@dataclass(frozen=True)
class Piece:
    """Consecutive rows, of which the first has the position *first*."""

    first: int
    cells: pa.RecordBatch

    def tensors(self, signature: Signature) -> Tensors:
        """
        Return the rows as the model takes them.

        Raises:
            InvalidRows: A value is not valid for its column.
        """
        table = {column.name: _numpy(self._column(column.name, LONGEST_CELL)) for column in signature.columns}
        return encode_table(table, signature, self.first)

    def customers(self) -> pa.Array:
        """
        Return whose rows these are, as text; null where the file does not say.

        Raises:
            InvalidRows: One is too long, or no text.
        """
        if CUSTOMER not in self.cells.schema.names:
            return pa.nulls(self.cells.num_rows, pa.string())
        try:
            return _decoded(self._column(CUSTOMER, LONGEST_ID)).cast(pa.string())
        except pa.ArrowException:
            msg = f"rows {self.first} to {self.first + self.cells.num_rows - 1}, column {CUSTOMER}: one is no text"
            raise InvalidRows(msg) from None  # it quotes the cell

    def _column(self, name: str, longest: int) -> pa.Array:
        """Return a column; no text of it is longer than *longest* bytes, and one that many rows share is there once."""
        cells = self.cells.column(name)
        texts = cells.dictionary if pa.types.is_dictionary(cells.type) else cells
        if _is_text(texts.type) and (compute.max(compute.binary_length(texts)).as_py() or 0) > longest:
            last = self.first + self.cells.num_rows - 1
            msg = f"rows {self.first} to {last}, column {name}: a text of more than {longest} bytes"
            raise InvalidRows(msg)
        return cells


@dataclass(frozen=True)
class RowsFile:
    """A Parquet file as it was when it was first looked at."""

    path: Path
    size: int
    changed_ns: int

    @classmethod
    def at(cls, path: Path) -> Self:
        """
        Return the file at *path*.

        Raises:
            NotFound: There is none.
            Unreadable: What is there is no regular file: to open a named pipe would wait for ever.
        """
        try:
            found = path.stat()
        except OSError as error:
            msg = f"there is no file {path}: {error.strerror}"
            raise NotFound(msg) from error
        if not stat.S_ISREG(found.st_mode):
            msg = f"{path} is no regular file"
            raise Unreadable(msg)
        return cls(path, found.st_size, found.st_mtime_ns)

    def groups(self) -> list[int]:
        """
        Return the number of rows of each row group.

        Raises:
            Unreadable: It is cut short, damaged, or no Parquet file, or inflates to more than memory may hold.
        """
        with self._opened() as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            largest = max(
                (g.column(n).total_uncompressed_size for g in groups for n in range(g.num_columns)), default=0
            )
            if largest > LARGEST_CHUNK:
                msg = f"{self.path}: a column of a row group inflates to {largest} bytes, {LARGEST_CHUNK} are taken"
                raise Unreadable(msg)
            return [group.num_rows for group in groups]

    def check(self, columns: Sequence[Column]) -> None:
        """
        Look whether it has the columns that a model takes.

        Raises:
            InvalidRows: A column is missing, is there twice, holds lists, or `customer_id` is no text.
            Unreadable: It is cut short, damaged, or no Parquet file.
        """
        with self._opened() as file:
            schema = file.schema_arrow
        check_columns(schema.names, columns)
        twice = [c for c in (*(c.name for c in columns), CUSTOMER) if schema.names.count(c) > 1]
        if twice:
            msg = f"column {twice[0]} is there twice"
            raise InvalidRows(msg)
        nested = [column.name for column in columns if pa.types.is_nested(schema.field(column.name).type)]
        if nested:
            msg = f"column {nested[0]}: each cell is a list or a record"
            raise InvalidRows(msg)
        if CUSTOMER in schema.names and not _is_id(schema.field(CUSTOMER).type):
            msg = f"column {CUSTOMER}: neither text nor a whole number"
            raise InvalidRows(msg)

    def pieces(self, part: Part, columns: Sequence[Column], rows: int) -> Iterator[Piece]:
        """
        Yield the rows of *part*, *rows* at most at once.

        Raises:
            Unreadable: It is damaged, or has changed.
        """
        first = part.first
        wanted = {column.name for column in columns} | {CUSTOMER}
        with self._opened() as file:
            names = [name for name in file.schema_arrow.names if name in wanted]
        with self._opened(names) as file:
            batches = file.iter_batches(rows, list(part.groups), names, use_threads=False) if part.groups else ()
            for cells in batches:
                yield Piece(first, cells)
                first += cells.num_rows
        if first != part.first + part.rows:
            msg = f"{self.path}: rows {part.first} to {part.first + part.rows - 1} are not all there"
            raise Unreadable(msg)

    @contextmanager
    def _opened(self, once: Collection[str] = ()) -> Iterator[parquet.ParquetFile]:
        """Open it; of the columns *once*, a text that many rows share is held once."""
        self._check_unchanged()
        try:
            with parquet.ParquetFile(
                self.path,
                buffer_size=BUFFER,
                pre_buffer=False,
                page_checksum_verification=True,
                read_dictionary=sorted(once),
            ) as file:
                self._check_unchanged()
                yield file
        except (pa.ArrowException, OSError):
            msg = f"{self.path} cannot be read: it is cut short, damaged, or no Parquet file"
            raise Unreadable(msg) from None  # what Arrow says may quote a cell

    def _check_unchanged(self) -> None:
        if RowsFile.at(self.path) != self:
            msg = f"{self.path} has changed since this run began"
            raise Unreadable(msg)


def write_rows(path: Path, tables: Iterable[Table], columns: Sequence[Column]) -> int:
    """
    Write the pieces of a table as a file at *path*, durably; return the number of rows.

    Raises:
        InvalidRows: A column is missing, or a value is not valid for its column; the message names both.
    """
    features = [pa.field(column.name, _kind_of(column)) for column in columns]
    schema, first = pa.schema([*features, pa.field(CUSTOMER, pa.string())]), 0
    with parquet.ParquetWriter(path, schema, write_page_checksum=True) as file:
        for table in tables:
            check_columns(table, columns)
            arrays = [_arrow(encoded_column(table[column.name], column, first), column) for column in columns]
            rows = len(arrays[0])
            file.write_batch(pa.record_batch([*arrays, _customers(table, rows)], schema=schema))
            first += rows
    sync_file(path)
    return first


def _is_id(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null)
    )


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in TEXTS)


def _numpy(cells: pa.Array) -> npt.NDArray[Any]:
    """Return the cells; rows that share a text share one object."""
    if not pa.types.is_dictionary(cells.type):
        return np.asarray(cells.to_numpy(zero_copy_only=False))
    values = np.asarray([*cells.dictionary.to_pylist(), None], dtype=object)
    return np.asarray(values[cells.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)])


def _decoded(cells: pa.Array) -> pa.Array:
    """Return the cells, each with its own text."""
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _kind_of(column: Column) -> pa.DataType:
    kinds = {Dtype.FLOAT64: pa.float64(), Dtype.INT64: pa.int64(), Dtype.BOOL: pa.bool_(), Dtype.STRING: pa.string()}
    return pa.string() if column.categories else kinds.get(column.dtype, pa.float32())


def _arrow(cells: Array, column: Column) -> pa.Array:
    """Return an encoded column; a category by its name again, so that it is checked as every other file is."""
    if column.dtype is Dtype.STRING:
        return pa.array([text or None for text in cells.tolist()], pa.string())
    missing = np.isnan(cells)
    if not column.is_coded:
        return pa.array(np.where(missing, 0, cells), mask=missing).cast(_kind_of(column), safe=False)
    places = pa.array(np.where(missing, 0, cells).astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(places, pa.array(column.categories, pa.string())).dictionary_decode()


def _customers(table: Table, rows: int) -> pa.Array:
    cells = table[CUSTOMER].tolist() if CUSTOMER in table else [None] * rows
    return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
