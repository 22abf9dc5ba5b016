"""Tables as people have them: taken by their values, or refused with the column's name before anything is trained."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from interlock.errors import InvalidTraining
from interlock.model.signature import MOST_COLUMNS, Column
from interlock.training.dataset import Dataset, cells_of
from interlock.training.train import check_data

FRAME = pd.DataFrame(
    {
        "age": [30, 41, 52, 63],
        "income": [1.5, None, 3.5, 4.25],
        "city": ["bern", "oslo", None, "rome"],
        "member": [True, False, True, True],
        "answer": ["a", "b", "a", "b"],
    }
)


def kinds(data):
    return {column.name: (column.dtype.value, column.nullable) for column in data.columns}


TAKEN = {
    "age": ("float32", False),
    "income": ("float32", True),
    "city": ("string", True),
    "member": ("bool", False),
}


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        pa.Table.from_pandas(FRAME),
        FRAME.convert_dtypes(),
        FRAME.astype({"city": "category", "answer": "category"}),
        {name: FRAME[name].to_numpy(dtype=object) for name in FRAME},
        FRAME.astype({"age": "uint8", "income": "float32"}),
    ],
    ids=["pandas", "arrow", "nullable", "categories", "a mapping", "narrow"],
)
def test_the_same_values_are_the_same_data_whatever_the_table_is(frame):
    data = Dataset.of(frame, target="answer")

    assert kinds(data) == TAKEN
    assert (data.class_names, data.labels, data.target.tolist()) == (["a", "b"], ["a", "b"], [0, 1, 0, 1])
    assert cells_of(data.frame, data.columns)[1:3] == [[41.0, None, "oslo", False], [52.0, 3.5, None, True]]


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        ([1, 2, 3, 1], [1, 2, 3]),
        ([-1, 1, -1, 1], [-1, 1]),
        ([0.0, 1.0, 1.0, 0.0], [0, 1]),
        ([Decimal(0), Decimal(1), Decimal(0), Decimal(1)], [0, 1]),
        ([True, False, True, False], [False, True]),
        (pd.Categorical(["b", "a", "b", "a"], categories=["b", "a"]), ["b", "a"]),
    ],
)
def test_classes_keep_their_names_and_are_compared_by_value(target, labels):
    data = Dataset.of(FRAME.assign(answer=target), target="answer")

    assert data.labels == labels
    assert list(map(type, data.labels)) == list(map(type, labels))
    assert [data.labels[place] for place in data.target] == list(target)


def test_the_values_of_a_target_may_be_given_beside_the_table():
    data = Dataset.of(FRAME.drop(columns="answer"), target=pd.Series([1.5, 2.5, 3.25, 0.5], name="cost"))

    assert (data.task, data.targets, data.target.tolist()) == ("regression", ["cost"], [[1.5], [2.5], [3.25], [0.5]])


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([1, 2**24, 5, 6], "float32"),
        ([2**24 + 1, 2, 3, 4], "float64"),
        ([1_764_000_001, 1_764_000_002, 1_764_000_003, 1_764_000_004], "float64"),
        ([1_764_000_001.25, 1_764_000_002.25, 1_764_000_003.5, 1_764_000_004.0], "float64"),
        ([1e-30, 2e-30, 3e-30, 5e-30], "float32"),
        ([1e300, 1.0, 2.0, 3.0], "float64"),
        ([Decimal("1.5"), 2, 3.5, None], "float32"),
        ([0, 1, 0, 1], "float32"),
        ([True, False, None, True], "bool"),
    ],
)
def test_a_number_keeps_its_precision(cells, dtype):
    data = Dataset.of(FRAME.assign(age=pd.Series(cells, dtype=object)), target="answer")

    assert data.columns[0].dtype == dtype
    expected = [None if cell is None else float(cell) for cell in cells]
    given = [None if cell is None else float(cell) for cell, *_ in cells_of(data.frame, data.columns)]
    assert given == pytest.approx(expected, rel=1e-7, nan_ok=True) if None not in expected else given == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age": pd.date_range("2026-01-01", periods=4)}, "column age: holds dates or durations; make numbers"),
        ({"age": pd.to_timedelta([1, 2, 3, 4], unit="D")}, "column age: holds dates or durations"),
        ({"age": pd.Series([1, "x", 3, 4], dtype=object)}, "column age: holds int, str; make it"),
        ({"age": pd.Series([[1], [2], [3], [4]], dtype=object)}, "column age: holds list"),
        ({"age": pd.Series([1j, 2j, 3j, 4j])}, "column age: holds complex"),
        ({"age": [1, 2, 3, 2**53 + 1]}, "column age: holds integers beyond 2"),
        ({"age": pd.Series([1, 2, 3, 2**70], dtype=object)}, "column age: holds integers beyond 2"),
        ({"age": [1.0, 2.0, 3.0, np.inf]}, "column age: holds numbers that are not finite"),
        ({"age": [None] * 4}, "column age: there is not a single value"),
        ({"answer": ["a", None, "a", "b"]}, "column answer, which is to be predicted: 1 of 4 values are missing"),
        ({"answer": ["a", "", "a", "b"]}, "column answer, which is to be predicted: a class is an empty text"),
        ({"answer": pd.Series([1, "1", 1, "1"], dtype=object)}, "column answer.*several kinds: int, str"),
        ({"answer": [1.5, np.nan, 2.5, 3.5]}, "column answer.*1 of 4 values are missing"),
        ({"answer": [1.5, np.inf, 2.5, 3.5]}, "column answer.*1 values are not finite"),
        ({"answer": [1.5, 1.5, 1.5, 1.5]}, "column answer.*always the same"),
    ],
)
def test_what_is_no_table_to_train_on_is_refused_by_name(change, says):
    with pytest.raises(InvalidTraining, match=says):
        Dataset.of(FRAME.assign(**change), target="answer")


@pytest.mark.parametrize(
    ("frame", "target", "says"),
    [
        (FRAME.iloc[:0], "answer", "there are no rows"),
        (FRAME, "anser", "no column anser to predict; it has age"),
        (FRAME[["answer"]], "answer", "no column beside"),
        (FRAME.set_axis(["a", "a", "b", "c", "answer"], axis=1), "answer", "column a is there twice"),
        (FRAME.set_axis(["", "a", "b", "c", "answer"], axis=1), "answer", "every column needs a name"),
        (FRAME.set_axis([1, 2, 3, 4, 5], axis=1), "answer", "every column needs a name"),
        (FRAME.drop(columns="answer"), [1, 2, 3], "3 values for 4 rows|no column"),
        (
            pd.DataFrame(np.ones((4, MOST_COLUMNS + 1))).rename(columns=str),
            [0, 1, 0, 1],
            "2049 columns; 2048 are taken",
        ),
    ],
)
def test_a_table_that_is_none_is_refused(frame, target, says):
    with pytest.raises(InvalidTraining, match=says):
        Dataset.of(frame, target)


def test_many_whole_numbers_could_be_either_and_the_message_asks():
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100)})

    with pytest.raises(InvalidTraining, match="column y: 100 different whole numbers; say task="):
        Dataset.of(frame, "y")
    assert len(Dataset.of(frame, "y", task="classification").class_names) == 100
    assert Dataset.of(frame, "y", task="regression").targets == ["y"]


def test_a_task_that_is_none_is_refused_and_the_known_ones_are_named():
    with pytest.raises(
        InvalidTraining, match="task: 'clasification' is none; say classification, regression, multilabel"
    ):
        Dataset.of(FRAME, "answer", task="clasification")


def test_one_class_and_a_class_of_one_row_are_refused_by_name():
    with pytest.raises(InvalidTraining, match="one class only, a"):
        check_data(Dataset.of(FRAME.assign(answer="a"), "answer"))
    with pytest.raises(InvalidTraining, match="two rows at least: c"):
        check_data(Dataset.of(FRAME.assign(answer=["a", "a", "c", "a"]), "answer"))


def test_several_targets_are_a_regression_and_several_flags_are_labels():
    two = FRAME.assign(u=[1.5, 2, 3, 4], v=[5, 6, 7, 8.5])
    tags = FRAME.assign(red=[True, False, True, False], blue=[0, 1, 1, 1])

    assert Dataset.of(two, ["u", "v"]).target.shape == (4, 2)
    assert Dataset.of(tags, ["red", "blue"]).target.tolist() == [[1, 0], [0, 1], [1, 1], [0, 1]]
    assert Dataset.of(tags, ["red", "blue"]).task == "multilabel"


def test_what_a_column_takes_can_be_said():
    columns = [Column(name="city", dtype="string", nullable=True, categories=("bern", "oslo", "rome"))]

    assert Dataset.of(FRAME, "answer", columns=columns).columns[2] == columns[0]
    with pytest.raises(InvalidTraining, match="row 1, column city: not one of bern"):
        Dataset.of(FRAME, "answer", columns=[columns[0].model_copy(update={"categories": ("bern", "rome")})])
    with pytest.raises(InvalidTraining, match="no column town"):
        Dataset.of(FRAME, "answer", columns=[Column(name="town")])
