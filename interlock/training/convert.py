"""
A fitted model -> ONNX: the tensors of its dataset in, labels and numbers out.

The opset is the lowest that the converter takes, from one that the onnxruntime of Triton's older images knows up to
the highest that engines take.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import ModelProto
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

from interlock.errors import NotConvertible
from interlock.model.session import NotOpened, opened
from interlock.model.signature import Dtype, Input, Output, Role, Signature, Task
from interlock.training.converters import parts_of, prepared, register_for
from interlock.training.dataset import Dataset, tensors_of
from interlock.training.graph import Graph
from interlock.training.refusals import of_precision, why_not

OPSETS = range(17, 22)
ML_OPSET = 3
LABEL = "label"
WORDS = r"[\p{L}\p{N}_]{2,}"
"""scikit-learn's default words in RE2; the converter's own expression knows only those of A to Z."""
TENSORS = {Dtype.FLOAT32: FloatTensorType, Dtype.FLOAT64: DoubleTensorType, Dtype.STRING: StringTensorType}


@dataclass(frozen=True)
class Converted:
    """The bytes of an ONNX file, and what it takes and gives."""

    onnx: bytes
    signature: Signature

    def without_numbers(self) -> "Converted":
        """Return a classifier that gives labels only."""
        from onnx import load_model_from_string

        graph, outputs = Graph(load_model_from_string(self.onnx)), self.signature.outputs[:1]
        graph.give([(outputs[0], outputs[0].name)])
        return Converted(graph.bytes, self.signature.model_copy(update={"outputs": outputs}))


def convert(fitted: BaseEstimator, data: Dataset, classes: Sequence[Any] = ()) -> Converted:
    """
    Return the fitted model as ONNX.

    Args:
        fitted: On rows like those of *data*.
        data: What it takes, and what its answers mean; some of its rows are tried.
        classes: The labels that the model itself answers, in the order of the class names, if these are not 0, 1, ..

    Raises:
        NotConvertible: No converter takes it; the message names the step and what to do instead.
        NotInstalled: Its converter is in an extra that is not installed.
    """
    register_for(fitted)
    own = None if list(classes) == list(range(len(classes))) else list(classes)
    ready = prepared(fitted)
    inputs = _by_column(data) if _names_columns(ready) else data.inputs
    met: list[Exception] = []
    for opset in OPSETS:
        for options in _options(ready):
            try:
                graph = Graph(_made(ready, inputs, options, opset)).without_zipmaps().anywhere()
                if inputs != data.inputs:
                    graph.one_tensor(data.inputs[0])
                taken = replace(data, given=_as_named(graph, data.inputs))
                return Converted(*finished(graph, taken, role_of(fitted), own))
            except Exception as error:  # noqa: BLE001 - skl2onnx raises whatever its converters meet
                met.append(error)
    lowest = met[len(list(_options(ready))) - 1]  # without options, which not every converter knows
    raise NotConvertible(why_not(fitted, lowest, _culprit(ready, inputs)) + of_precision(data.columns)) from lowest


def _as_named(graph: Graph, inputs: list[Input]) -> list[Input]:
    """Return the tensors by the names that the converter gave them: `home city (now)` becomes `home_city__now_`."""
    pairs = zip(inputs, graph.input_names, strict=True)
    return [tensor.model_copy(update={"name": name}) for tensor, name in pairs]


def _culprit(fitted: BaseEstimator, inputs: list[Input]) -> str | None:
    """Return the first step of a pipeline up to which it cannot be converted."""
    if not isinstance(fitted, Pipeline):
        return None
    for place, (name, _) in enumerate(fitted.steps, start=1):
        try:
            opened(bytes(_made(Pipeline(fitted.steps[:place]), inputs, None, OPSETS[-1]).SerializeToString()))
        except Exception:  # noqa: BLE001 - as above
            return str(name)
    return str(fitted.steps[-1][0])


def role_of(fitted: Any) -> Role | None:
    """Return what a classifier gives beside its labels."""
    if hasattr(fitted, "predict_proba"):
        return Role.PROBABILITIES
    return Role.SCORES if hasattr(fitted, "decision_function") else None


def finished(
    graph: Graph, data: Dataset, role: Role | None, labels: list[Any] | None = None
) -> tuple[bytes, Signature]:
    """
    Return the graph with the outputs of the task, and its signature.

    Args:
        graph: It is changed.
        data: What it takes, and what its answers mean; some of its rows are tried.
        role: What a classifier gives beside its labels.
        labels: What the graph itself answers for each class, if that is not its place.

    Raises:
        NotConvertible: Its outputs are none that the task has.
    """
    found = dict(zip([value.name for value in graph.outputs], _tried(graph, data), strict=True))
    numbers = next((name for name, array in found.items() if isinstance(array, list) or array.dtype.kind == "f"), None)
    if data.task is Task.REGRESSION:
        if numbers is None:
            msg = f"a regression gives numbers, not {', '.join(found)}"
            raise NotConvertible(msg)
        wanted = [_numbers(graph, numbers, found[numbers], Role.VALUE, len(data.targets))]
    else:
        label = next((name for name in found if name != numbers), None)
        if label is None:
            msg = f"a classifier gives labels, not {', '.join(found)} alone"
            raise NotConvertible(msg)
        wanted = [_labels(graph, label, found[label], data, labels)]
        if role and numbers:
            wanted.append(_numbers(graph, numbers, found[numbers], role, len(data.class_names)))
    graph.give(wanted)
    signature = Signature(
        task=data.task,
        columns=data.columns,
        inputs=data.inputs,
        outputs=[output for output, _ in wanted],
        class_names=data.class_names,
        labels=data.labels,
        targets=data.targets,
    )
    onnx = graph.bytes
    opened(onnx)
    return onnx, signature


def _names_columns(fitted: BaseEstimator) -> bool:
    """Whether a step picks columns by their names, so that each has to be an input of its own."""
    chosen = [
        columns
        for _, part in parts_of(fitted)
        if isinstance(part, ColumnTransformer)
        for _, _, columns in part.transformers_
    ]
    return any(isinstance(name, str) for columns in chosen for name in np.atleast_1d(np.asarray(columns, dtype=object)))


def _by_column(data: Dataset) -> list[Input]:
    dtypes = {name: tensor.dtype for tensor in data.inputs for name in tensor.columns}
    return [Input(name=name, dtype=dtype, columns=(name,)) for name, dtype in dtypes.items()]


def _options(fitted: BaseEstimator) -> Iterator[dict[Any, Any] | None]:
    """Yield options from the best to none: not every converter knows each of them."""
    last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
    words = {id(part): {"tokenexp": WORDS} for _, part in parts_of(fitted) if _takes_words(part)}
    if role_of(fitted) is Role.SCORES:
        yield {**words, id(last): {"zipmap": False, "raw_scores": True}}
        yield {**words, id(last): {"raw_scores": True}}
    yield {**words, id(last): {"zipmap": False}}
    yield words or None


def _takes_words(part: Any) -> bool:
    return isinstance(part, CountVectorizer) and part.token_pattern == CountVectorizer().token_pattern


def _made(fitted: BaseEstimator, inputs: list[Input], options: dict[Any, Any] | None, opset: int) -> ModelProto:
    types = [(one.name, TENSORS[one.dtype]([None, len(one.columns)])) for one in inputs]
    opsets = {"": opset, "ai.onnx.ml": ML_OPSET}
    model: ModelProto = to_onnx(fitted, initial_types=types, options=options, target_opset=opsets)
    return model


def _tried(graph: Graph, data: Dataset) -> list[Any]:
    """Answer a few rows by the graph as it is."""
    rows = tensors_of(data.frame.iloc[:3], data.inputs)
    try:
        return list(opened(graph.bytes).run(None, rows.arrays))
    except NotOpened:
        raise
    except Exception as error:
        msg = f"the ONNX does not compute rows of the data: {error}"
        raise NotConvertible(msg) from error


def _labels(graph: Graph, name: str, found: Any, data: Dataset, labels: list[Any] | None) -> tuple[Output, str]:
    source, array = name, np.asarray(found)
    if labels is not None and isinstance(labels[0], str) == (array.dtype.kind not in "iub"):
        source = graph.placed(source, labels)
    elif array.dtype != np.int64:
        source = graph.cast(source, Dtype.INT64)
    width = len(data.class_names) if data.task is Task.MULTILABEL else None
    if array.shape != ((len(array),) if width is None else (len(array), width)) or source == name:
        source = graph.reshaped(source, [-1] if width is None else [-1, width])
    return Output(name=LABEL, role=Role.LABEL, dtype=Dtype.INT64, width=width), source


def _numbers(graph: Graph, name: str, found: Any, role: Role, width: int) -> tuple[Output, str]:
    source = name
    if isinstance(found, list) or np.ndim(found) == 3:  # noqa: PLR2004
        source, found = (
            graph.second_of_pairs(source, from_sequence=isinstance(found, list)),
            np.asarray(found)[..., 1].T,
        )
    array = np.asarray(found)
    dtype = Dtype.FLOAT64 if array.dtype == np.float64 else Dtype.FLOAT32
    if array.dtype not in {np.dtype(np.float32), np.dtype(np.float64)}:
        source = graph.cast(source, Dtype.FLOAT32)
    wide = width if array.size == len(array) * width else max(1, array.size // len(array))
    if array.shape != (len(array), wide):
        source = graph.reshaped(source, [-1, wide])
    return Output(name=role.value, role=role, dtype=dtype, width=wide), source
