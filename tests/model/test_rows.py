"""Rows as clients and tables have them -> the tensor that a model takes."""

import time
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import InvalidRows
from interlock.model.manifest import Golden, Manifest
from interlock.model.rows import encode_rows as tensors_of_rows
from interlock.model.rows import encode_table as tensors_of_table
from interlock.model.signature import Column, Input, Output, Signature

COLUMNS = [
    Column(name="age"),
    Column(name="job", nullable=True, categories=("baker", "cook")),
    Column(name="income", nullable=True),
    Column(name="paid", categories=("no", "yes")),
]
GOOD = {"age": 30, "job": "cook", "income": 1000.5, "paid": "no"}


def signature(columns, inputs=None):
    names = tuple(column.name for column in columns)
    return Signature(
        columns=columns,
        inputs=inputs or [Input(name="input", columns=names)],
        outputs=[Output(name="label", role="label", dtype="int64")],
        class_names=["no", "yes"],
    )


def encode_rows(rows, columns):
    return tensors_of_rows(rows, signature(columns)).arrays["input"]


def encode_table(table, columns, first=0):
    return tensors_of_table(table, signature(columns), first).arrays["input"]


def table(*records):
    return {name: np.array([record[name] for record in records], dtype=object) for name in GOOD}


def test_a_category_becomes_its_code_and_a_missing_cell_nan():
    record = {"paid": "yes", "job": None, "income": None, "age": 30}

    tensor = encode_rows([GOOD, record], COLUMNS)

    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor, [[30, 1, 1000.5, 0], [30, np.nan, np.nan, 1]])


def test_a_list_is_the_tensor_as_it_is():
    np.testing.assert_array_equal(encode_rows([[30, 1, None, 0]], COLUMNS), [[30, 1, np.nan, 0]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age": None}, "column age: null, and the column is not nullable"),
        ({"age": "30"}, "column age: not a number"),
        ({"age": True}, "column age: not a number"),
        ({"age": float("nan")}, "column age: not a finite"),
        ({"income": float("inf")}, "column income: not a finite"),
        ({"income": 1e39}, "column income: not a finite"),
        ({"income": 10**400}, "column income: not a finite"),
        ({"job": "4111-1111"}, "column job: not one of baker, cook"),
        ({"job": 1}, "column job: not one of"),
        ({"job": ["cook"]}, "column job: not one of"),
        ({"paid": None}, "column paid: null"),
        ({"ssn": "4111-1111"}, "unknown column ssn"),
    ],
)
def test_everything_else_is_refused_naming_the_column_and_never_the_value(change, says):
    with pytest.raises(InvalidRows, match=f"row 1.*{says}") as refused:
        encode_rows([GOOD, GOOD | change], COLUMNS)
    assert "4111" not in str(refused.value)


@pytest.mark.parametrize("cells", [[30, 2, 1, 0], [30, 0.5, 1, 0], [30, -1, 1, 0], [30, "cook", 1, 0], [30, 1, 1]])
def test_a_list_with_what_is_no_code_is_refused(cells):
    with pytest.raises(InvalidRows):
        encode_rows([cells], COLUMNS)


def test_ten_thousand_unknown_keys_make_a_short_message_in_no_time():
    record = GOOD | {f"\u202ekey-{n}" + "x" * 1000: n for n in range(10_000)}

    started = time.perf_counter()
    with pytest.raises(InvalidRows, match="and 9995 more") as refused:
        encode_rows([record], COLUMNS)

    assert time.perf_counter() - started < 0.5
    assert len(str(refused.value)) < 500
    assert str(refused.value).isascii()


cells = {
    "age": st.integers(0, 120),
    "job": st.sampled_from([None, "baker", "cook"]),
    "income": st.none() | st.floats(-1e30, 1e30),
    "paid": st.sampled_from(["no", "yes"]),
}


@given(st.lists(st.fixed_dictionaries(cells), min_size=1))
def test_a_table_and_its_records_are_the_same_tensor(records):
    np.testing.assert_array_equal(encode_table(table(*records), COLUMNS), encode_rows(records, COLUMNS))


def test_a_table_takes_what_databases_give():
    made = table(GOOD | {"age": Decimal("30.5")}, GOOD) | {"income": np.array([np.nan, 2.0]), "more": np.array([1, 2])}

    np.testing.assert_array_equal(encode_table(made, COLUMNS), [[30.5, 1, np.nan, 0], [30, 1, 2, 0]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age": None}, "column age: null"),
        ({"age": "30"}, "column age: not a number"),
        ({"income": 1e39}, "column income: not a finite"),
        ({"job": "4111-1111"}, "column job: not one of"),
        ({"paid": None}, "column paid: null"),
    ],
)
def test_a_cell_that_a_table_must_not_hold_is_refused(change, says):
    with pytest.raises(InvalidRows, match=f"row 1.*{says}"):
        encode_table(table(GOOD, GOOD | change), COLUMNS)


def test_a_cell_of_a_category_that_is_a_list_is_refused():
    cells = np.empty(1, dtype=object)
    cells[0] = ["cook"]

    with pytest.raises(InvalidRows, match="column job: not one of"):
        encode_table(table(GOOD) | {"job": cells}, COLUMNS)


def test_a_piece_of_a_table_names_the_row_by_its_position_in_the_whole():
    for change, column in (({"age": None}, "age"), ({"age": "4111"}, "age"), ({"job": "4111"}, "job")):
        with pytest.raises(InvalidRows, match=f"row 1000001, column {column}") as refused:
            encode_table(table(GOOD, GOOD | change), COLUMNS, first=1_000_000)
        assert "4111" not in str(refused.value)


def test_a_table_without_a_column_is_refused_by_name():
    renamed = {name.replace("income", "salary"): cells for name, cells in table(GOOD).items()}

    with pytest.raises(InvalidRows, match="no column income; it has age, job, salary, paid"):
        encode_table(renamed, COLUMNS)


def test_a_manifest_of_before_has_plain_columns():
    old = Column.model_validate({"name": "x", "dtype": "float32"})

    assert (old.nullable, old.categories, str(old)) == (False, (), "x float32")
    assert str(COLUMNS[1]) == "job one of baker|cook or null"


def test_a_golden_row_keeps_its_missing_cells():
    golden = Golden(rows=[[1.0, None]], labels=[0], probabilities=[[0.5, 0.5]])
    again = Golden.model_validate_json(golden.model_dump_json())

    columns = [Column(name="a"), Column(name="b", nullable=True)]
    np.testing.assert_array_equal(encode_rows(again.rows, columns), [[1, np.nan]])
    assert Manifest.model_fields["golden"].annotation is Golden


MIXED = [
    Column(name="age"),
    Column(name="city", dtype="string"),
    Column(name="job", dtype="string", nullable=True, categories=("baker", "cook")),
    Column(name="member", dtype="bool"),
    Column(name="count", dtype="int64"),
    Column(name="seconds", dtype="float64"),
]
GOOD_MIXED = {"age": 30, "city": "Bern", "job": "cook", "member": True, "count": 5, "seconds": 1_764_000_001.25}


def mixed():
    kinds = {"city": "string", "job": "string", "member": "bool", "count": "int64"}
    inputs = [Input(name=c.name, dtype=kinds.get(c.name, "float64"), columns=(c.name,)) for c in MIXED]
    return signature(MIXED, inputs)


def test_each_column_has_a_tensor_of_its_own_dtype_and_values_keep_their_precision():
    arrays = tensors_of_rows([GOOD_MIXED, GOOD_MIXED | {"job": None, "member": 0, "count": 2.0}], mixed()).arrays

    assert {name: (array.dtype.kind, array.shape) for name, array in arrays.items()} == {
        "age": ("f", (2, 1)),
        "city": ("O", (2, 1)),
        "job": ("O", (2, 1)),
        "member": ("b", (2, 1)),
        "count": ("i", (2, 1)),
        "seconds": ("f", (2, 1)),
    }
    assert arrays["job"].ravel().tolist() == ["cook", ""]
    assert arrays["member"].ravel().tolist() == [True, False]
    assert arrays["count"].ravel().tolist() == [5, 2]
    assert arrays["seconds"][0, 0] == 1_764_000_001.25


def test_a_list_holds_the_same_values_as_a_record():
    as_list = tensors_of_rows([list(GOOD_MIXED.values())], mixed()).arrays
    as_record = tensors_of_rows([GOOD_MIXED], mixed()).arrays

    for name, array in as_list.items():
        np.testing.assert_array_equal(array, as_record[name])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"city": 5}, "column city: not a text"),
        ({"city": None}, "column city: null or empty"),
        ({"city": ""}, "column city: null or empty"),
        ({"city": "a\ud800b"}, "column city: not a valid text"),
        ({"city": ["Bern"]}, "column city: not a text"),
        ({"job": "4111-1111"}, "column job: not one of baker, cook"),
        ({"member": 2}, "column member: neither true nor false"),
        ({"member": "true"}, "column member: neither true nor false"),
        ({"member": None}, "column member: null"),
        ({"count": 2.5}, "column count: not a whole number"),
        ({"count": 2**60}, "column count: not a whole number"),
        ({"seconds": float("inf")}, "column seconds: not a finite float64"),
    ],
)
def test_a_cell_that_is_none_of_its_column_is_refused_by_row_and_column(change, says):
    with pytest.raises(InvalidRows, match=f"row 1, {says}") as refused:
        tensors_of_rows([GOOD_MIXED, GOOD_MIXED | change], mixed())
    assert "4111" not in str(refused.value)


def test_values_count_and_not_the_types_that_a_database_or_a_file_gives_them():
    given = {
        "age": Decimal(30),
        "city": "Bern",
        "job": float("nan"),
        "member": 1.0,
        "count": Decimal(5),
        "seconds": 1.5,
    }
    cells = {name: np.array([cell], dtype=object) for name, cell in given.items()}

    arrays = tensors_of_table(cells, mixed()).arrays

    assert [array.item() for array in arrays.values()] == [30.0, "Bern", "", True, 5, 1.5]
