"""Models that other libraries fit: converted through their extras, and their answers are theirs."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from world.kinds import flowers, of_people, people, species, trained_on
from world.models import asked

from interlock.errors import NotInstalled
from interlock.training.converters import register_for
from interlock.training.dataset import Dataset
from interlock.training.parity import Onnx

BOOSTING = "the extra `boosting` is not installed"


def unbalanced() -> Dataset:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 2))
    return Dataset.of(pd.DataFrame(rows, columns=["a", "b"]), rows[:, 0] + 0.9 * random.normal(size=400) > 1)


def missing() -> Dataset:
    frame = people()[["age", "income", "answer"]]
    return Dataset.of(frame, "answer")


def in_years() -> Dataset:
    return Dataset.of(load_diabetes(as_frame=True).frame, "target", task="regression")


def flowers_by_name() -> Dataset:
    return Dataset.of(flowers(), species(["a", "b", "c"]))


@pytest.mark.parametrize("data", [unbalanced, missing, in_years, flowers_by_name])
def test_xgboost_answers_as_itself_on_frames_with_names_missing_cells_and_two_classes(data):
    xgboost = pytest.importorskip("xgboost", reason=BOOSTING)
    made, kind = data(), xgboost.XGBRegressor if data is in_years else xgboost.XGBClassifier

    trained = trained_on(made, kind(n_estimators=20))

    assert trained.metrics["parity_worst_difference"] < 1e-5
    assert list(trained.fitted.feature_names_in_) == list(made.frame.columns), "the fitted model is left as it is"


@pytest.mark.parametrize("data", [unbalanced, missing, in_years, flowers_by_name])
def test_lightgbm_answers_as_itself_also_where_a_row_lies_on_a_threshold(data):
    lightgbm = pytest.importorskip("lightgbm", reason=BOOSTING)
    made, kind = data(), lightgbm.LGBMRegressor if data is in_years else lightgbm.LGBMClassifier

    trained = trained_on(made, kind(n_estimators=20, verbose=-1))

    expected = trained.fitted.predict(made.frame)
    answers = Onnx(trained.onnx, trained.signature).answers(made.frame)
    got = answers.numbers[:, 0] if data is in_years else answers.labels
    assert got == pytest.approx(expected, rel=1e-5)


def test_a_pipeline_of_imbalanced_learn_is_what_it_is_at_prediction():
    sampling = pytest.importorskip("imblearn.over_sampling", reason="imbalanced-learn is not installed")
    from imblearn.pipeline import make_pipeline as with_samplers

    model = with_samplers(StandardScaler(), sampling.RandomOverSampler(random_state=0), LogisticRegression())
    trained = trained_on(unbalanced(), model)

    assert trained.metrics["parity_worst_difference"] < 1e-5
    assert len(trained.fitted.steps) == 3, "the fitted model is left as it is"


def test_boosted_trees_behind_encoded_texts():
    xgboost = pytest.importorskip("xgboost", reason=BOOSTING)
    encoded = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    model = make_pipeline(encoded, xgboost.XGBClassifier(n_estimators=10))

    trained = trained_on(Dataset.of(people()[["city", "age", "member", "answer"]], "answer"), model)

    assert trained.metrics["accuracy"] > 0.9
    assert trained.signature.columns[0].categories == ("bern", "oslo", "rome"), "the encoder refuses others by itself"


def test_a_vote_with_its_defaults_is_converted():
    vote = VotingClassifier([("a", LogisticRegression()), ("b", KNeighborsClassifier())], voting="soft")

    assert trained_on(flowers_by_name(), vote).metrics["parity_worst_difference"] < 1e-5
    assert vote.flatten_transform is True


def test_a_missing_extra_is_named(monkeypatch):
    xgboost = pytest.importorskip("xgboost", reason=BOOSTING)
    for name in [name for name in sys.modules if name.startswith("onnxmltools")] or ["onnxmltools"]:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(NotInstalled, match=r"interlock\[boosting\]"):
        register_for(xgboost.XGBClassifier())


@pytest.mark.parametrize("unknown", ["ignore", "error"])
def test_a_text_that_was_never_seen_is_taken_as_the_pipeline_takes_it(unknown):
    trained = trained_on(Dataset.of(people(), "answer"), of_people(unknown))

    columns = {column.name: column.categories for column in trained.signature.columns}
    assert columns["city"] == (() if unknown == "ignore" else ("bern", "oslo", "rome"))
    assert columns["job"] == ("cook", "smith")


@pytest.mark.parametrize("name", ["home city (now)", "städte", "a/b", "1st", "input", "label", "x\ny", "a b", "😀"])
def test_a_column_may_have_any_name(name):
    frame = people()[["age", "city", "answer"]].rename(columns={"city": name})
    model = make_pipeline(
        ColumnTransformer(
            [("texts", OneHotEncoder(handle_unknown="ignore"), [name]), ("age", StandardScaler(), ["age"])]
        ),
        LogisticRegression(),
    )

    trained = trained_on(Dataset.of(frame, "answer"), model)

    assert [column.name for column in trained.signature.columns] == ["age", name]
    assert asked(trained, [{"age": 30, name: "oslo"}]).labels.shape == (1,)


@pytest.mark.parametrize("names", [["a b", "a_b"], ["input", "label"], ["probabilities", "x"], ["1", "2"]])
def test_columns_of_numbers_may_have_any_names(names):
    frame = people()[["age", "member", "answer"]].set_axis([*names, "answer"], axis=1)
    model = make_pipeline(ColumnTransformer([("all", StandardScaler(), names)]), LogisticRegression())

    trained = trained_on(Dataset.of(frame, "answer"), model)

    assert [tensor.name for tensor in trained.signature.inputs] == ["input"]
    assert asked(trained, [[30, 1]]).labels.shape == (1,)
