"""Models that somebody else made: proven in a process without secrets, or refused by a sentence before that."""

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from inject import hostile_models
from onnx import TensorProto, helper
from onnx.helper import make_node, make_tensor_value_info
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from world.kinds import diabetes, flowers, of_people, people, species

from interlock.errors import InvalidTraining, NotConvertible, NotFound, ParityFailed, Refused
from interlock.training import adopting
from interlock.training.adopting import adopted
from interlock.training.original import Described, described, sample_of
from interlock.training.parity import Onnx

pytestmark = pytest.mark.slow  # a process for each case
FLOWERS = flowers().astype(np.float32)


def folder(path: Path, flavour: str, file: str, content: bytes, **more) -> Path:
    """Files as MLflow writes them."""
    key = "pickled_model" if flavour == "sklearn" else "data"
    (path / file).write_bytes(content)
    (path / "MLmodel").write_text(yaml.safe_dump({"flavors": {flavour: {key: file}}} | more))
    return path


def as_skops(path: Path, fitted, **more) -> Path:
    return folder(path, "sklearn", "model.skops", skops.io.dumps(fitted), **more)


def fit(model, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(FLOWERS, labels)


# What is adopted


def test_a_classifier_answers_as_the_original_in_its_own_labels(tmp_path):
    fitted = fit(LogisticRegression(max_iter=500), species(["no", "maybe", "yes"]))

    made = adopted(described(as_skops(tmp_path, fitted)), FLOWERS)

    assert made.signature.labels == ["maybe", "no", "yes"]
    answers = Onnx(made.onnx, made.signature).asked(FLOWERS.iloc[[0, 60, 120]].astype(float).to_numpy().tolist())
    assert [made.signature.labels[place] for place in answers.labels] == fitted.predict(
        FLOWERS.iloc[[0, 60, 120]]
    ).tolist()
    assert made.metrics["parity_worst_difference"] < 1e-5
    assert len(made.golden.rows) > 8


def test_a_pipeline_of_texts_flags_and_missing_cells_with_the_categories_that_its_encoder_knows(tmp_path):
    frame = people().fillna({"job": ""})
    fitted = of_people("error").fit(frame.drop(columns="answer"), frame["answer"])
    some = frame[frame.city != "rome"].drop(columns="answer").head(20)

    made = adopted(described(as_skops(tmp_path, fitted)), some, trust=True)

    columns = {column.name: column for column in made.signature.columns}
    assert columns["city"].categories == ("bern", "oslo", "rome"), "also one that the sample does not have"
    assert made.signature.task == "classification"


def test_a_regression_and_scores_are_what_they_are(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    regression = LinearRegression().fit(diabetes().drop(columns="target"), diabetes()["target"])
    scores = fit(LinearSVC(), load_iris().target)

    made = adopted(described(as_skops(tmp_path / "a", regression)), diabetes().drop(columns="target"))
    assert (made.signature.task, made.signature.targets) == ("regression", ["value"])
    assert adopted(described(as_skops(tmp_path / "b", scores)), FLOWERS).signature.numbers.role == "scores"


def test_an_onnx_as_the_tutorials_log_it_is_adopted_with_its_zipmap_and_string_labels(tmp_path):
    fitted = fit(LogisticRegression(max_iter=500), species(["a", "b", "c"]))
    (tmp_path / "model.onnx").write_bytes(to_onnx(fitted, FLOWERS.to_numpy()[:1]).SerializeToString())

    made = adopted(described(tmp_path), FLOWERS)

    assert made.signature.labels == ["a", "b", "c"]
    answers = Onnx(made.onnx, made.signature).answers(FLOWERS)
    assert [made.signature.labels[place] for place in answers.labels] == fitted.predict(FLOWERS).tolist()
    assert answers.numbers == pytest.approx(fitted.predict_proba(FLOWERS), abs=1e-5)


def small(nodes, inputs, outputs) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def tensor(name, kind, shape):
    return make_tensor_value_info(name, kind, shape)


ROWS = tensor("x", TensorProto.FLOAT, [None, 3])


def test_an_onnx_that_gives_shares_only_is_a_classifier_by_the_largest(tmp_path):
    made = put(
        tmp_path, small([make_node("Softmax", ["x"], ["y"])], [ROWS], [tensor("y", TensorProto.FLOAT, [None, 3])])
    )

    signature = adopted(made, sample(3), class_names=["a", "b", "c"]).signature

    assert (signature.task, signature.class_names) == ("classification", ["a", "b", "c"])
    assert [output.role for output in signature.outputs] == ["label", "probabilities"]


def put(path: Path, content: bytes) -> Described:
    (path / "model.onnx").write_bytes(content)
    return described(path)


def sample(columns: int, rows: int = 4) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({f"c{n}": random.normal(size=rows).astype(np.float32) for n in range(columns)})


# What is refused


class Evil:
    def __reduce__(self):
        return os.system, (f"touch {os.environ['EVIL']}",)


def test_a_pickle_is_refused_and_never_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    made = folder(tmp_path, "sklearn", "model.pkl", pickle.dumps(Evil()))

    with pytest.raises(Refused, match="is a pickle: loading it runs whatever code its maker put into it.*trust=true"):
        adopted(described(made), FLOWERS)
    assert not (tmp_path / "evil").exists()


class Spy:
    def __reduce__(self):
        return os.system, (f"env > {os.environ['SPIED']}",)


def test_a_trusted_pickle_runs_without_the_secrets_of_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIED", str(tmp_path / "environment"))
    monkeypatch.setenv("INTERLOCK_CHAT_URL", "https://chat/secret")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "secret")
    made = folder(tmp_path, "sklearn", "model.pkl", pickle.dumps(Spy()))

    with pytest.raises((NotConvertible, InvalidTraining)):
        adopted(described(made), FLOWERS, trust=True)
    told = (tmp_path / "environment").read_text()
    assert "secret" not in told
    assert "PATH=" in told


class Liar:
    """Leaves an answer of its own, and ends before the process can give one."""

    def __init__(self, answer):
        self.answer = answer

    def __reduce__(self):
        return exec, (f"import os; open('answer.json', 'w').write({self.answer!r}); os._exit(0)",)


@pytest.mark.parametrize(
    "answer",
    ["{", "[]", '{"error": "__doc__", "message": "x"}', '{"error": "DeliveryError", "message": "x"}', "9" * 3_000_000],
)
def test_whatever_a_trusted_pickle_leaves_as_its_answer_is_a_refusal(tmp_path, answer):
    made = folder(tmp_path, "sklearn", "model.pkl", pickle.dumps(Liar(answer)))

    with pytest.raises(NotConvertible):
        adopted(described(made), FLOWERS, trust=True)


def test_skops_with_types_that_nobody_knows_is_refused_by_their_names(tmp_path):
    made = as_skops(tmp_path, of_people().fit(people().fillna({"job": ""}).drop(columns="answer"), people()["answer"]))
    model = described(made)

    assert adopted(model, people().drop(columns="answer").head(30)).signature.columns[0].name == "age"
    strange = tmp_path / "strange"
    strange.mkdir()
    with pytest.raises(Refused, match="it holds the types .*Mine.*trust=True"):
        adopted(described(as_skops(strange, Mine().fit(FLOWERS, load_iris().target))), FLOWERS)


class Mine(LogisticRegression):
    """A class that only its maker has."""


BAD = {
    "float16": (
        small(
            [make_node("Identity", ["x"], ["y"])],
            [tensor("x", TensorProto.FLOAT16, [None, 3])],
            [tensor("y", TensorProto.FLOAT16, [None, 3])],
        ),
        "its input x is float16",
    ),
    "no axis of rows": (
        small(
            [make_node("Identity", ["x"], ["y"])],
            [tensor("x", TensorProto.FLOAT, [1, 3])],
            [tensor("y", TensorProto.FLOAT, [1, 3])],
        ),
        r"its input x has the shape \[1, 3\]; rows of columns are served",
    ),
    "one number for all rows": (
        small([make_node("ReduceMax", ["x"], ["y"], keepdims=0)], [ROWS], [tensor("y", TensorProto.FLOAT, [])]),
        "there is no axis of rows",
    ),
    "an image": (
        small(
            [make_node("Identity", ["x"], ["y"])],
            [tensor("x", TensorProto.FLOAT, [None, 3, 8, 8])],
            [tensor("y", TensorProto.FLOAT, [None, 3, 8, 8])],
        ),
        "rows of columns are served",
    ),
    "a sequence": (hostile_models.sequence().SerializeToString(), "its output probabilities is a sequence or a map"),
    "no onnx": (b"not an onnx", "the file is no ONNX"),
    "external data": (
        hostile_models.classifier(tensors=[hostile_models.outside("/etc/hostname")]).SerializeToString(),
        "open|compute",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_onnx_of_no_rows_is_refused_by_a_sentence(tmp_path, case):
    content, says = BAD[case]

    with pytest.raises(NotConvertible, match=says):
        adopted(put(tmp_path, content), sample(4 if "probabilities" in says or case == "external data" else 3))


def test_a_row_that_hangs_on_the_others_is_refused(tmp_path):
    nodes = [make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1), make_node("Sub", ["x", "m"], ["y"])]

    with pytest.raises(ParityFailed, match="gets another answer alone than among others"):
        adopted(put(tmp_path, small(nodes, [ROWS], [tensor("y", TensorProto.FLOAT, [None, 3])])), sample(3))


def test_an_onnx_that_never_ends_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(adopting, "LONGEST_S", 6.0)

    with pytest.raises(NotConvertible, match="took more than 6 s"):
        adopted(put(tmp_path, hostile_models.endless().SerializeToString()), sample(4))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (sample(2), "the model takes 3 columns in x; the sample has 2"),
        (sample(3).assign(c0=["a", "b", "c", "d"]), "column c0: the model takes float32, the sample has string"),
        (sample(3).iloc[:0], "no rows were logged with the model; name a Parquet file"),
        (None, "no rows were logged with the model; name a Parquet file"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(tmp_path, rows, says):
    made = put(
        tmp_path, small([make_node("Identity", ["x"], ["y"])], [ROWS], [tensor("y", TensorProto.FLOAT, [None, 3])])
    )

    with pytest.raises(InvalidTraining, match=says):
        adopted(made, rows)


def test_a_sample_without_a_column_of_the_model_names_it(tmp_path):
    fitted = fit(LogisticRegression(max_iter=500), load_iris().target)

    with pytest.raises(InvalidTraining, match="the model takes the column petal_width, which the sample does not have"):
        adopted(described(as_skops(tmp_path, fitted)), FLOWERS.drop(columns="petal_width"))


# What a folder says


def test_the_input_example_is_the_sample_and_the_signature_names_its_columns(tmp_path):
    example = FLOWERS.head(3).assign(extra=1.0)
    (tmp_path / "input_example.json").write_text(example.to_json(orient="split"))
    inputs = '[{"name": "sepal_length", "type": "double"}, {"name": "sepal_width", "type": "double"}]'
    said = {"saved_input_example_info": {"artifact_path": "input_example.json"}, "signature": {"inputs": inputs}}

    model = described(folder(tmp_path, "sklearn", "model.skops", b"x", **said))

    assert model.columns == ["sepal_length", "sepal_width"]
    assert list(model.example.columns) == [*FLOWERS.columns, "extra"]


@pytest.mark.parametrize(
    ("mlmodel", "error", "says"),
    [
        ("flavors: {pytorch: {}}", Refused, "of the flavours pytorch; onnx, sklearn, xgboost, lightgbm, catboost can"),
        ("flavors: {sklearn: {pickled_model: gone.pkl}}", NotFound, "names the file 'gone.pkl', which is not there"),
        ("flavors: {sklearn: {pickled_model: ../../etc/passwd}}", NotFound, "which is not there"),
        ("flavors: {sklearn: {}}", NotFound, "which is not there"),
        ("- a list", Refused, "its MLmodel is none"),
        ("a: [", Refused, "is no YAML"),
    ],
)
def test_an_mlmodel_that_says_nothing_useful_is_refused(tmp_path, mlmodel, error, says):
    (tmp_path / "MLmodel").write_text(mlmodel)

    with pytest.raises(error, match=says):
        described(tmp_path)


def test_a_folder_without_a_model_says_what_is_in_it(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")

    with pytest.raises(NotFound, match="neither an MLmodel nor one .onnx file, but readme.txt"):
        described(tmp_path)


def test_a_sample_file_that_is_none_is_said(tmp_path):
    (tmp_path / "rows.parquet").write_text("no")
    FLOWERS.iloc[:0].to_parquet(tmp_path / "empty.parquet")

    with pytest.raises(NotFound, match="there is no file"):
        sample_of(tmp_path / "gone.parquet")
    with pytest.raises(InvalidTraining, match="no Parquet file"):
        sample_of(tmp_path / "rows.parquet")
    with pytest.raises(InvalidTraining, match="has no rows"):
        sample_of(tmp_path / "empty.parquet")
