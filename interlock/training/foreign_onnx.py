"""
An ONNX that somebody else made: its ends are put right, and its answers become the golden ones.

There is no model beside it to compare with. What is looked at is whether it is one of rows: each row gets alone what it
gets among others.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, ValueInfoProto, load_model_from_string

from interlock.errors import InvalidTraining, NotConvertible, ParityFailed
from interlock.model.session import NotOpened, opened
from interlock.model.signature import Column, Dtype, Input, Role, Task
from interlock.training.columns import column_of
from interlock.training.convert import Converted, finished
from interlock.training.dataset import Dataset, encoded_frame, tensors_of
from interlock.training.graph import TYPES, Graph
from interlock.training.parity import Onnx, differences
from interlock.training.target import Label

DTYPES = {number: dtype for dtype, number in TYPES.items()}
ALONE = 16
"""Rows that are asked alone and together."""
CLOSE = 1e-4


def converted(
    onnx: bytes, sample: pd.DataFrame, task: Task | None, class_names: Sequence[str] | None
) -> tuple[Converted, Dataset]:
    """
    Return the file with outputs as Interlock's models have them, and the sample as it takes it.

    Args:
        onnx: The file.
        sample: Rows that it takes, columns in its order or by the names of its inputs.
        task: What its answers are; without it, labels or shares that sum to one are a classification.
        class_names: Of the classes, by label; without them, those that the file carries.

    Raises:
        NotConvertible: It is no ONNX of rows: sequences, float16, inputs or outputs of another shape.
        InvalidTraining: The sample does not fit it.
        ParityFailed: A row gets another answer alone than among others.
    """
    try:
        graph = Graph(load_model_from_string(onnx)).without_zipmaps().anywhere()
    except DecodeError as error:
        msg = "the file is no ONNX"
        raise NotConvertible(msg) from error
    data = _data(graph.model, sample)
    raw = _answers(graph, data)
    kind = task or _task_of(raw)
    labels = graph.class_labels()
    names = _names(graph, raw, kind, labels, class_names)
    own = _labels(labels) if kind is Task.CLASSIFICATION and labels and class_names is None else None
    made = replace(data, task=kind, class_names=names, labels=own)
    if kind is Task.REGRESSION:
        width = raw[0].size // len(raw[0])
        made = replace(made, targets=["value"] if width == 1 else [f"value_{place}" for place in range(width)])
    ready = Converted(*_finished(graph, made, raw, kind, labels))
    _check_rows_alone(ready, made)
    return ready, made


def _data(model: ModelProto, sample: pd.DataFrame) -> Dataset:
    constant = {one.name for one in model.graph.initializer}
    tensors = [value for value in model.graph.input if value.name not in constant]
    widths = [_width(value) for value in tensors]
    known = [value.name for value in tensors]
    by_name = set(known) <= set(sample.columns) and all(width in {1, None} for width in widths)
    names = known if by_name else [str(name) for name in sample.columns]
    total = sum(width or 1 for width in widths)
    if len(tensors) == 1 and widths[0] is None and not by_name:
        total, widths = len(names), [len(names)]
    if len(names) != total:
        msg = f"the model takes {total} columns in {', '.join(known)}; the sample has {len(names)}"
        raise InvalidTraining(msg)
    inputs, columns, place = [], list[Column](), 0
    for value, width in zip(tensors, widths, strict=True):
        some = names[place : place + (width or 1)]
        dtype = DTYPES[value.type.tensor_type.elem_type]
        inputs.append(Input(name=value.name, dtype=dtype, columns=tuple(some)))
        columns += [_column(sample[name], dtype) for name in some]
        place += width or 1
    frame = encoded_frame(sample.set_axis(names, axis=1) if not by_name else sample, columns)
    return Dataset(frame, columns, np.empty(0), Task.REGRESSION, [], None, [], given=inputs)


def _column(cells: pd.Series, dtype: Dtype) -> Column:
    found = column_of(cells)
    if (found.dtype is Dtype.STRING) != (dtype is Dtype.STRING):
        msg = f"column {found.name}: the model takes {dtype}, the sample has {found.dtype}"
        raise InvalidTraining(msg)
    if found.nullable and not (dtype.is_float or dtype is Dtype.STRING):
        msg = f"column {found.name}: the model takes {dtype}, and a cell of the sample is missing"
        raise InvalidTraining(msg)
    return found.model_copy(update={"dtype": found.dtype if found.dtype is Dtype.BOOL else dtype})


def _width(value: ValueInfoProto) -> int | None:
    """Return the columns of an input, None where it does not say. Raises NotConvertible for what is no rows."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type not in DTYPES:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "no tensor"
        msg = f"its input {value.name} is {kind}; float32, float64, int64, bool and string can be served"
        raise NotConvertible(msg)
    dims = tensor.shape.dim
    if len(dims) != 2 or dims[0].dim_value:  # noqa: PLR2004 - rows of columns
        shape = [dim.dim_value or dim.dim_param or "?" for dim in dims]
        msg = f"its input {value.name} has the shape {shape}; rows of columns are served: (any number, columns)"
        raise NotConvertible(msg)
    return dims[1].dim_value or None


def _answers(graph: Graph, data: Dataset) -> list[Any]:
    wrong = [value.name for value in graph.outputs if not value.type.HasField("tensor_type")]
    if wrong:
        msg = f"its output {wrong[0]} is a sequence or a map, which no engine sends"
        raise NotConvertible(msg)
    try:
        session = opened(graph.bytes)
        rows = tensors_of(data.frame.iloc[:ALONE], data.inputs)
        found = [np.asarray(array) for array in session.run(None, rows.arrays)]
    except NotOpened as error:
        msg = f"onnxruntime does not open it: {error}"
        raise NotConvertible(msg) from error
    except Exception as error:
        msg = f"it does not compute the rows of the sample: {error}"
        raise NotConvertible(msg) from error
    for value, array in zip(graph.outputs, found, strict=True):
        _check_output(value.name, array, len(rows))
    return found


def _check_output(name: str, array: npt.NDArray[Any], rows: int) -> None:
    if array.dtype == np.float16:
        msg = f"its output {name} is float16; cast it to float32"
        raise NotConvertible(msg)
    if array.ndim not in {1, 2} or len(array) != rows:
        msg = f"its output {name} has the shape {array.shape} for {rows} rows: there is no axis of rows"
        raise NotConvertible(msg)


def _task_of(raw: list[Any]) -> Task:
    if len(raw) > 1 or raw[0].dtype.kind in "OUSi":
        return Task.CLASSIFICATION
    return Task.CLASSIFICATION if _are_shares(raw[0]) else Task.REGRESSION


def _are_shares(array: npt.NDArray[Any]) -> bool:
    if array.ndim != 2 or array.shape[1] < 2:  # noqa: PLR2004 - a share for each of two classes at least
        return False
    return bool((array >= -CLOSE).all() and (np.abs(array.sum(axis=1) - 1) <= CLOSE).all())


def _names(
    graph: Graph, raw: list[Any], task: Task, labels: list[Any] | None, given: Sequence[str] | None
) -> list[str]:
    if task is Task.REGRESSION:
        return []
    if given is not None:
        return [str(name) for name in given]
    if labels:
        return [str(label) for label in labels]
    widths = [array.shape[1] for array in raw if array.ndim == 2 and array.dtype.kind == "f"]  # noqa: PLR2004
    if widths:
        return [str(place) for place in range(widths[0])]
    msg = f"nothing says what the classes of {', '.join(value.name for value in graph.outputs)} are; say class_names"
    raise InvalidTraining(msg)


def _labels(found: list[Any]) -> list[Label]:
    return [label if isinstance(label, str) else int(label) for label in found]


def _finished(graph: Graph, data: Dataset, raw: list[Any], task: Task, labels: list[Any] | None) -> tuple[bytes, Any]:
    role = Role.PROBABILITIES if any(_are_shares(array) for array in raw) else Role.SCORES
    if task is Task.CLASSIFICATION and len(raw) == 1 and raw[0].dtype.kind == "f":
        graph.label_by_largest()
        return finished(graph, data, role)
    return finished(graph, data, role, labels)


def _check_rows_alone(ready: Converted, data: Dataset) -> None:
    onnx, frame = Onnx(ready.onnx, ready.signature), data.frame.iloc[:ALONE]
    together = onnx.answers(frame)
    scale = None if together.numbers is None else np.maximum(np.abs(together.numbers).max(axis=0), CLOSE)
    for place in range(len(frame)):
        alone = onnx.answers(frame.iloc[[place]])
        among = type(together)(
            None if together.labels is None else together.labels[[place]],
            None if together.numbers is None else together.numbers[[place]],
            together.role,
        )
        same, off = differences(among, alone, scale)
        if not same.all() or off.max() > CLOSE:
            msg = (
                f"row {place} of the sample gets another answer alone than among others: it is no model of single rows"
            )
            raise ParityFailed(msg)
