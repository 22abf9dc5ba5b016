"""Credit score: one ONNX that imputes, scales and classifies; and what is no table to train on."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from world.credit import credit
from world.models import asked

from demos import credit_table
from interlock.errors import InvalidTraining
from interlock.training.train import check_data, train
from learners.credit_score import LEARNER, OCCUPATIONS, WITH_CATBOOST

pytest.importorskip("catboost", reason="the extra `credit` is not installed")


@pytest.fixture(scope="module")
def trained():
    return credit()


@pytest.fixture
def table():
    return dict(credit_table.credit_table(2000))


def test_it_is_catboost_behind_a_scaler_in_one_onnx_with_an_input_for_each_column(trained):
    model = onnx.load_from_string(trained.onnx)
    kinds = [node.op_type for node in model.graph.node]

    assert WITH_CATBOOST
    assert [node.name for node in model.graph.input] == [column.name for column in LEARNER.columns]
    assert [node.name for node in model.graph.output] == ["label", "probabilities"]
    assert {"Imputer", "Scaler", "TreeEnsembleClassifier"} <= set(kinds)
    assert trained.metrics["accuracy"] > 0.8
    assert trained.metrics["parity_same_labels"] == 1.0


def test_the_manifest_says_what_clients_may_send(trained):
    manifest = trained.manifest("run")
    columns = {column.name: column for column in manifest.columns}

    assert manifest.signature.class_names == ["Poor", "Standard", "Good"]
    assert columns["occupation"].categories == OCCUPATIONS == credit_table.OCCUPATIONS
    assert (columns["annual_income"].nullable, columns["age"].nullable) == (True, False)
    assert {cell is None for row in manifest.golden.rows for cell in row} == {True, False}


def test_a_row_of_nothing_but_missing_cells_has_an_answer(trained):
    row = [None if column.nullable else 1.0 for column in LEARNER.columns]

    assert np.isfinite(asked(trained, [row]).numbers).all()


def test_the_same_table_gives_the_same_bytes(trained):
    again = train(
        "credit_score", LEARNER, LEARNER.Params(iterations=30), LEARNER.dataset(credit_table.credit_table(4000))
    )

    assert again.sha256 == trained.sha256


def test_without_catboost_scikit_learn_takes_its_place_and_the_message_says_so():
    code = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.startswith("catboost") else find(name, *rest)
from learners.credit_score import LEARNER
from interlock.training.train import train
from demos.credit_table import credit_table
trained = train("credit_score", LEARNER, LEARNER.Params(iterations=30), LEARNER.dataset(credit_table(4000)))
import skops.io
untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(trained.fitted))
assert set(untrusted) <= set(LEARNER.skops_trusted_types), untrusted
assert "catboost" not in sys.modules
print(trained.metrics["accuracy"], LEARNER.remark)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) > 0.8
    assert "in place of catboost, which is not installed" in done.stdout


def test_it_does_not_train_without_a_table():
    with pytest.raises(InvalidTraining, match="name a feature store"):
        train("credit_score", LEARNER, LEARNER.Params())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: {k: v[:0] for k, v in t.items()}, "no rows"),
        (lambda t: {}, "no rows"),
        (lambda t: {k.replace("loans", "credits"): v for k, v in t.items()}, "no column loans; it has customer_id"),
        (lambda t: {k.replace("credit_score", "class"): v for k, v in t.items()}, "no column credit_score"),
        (lambda t: t | {"annual_income": np.full(2000, None)}, "column annual_income: there is not a single value"),
        (lambda t: t | {"occupation": np.full(2000, None)}, "column occupation: there is not a single value"),
        (lambda t: t | {"age": np.full(2000, None)}, "column age: there is not a single value"),
        (lambda t: t | {"age": np.full(2000, "30", dtype=object)}, "column age: not a number"),
        (lambda t: t | {"occupation": np.full(2000, "pirate", dtype=object)}, "column occupation: not one of"),
        (lambda t: t | {"credit_score": np.full(2000, None)}, "credit_score: 2000 rows are not one of Poor"),
        (lambda t: t | {"credit_score": np.where(t["credit_score"] == "Good", "Poor", t["credit_score"])}, "Good"),
    ],
)
def test_what_is_no_table_to_train_on_is_refused_by_name(table, spoil, says):
    with pytest.raises(InvalidTraining, match=says):
        check_data(LEARNER.dataset(spoil(table)))
