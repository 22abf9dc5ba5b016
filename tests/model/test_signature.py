"""What a model takes and gives is one record: consistent in itself, comparable, and readable in its first format."""

import json

import pytest
from pydantic import ValidationError

from interlock.model.manifest import Manifest
from interlock.model.signature import MOST_COLUMNS, Column, Input, Output, Signature

LABEL = {"name": "label", "role": "label", "dtype": "int64"}
FLOWER = {
    "columns": [{"name": "a"}, {"name": "b", "nullable": True}],
    "inputs": [{"name": "input", "columns": ["a", "b"]}],
    "outputs": [LABEL, {"name": "probabilities", "role": "probabilities", "width": 2}],
    "class_names": ["no", "yes"],
}
FIRST = {
    "run_id": "run",
    "learner": "iris",
    "trained_at_utc": "20251231T025902Z",
    "sha256": "0" * 64,
    "size": 10,
    "input_name": "input",
    "input_dtype": "float32",
    "columns": [{"name": "a", "dtype": "float32"}, {"name": "b", "nullable": True, "categories": ["x", "y"]}],
    "outputs": ["label", "probabilities"],
    "class_names": ["no", "yes"],
    "params": {"C": 1.0},
    "golden": {"rows": [[1.0, None]], "labels": [1], "probabilities": [[0.25, 0.75]]},
}


def signature(**change) -> Signature:
    return Signature.model_validate(FLOWER | change)


def test_a_manifest_of_the_first_format_is_read_as_a_classifier_on_one_tensor_of_float32():
    read = Manifest.model_validate_json(json.dumps(FIRST)).signature

    assert (read.task, read.class_names, read.labels) == ("classification", ["no", "yes"], None)
    assert read.inputs == [Input(name="input", columns=("a", "b"))]
    assert [(output.name, output.role, output.width) for output in read.outputs] == [
        ("label", "label", None),
        ("probabilities", "probabilities", 2),
    ]
    assert read.columns[1].is_coded


def test_what_is_written_is_read_again_as_the_same():
    manifest = Manifest.model_validate_json(json.dumps(FIRST))

    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert json.loads(manifest.model_dump_json())["format"] == 2


@pytest.mark.parametrize("change", [{"outputs": ["label"]}, {"input_dtype": "float64"}, {"class_names": ["one"]}])
def test_a_first_format_of_something_else_is_none(change):
    with pytest.raises(ValidationError):
        Manifest.model_validate_json(json.dumps(FIRST | change))


def test_the_same_contract_has_no_changes_whichever_format_says_it():
    first = Manifest.model_validate_json(json.dumps(FIRST)).signature
    again = Signature.model_validate(json.loads(first.model_dump_json()))

    assert again.changes_from(first) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"columns": [{"name": "a"}], "inputs": [{"name": "input", "columns": ["a"]}]},
            ["takes no column b any more"],
        ),
        (
            {
                "columns": [*FLOWER["columns"], {"name": "c"}],
                "inputs": [{"name": "input", "columns": ["a", "b", "c"]}],
            },
            ["takes a new column c float32"],
        ),
        (
            {"columns": [{"name": "b", "nullable": True}, {"name": "a"}]},
            ["takes the columns in another order"],
        ),
        ({"columns": [{"name": "a"}, {"name": "b"}]}, ["takes b float32 (before: b float32 or null)"]),
        (
            {"class_names": ["no", "maybe"]},
            ["answers a new class maybe", "does not answer the class yes any more"],
        ),
        ({"class_names": ["yes", "no"]}, ["has its class names in another order"]),
        ({"labels": [-1, 1]}, ["answers other labels for its classes"]),
        ({"outputs": [LABEL]}, ["gives the tensors label int64 (before: label int64, probabilities float32)"]),
        (
            {
                "task": "regression",
                "outputs": [{"name": "value", "role": "value", "width": 1}],
                "class_names": [],
                "targets": ["cost"],
            },
            [
                "gives the tensors value float32 (before: label int64, probabilities float32)",
                "is a regression (before: classification)",
                "does not answer the class no any more",
                "does not answer the class yes any more",
                "answers a new target cost",
            ],
        ),
    ],
)
def test_a_change_is_told_as_a_person_reads_it(change, told):
    assert signature(**change).changes_from(signature()) == told


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [{"name": "a"}, {"name": "a"}]},
        {"inputs": [{"name": "input", "columns": ["a"]}]},
        {"inputs": [{"name": "input", "columns": ["a", "b"], "dtype": "string"}]},
        {"inputs": [{"name": "input", "columns": ["a", "b"], "dtype": "int64"}]},
        {"class_names": ["yes"]},
        {"class_names": ["yes", "yes"]},
        {"class_names": ["a", "b", "c"]},
        {"labels": [1]},
        {"outputs": [{"name": "value", "role": "value", "width": 1}]},
        {"task": "regression"},
        {"task": "multilabel"},
        {"columns": [{"name": str(n)} for n in range(MOST_COLUMNS + 1)]},
    ],
)
def test_what_does_not_fit_together_is_no_signature(change):
    with pytest.raises(ValidationError):
        signature(**change)


def test_one_tensor_of_numbers_is_taken_at_once_and_everything_else_column_by_column():
    assert signature().plain == Input(name="input", columns=("a", "b"))
    flag = [Column(name="a"), Column(name="b", dtype="bool")]
    assert signature(columns=[column.model_dump() for column in flag]).plain is None
    assert signature(columns=[{"name": "a"}, {"name": "b", "categories": ["x", "y"]}]).plain is None
    assert Output(name="x", role="value").width is None
