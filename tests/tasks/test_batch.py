"""Batches: the answers of the serving app, each row once, whatever happens meanwhile."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient
from world.batches import answers, arrow, make, serving, write
from world.credit import FEATURES, credit
from world.models import decide, put, settings_of
from world.postgres import DATABASES

from blocks.feature_store import FeatureStore
from demos.credit_table import TABLE, credit_table
from interlock.adapters.feature_store import FeatureStore as Tables
from interlock.errors import (
    Busy,
    CorruptRecord,
    Damaged,
    DigestRefused,
    InvalidName,
    InvalidRows,
    NotFound,
    Refused,
    Unreadable,
    Unwritable,
)
from interlock.serving.app import create_app
from interlock.store import Writer
from learners.credit_score import LEARNER

COLUMNS = ["position", "customer_id", "predict", "confidence", "model", "version", "run_id", "batch"]
both = pytest.mark.parametrize("database", DATABASES, indirect=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A repository in which version 1 of a credit model is live."""
    return serving(tmp_path_factory.mktemp("store") / "repository")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "batches"


@pytest.fixture
def file(tmp_path) -> str:
    return str(write(tmp_path / "rows.parquet"))


def test_the_answers_are_the_serving_apps_row_by_row(store, root, file):
    made = make(store, root, parquet=file)

    rows = parquet.read_table(file, columns=["customer_id", *FEATURES]).to_pylist()
    asked = [{"customer_id": row.pop("customer_id"), "features": row} for row in rows]
    with TestClient(create_app(settings_of(store))) as client:
        told = [
            answer for n in range(0, 1000, 250) for answer in client.post("/predict", json=asked[n : n + 250]).json()
        ]
    assert made.column_names == COLUMNS
    assert made["position"].to_pylist() == list(range(1000))
    for name in ("customer_id", "predict", "model", "version"):
        assert made[name].to_pylist() == [answer[name] for answer in told]
    np.testing.assert_allclose(made["confidence"], [answer["confidence"] for answer in told], atol=1e-6)
    assert set(made["run_id"].to_pylist()) == {"run-1"}
    assert set(made["batch"].to_pylist()) == {"b"}


@both
def test_a_query_gives_what_the_file_gives_in_a_folder_and_in_a_table(store, root, file, database):
    Tables(database).replace(TABLE, credit_table(1000, seed=7))
    tables = FeatureStore(url=database)

    make(store, root, name="file", parquet=file)
    made = make(store, root, tables=tables, table="answers")

    assert made.drop(["batch"]) == answers(root / "file").drop(["batch"])
    engine = create_engine(database)
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT {', '.join(COLUMNS)} FROM answers ORDER BY position")).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [tuple(row.values()) for row in made.to_pylist()]


@pytest.mark.parametrize("parts", [0, 1, 5, 10])
def test_a_run_that_died_is_gone_on_with_by_the_version_that_it_began_with(tmp_path, root, file, parts):
    store = serving(tmp_path / "repository")
    whole = make(store, root, name="whole", parquet=file)
    with pytest.raises(KeyboardInterrupt):
        make(store, root, parquet=file, parts=parts)
    put(store, 2, credit(10))
    decide(store, "A", 2)

    made = make(store, root, parquet=file)

    assert set(made["version"].to_pylist()) == {1 if parts else 2}
    assert made["position"] == whole["position"]
    assert (made["predict"].to_pylist() == whole["predict"].to_pylist()) == bool(parts)
    assert sorted(p.name for p in root.rglob("*") if p.is_dir()) == [".work", "b", "whole"]


def test_a_batch_that_is_whole_is_not_made_again(store, root, file):
    made = make(store, root, parquet=file)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")}

    assert make(store, root, parquet=file) == made
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet")} == before


def test_rows_of_a_query_stay_what_they_were_when_the_batch_began(store, root, tmp_path):
    url = f"sqlite:///{tmp_path}/features.db"
    tables = FeatureStore(url=url)
    Tables(url).replace(TABLE, credit_table(500, seed=7))
    with pytest.raises(KeyboardInterrupt):
        make(store, root, tables=tables, parts=2)
    Tables(url).replace(TABLE, credit_table(300, seed=8))

    made = make(store, root, tables=tables)

    parquet.write_table(arrow(credit_table(500, seed=7)), tmp_path / "same.parquet")
    same = make(store, root, name="same", parquet=str(tmp_path / "same.parquet"))
    assert made.drop(["batch"]).to_pylist() == same.drop(["batch"]).to_pylist()


def test_a_batch_goes_on_only_for_the_same_question(store, root, file, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(store, root, parquet=file, parts=2)
    other = str(write(tmp_path / "other.parquet", rows=900))

    with pytest.raises(Refused, match="batch b was begun with another parquet, parquet_sha256; name another"):
        make(store, root, parquet=other)
    with pytest.raises(Refused, match="another version, chunk_rows"):
        make(store, root, parquet=file, version=1, chunk_rows=50)
    assert len(make(store, root, parquet=file)) == 1000


def test_one_run_at_a_time_makes_a_batch(store, root, file):
    from interlock.batch.folder import BatchFolder

    with BatchFolder(root).open("b"), pytest.raises(Busy, match="batch b is being made by another run"):
        make(store, root, parquet=file)


def test_a_version_that_was_refused_meanwhile_answers_no_more(tmp_path, root, file):
    from world.fakes import RUN

    store = serving(tmp_path / "repository")
    with pytest.raises(KeyboardInterrupt):
        make(store, root, parquet=file, parts=2)
    sha256 = store.manifest("best_model", 1).sha256
    with Writer.locked(store, "best_model", RUN) as writer:
        writer.refuse_digest(sha256, 1, "rolled back")

    with pytest.raises(DigestRefused, match="v1 is refused: rolled back"):
        make(store, root, parquet=file)
    with pytest.raises(DigestRefused):
        make(store, root, name="other", parquet=file, version=1)


def test_a_model_that_is_not_what_was_decided_answers_nothing(tmp_path, root, file):
    store = serving(tmp_path / "repository")
    with store.paths("best_model").onnx(1).open("ab") as onnx:
        onnx.write(b"\0")

    with pytest.raises(Damaged, match="best_model v1"):
        make(store, root, parquet=file)
    assert list(root.rglob("*.*")) == [root / ".work"]


def test_a_customer_may_be_there_twice_or_not_be_told(store, root, tmp_path):
    twice = np.array(["C-1"] * 200, dtype=object)
    made = make(store, root, parquet=str(write(tmp_path / "t.parquet", 200, customer_id=twice)))
    numbers = make(store, root, name="n", parquet=str(write(tmp_path / "n.parquet", 200, customer_id=np.arange(200))))
    parquet.write_table(parquet.read_table(tmp_path / "t.parquet").drop(["customer_id"]), tmp_path / "none.parquet")
    none = make(store, root, name="none", parquet=str(tmp_path / "none.parquet"))

    assert made["customer_id"].to_pylist() == ["C-1"] * 200
    assert made["position"].to_pylist() == list(range(200))
    assert numbers["customer_id"].to_pylist() == [str(n) for n in range(200)]
    assert none["customer_id"].to_pylist() == [None] * 200
    assert none["predict"].to_pylist() == made["predict"].to_pylist()


def cells(name, position, cell, rows=1000):
    column = credit_table(rows, seed=7)[name].astype(object)
    column[position] = cell
    return {name: column}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cells("age", 733, None), "row 733, column age: null, and the column is not nullable"),
        (cells("occupation", 733, "pirate-4111"), "row 733, column occupation: not one of accountant"),
        (cells("annual_income", 733, 4.111e39), "row 733, column annual_income: not a finite float32"),
        ({"age": np.array(["4111"] * 1000, dtype=object)}, "row 0, column age: not a number"),
        ({"age": np.array([True] * 1000)}, "row 0, column age: not a number"),
        ({"occupation": np.arange(1000)}, "row 0, column occupation: not one of"),
        ({"age": np.array(["2025-12-31"] * 1000, dtype="datetime64[D]")}, "row 0, column age: not a number"),
        ({"customer_id": np.arange(1000) + 0.5}, "column customer_id: neither text nor a whole number"),
    ],
)
def test_a_row_that_the_model_does_not_take_is_named_by_its_position_and_never_shown(
    store, root, tmp_path, change, says
):
    with pytest.raises(InvalidRows, match=says) as refused:
        make(store, root, parquet=str(write(tmp_path / "bad.parquet", **change)))
    assert "4111" not in str(refused.value)
    assert list(root.rglob("*.*")) == [root / ".work"]


def test_a_row_of_a_query_is_named_by_its_position_too_and_nothing_stays(store, root, tmp_path):
    url = f"sqlite:///{tmp_path}/features.db"
    Tables(url).replace(TABLE, credit_table(1000, seed=7) | cells("occupation", 733, "pirate-4111"))

    with pytest.raises(InvalidRows, match="row 733, column occupation") as refused:
        make(store, root, tables=FeatureStore(url=url), table="answers")
    assert "4111" not in str(refused.value)
    assert list(root.rglob("*.*")) == [root / ".work"]
    with pytest.raises(NotFound):
        Tables(url).read("SELECT * FROM answers")


def renamed(path):
    table = parquet.read_table(path)
    names = ["credits" if name == "loans" else name for name in table.column_names]
    parquet.write_table(table.rename_columns(names), path)


def cut_in_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (cut_in_half, Unreadable, "cut short, damaged, or no Parquet file"),
        (lambda path: path.write_bytes(b""), Unreadable, "cut short"),
        (lambda path: path.write_text("age,loans\n1,2\n"), Unreadable, "no Parquet file"),
        (lambda path: path.unlink(), NotFound, "there is no file"),
        (renamed, InvalidRows, "no column loans; it has customer_id, age"),
    ],
)
def test_a_file_that_cannot_be_answered_is_refused_before_anything_is_written(store, root, file, spoil, error, says):
    spoil(Path(file))

    with pytest.raises(error, match=says):
        make(store, root, parquet=file)
    assert list(root.rglob("*.*")) in ([], [root / ".work"])


def test_a_file_that_is_damaged_inside_is_refused_when_it_is_read(store, root, file):
    content = bytearray(Path(file).read_bytes())
    content[5000:9000] = bytes(4000)
    Path(file).write_bytes(content)

    with pytest.raises((Unreadable, InvalidRows)):
        make(store, root, parquet=file)
    assert list(root.rglob("*.*")) == [root / ".work"]


def test_a_file_that_changes_under_the_run_is_refused(store, root, file):
    from interlock.batch.rows_file import RowsFile

    looked = RowsFile.at(Path(file))
    write(Path(file), rows=900)

    with pytest.raises(Unreadable, match="has changed since this run began"):
        looked.groups()


def test_no_rows_are_answered_by_none(store, root, tmp_path):
    made = make(store, root, parquet=str(write(tmp_path / "none.parquet", rows=0)))
    url = f"sqlite:///{tmp_path}/features.db"
    Tables(url).replace(TABLE, credit_table(10))
    none = make(store, root, name="q", tables=FeatureStore(url=url), query=f"SELECT * FROM {TABLE} WHERE age < 0")

    assert (made.num_rows, none.num_rows) == (0, 0)
    assert made.column_names == none.column_names == COLUMNS


def test_a_row_group_that_is_larger_than_a_chunk_is_read_in_chunks(store, root, tmp_path, file):
    one = str(write(tmp_path / "one.parquet", group=1000))

    made = make(store, root, name="one", parquet=one, chunk_rows=64)

    assert len(list((root / "one").glob("part-*"))) == 1
    assert made.drop(["batch"]) == make(store, root, parquet=file).drop(["batch"])


def test_a_folder_that_is_no_batch_is_left_alone(store, root, file):
    (root / "b").mkdir(parents=True)
    (root / "b" / "mine.txt").write_text("x")

    with pytest.raises(CorruptRecord, match="is there and is no batch"):
        make(store, root, parquet=file)
    assert [path.name for path in (root / "b").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_told_before_a_row_is_answered(store, tmp_path, file):
    (tmp_path / "plain").write_text("no folder")

    with pytest.raises(Unwritable, match="plain/.work/b cannot be written"):
        make(store, tmp_path / "plain", parquet=file)


def test_what_can_name_no_batch_table_or_source_is_refused(store, root, file):
    with pytest.raises(InvalidName, match="batch '../b'"):
        make(store, root, name="../b", parquet=file)
    with pytest.raises(InvalidName, match="table"):
        make(store, root, parquet=file, table="a; DROP TABLE b")
    with pytest.raises(Refused, match="not from both"):
        make(store, root, parquet=file, query="SELECT 1")
    with pytest.raises(NotFound, match="v9 is not in the model repository"):
        make(store, root, parquet=file, version=9)


def test_a_table_of_another_kind_is_refused_before_a_row_is_answered(store, root, tmp_path, file):
    url = f"sqlite:///{tmp_path}/features.db"
    Tables(url).replace(TABLE, credit_table(10))

    with pytest.raises(Refused, match=f"the table {TABLE} is there, without"):
        make(store, root, parquet=file, tables=FeatureStore(url=url), table=TABLE)
    assert list(root.rglob("*.*")) == [root / ".work"]
    assert len(Tables(url).read(LEARNER.query)["age"]) == 10


def test_dictionaries_and_whole_numbers_are_taken_as_what_they_stand_for(store, root, tmp_path, file):
    table = parquet.read_table(file)
    place = table.column_names.index("occupation")
    table = table.set_column(place, "occupation", table["occupation"].dictionary_encode())
    table = table.set_column(table.column_names.index("age"), "age", table["age"].cast(pa.int16()))
    parquet.write_table(table, tmp_path / "d.parquet", row_group_size=100)

    made = make(store, root, name="d", parquet=str(tmp_path / "d.parquet"))

    assert made.drop(["batch"]) == make(store, root, parquet=file).drop(["batch"])


def test_killed_at_any_file_operation_it_goes_on_and_no_row_is_there_twice(home):
    given = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "prove.batch_kills", home]

    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=250, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 15
