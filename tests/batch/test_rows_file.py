"""Whatever lies where a batch's files should be: nothing hangs, fills the memory, or quotes a cell."""

import os
import subprocess
import sys
from pathlib import Path
from traceback import format_exception

import pyarrow as pa
import pytest
from pyarrow import parquet

from interlock.batch import rows_file
from interlock.batch.answers_file import read_answers
from interlock.batch.folder import BatchFolder, Work
from interlock.batch.rows_file import Piece, RowsFile
from interlock.errors import CorruptRecord, DeliveryError, InvalidRows, NotFound, Unreadable, Unwritable
from interlock.model.signature import Column, Input, Output, Signature

COLUMNS = [Column(name="job", categories=("a", "b")), Column(name="age")]


def signature(columns: list[Column]) -> Signature:
    inputs = [Input(name="input", columns=tuple(column.name for column in columns))]
    label = Output(name="label", role="label", dtype="int64")
    return Signature(columns=columns, inputs=inputs, outputs=[label], class_names=["no", "yes"])


SIGNATURE = signature(COLUMNS)
ODD = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "dangling": lambda path: path.symlink_to("nowhere"),
}
MEASURED = """
import resource, sys
from pathlib import Path
from test_rows_file import COLUMNS, SIGNATURE, RowsFile
from interlock.batch.parts import Part
from interlock.errors import InvalidRows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    whole = Part(number=0, groups=(0,), first=0, rows=int(sys.argv[2]))
    for piece in RowsFile.at(Path(sys.argv[1])).pieces(whole, COLUMNS, 65536):
        piece.tensors(SIGNATURE)
        piece.customers()
except InvalidRows as refused:
    print(refused)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.fixture(params=ODD)
def odd(request, tmp_path):
    path = tmp_path / "odd"
    ODD[request.param](path)
    return path


def test_rows_that_are_no_file_are_refused_and_wait_for_nobody(odd):
    with pytest.raises((NotFound, Unreadable)):
        RowsFile.at(odd)


def test_rows_that_became_a_pipe_are_told_and_wait_for_nobody(tmp_path):
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"age": [1.0]}), path)
    file = RowsFile.at(path)
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(Unreadable):
        file.groups()


def test_answers_that_are_no_file_are_told(odd):
    with pytest.raises(Unreadable):
        list(read_answers(odd, 10))


@pytest.mark.parametrize("name", ["lock", "answers"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_something_else_in_the_place_of_a_batchs_lock_or_folder_is_told(tmp_path, name, kind):
    work = Work(tmp_path, "b")
    work.folder.mkdir(parents=True)
    if (name, kind) == ("answers", "folder"):
        pytest.skip("that is what belongs there")
    ODD[kind](work.folder / name)

    with pytest.raises(Unwritable), BatchFolder(tmp_path).open("b"):
        pass


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_something_else_in_the_place_of_a_batchs_record_is_told(tmp_path, kind):
    work = Work(tmp_path, "b")
    work.answers.mkdir(parents=True)
    ODD[kind](work.answers / "_batch.json")

    with pytest.raises(CorruptRecord, match="no record of a batch"):
        work.batch()


@pytest.mark.parametrize(
    ("column", "length", "rows", "refused"),
    [
        ("job", 1 << 20, 2000, "rows 0 to 1999, column job: a text of more than 4096 bytes"),
        ("job", 4096, 65_536, "row 0, column job: not one of a, b"),
        ("customer_id", 4096, 65_536, "rows 0 to 65535, column customer_id: a text of more than 512 bytes"),
    ],
)
def test_a_text_that_is_said_once_and_meant_by_every_row_fills_no_memory(tmp_path, column, length, rows, refused):
    """Some kilobytes on disk, up to 2 GB in memory."""
    path = tmp_path / "bomb.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * length]))
    table = {"job": pa.array(["a"] * rows), "age": pa.array([1.0] * rows)} | {column: text}
    parquet.write_table(pa.table(table), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 50_000

    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), str(rows)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    refusal, megabytes = done.stdout.splitlines()
    assert refusal == refused
    assert int(megabytes) < 100


def test_a_column_that_inflates_to_more_than_memory_may_hold_is_refused_by_what_it_says(tmp_path, monkeypatch):
    path = tmp_path / "large.parquet"
    parquet.write_table(pa.table({"age": pa.array([0.0] * 100_000)}), path, use_dictionary=False, compression="zstd")
    monkeypatch.setattr(rows_file, "LARGEST_CHUNK", 100_000)

    with pytest.raises(Unreadable, match="inflates to"):
        RowsFile.at(path).groups()


def test_a_column_of_lists_is_refused_before_a_row_is_read(tmp_path):
    path = tmp_path / "lists.parquet"
    parquet.write_table(pa.table({"job": ["a"], "age": [[1.0] * 1000]}), path)

    with pytest.raises(InvalidRows, match="column age: each cell is a list"):
        RowsFile.at(path).check(COLUMNS)


def test_no_error_quotes_a_cell():
    """Arrow's own texts do."""
    customers = pa.array([b"hunter2\xff"], pa.binary())
    piece = Piece(
        0, pa.record_batch({"customer_id": customers, "job": pa.array(["hunter2"]), "age": pa.array(["hunter2"])})
    )

    for ask in (piece.customers, lambda: piece.tensors(SIGNATURE), lambda: piece.tensors(signature(COLUMNS[1:]))):
        with pytest.raises(DeliveryError) as told:
            ask()
        assert "hunter2" not in "".join(format_exception(told.value))
