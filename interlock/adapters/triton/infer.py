"""Rows for Triton and its answers, in the JSON of the Open Inference Protocol: for the few rows of a proof."""

import json
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, StrictFloat, StrictInt

from interlock.adapters.http import HttpClient
from interlock.errors import SmokeFailed
from interlock.model.answers import Answers
from interlock.model.golden import answers_of
from interlock.model.manifest import Cells, Manifest
from interlock.model.rows import encode_rows
from interlock.model.signature import Dtype, Output, Signature

DATATYPES = {
    Dtype.FLOAT32: "FP32",
    Dtype.FLOAT64: "FP64",
    Dtype.INT64: "INT64",
    Dtype.BOOL: "BOOL",
    Dtype.STRING: "BYTES",
}
"""The protocol's names. Source: Open Inference Protocol v2, "Tensor Data Types"."""


class Inferred(NamedTuple):
    """What Triton answered, and by which version of the model."""

    version: int
    answers: Answers


class _Output(BaseModel):
    name: str
    data: list[StrictInt | StrictFloat]


class _Answer(BaseModel):
    model_version: int
    outputs: list[_Output]


def infer(http: HttpClient, path: str, manifest: Manifest, rows: Cells) -> Inferred:
    """
    Ask the model at *path* for *rows*, MAX_BATCH of them at most.

    Raises:
        Unreachable: Nobody answers in time, or a server error.
        Refused: It cannot infer them.
        NotFound: There is no such model, or no such version of it.
        SmokeFailed: Its answer has not the outputs of the manifest.
        Garbled: The answer is not one that Triton gives.
    """
    signature = manifest.signature
    answer = http.ask("POST", f"{path}/infer", _Answer, content=infer_json(signature, rows))
    outputs = {output.name: output.data for output in answer.outputs}
    if not set(signature.output_names) <= outputs.keys():
        msg = f"{http.base_url} gives {sorted(outputs)} for {path}, not {signature.output_names}"
        raise SmokeFailed(msg)
    shaped = [_shaped(outputs[output.name], output, len(rows)) for output in signature.outputs]
    return Inferred(answer.model_version, answers_of(signature, shaped))


def infer_json(signature: Signature, rows: Cells) -> str:
    """Return the body that asks for *rows*. A missing cell is a `NaN`, which Triton reads and httpx would not write."""
    arrays = encode_rows(rows, signature).arrays
    tensors = [
        {
            "name": tensor.name,
            "shape": list(arrays[tensor.name].shape),
            "datatype": DATATYPES[tensor.dtype],
            "data": arrays[tensor.name].ravel().tolist(),
        }
        for tensor in signature.inputs
    ]
    return json.dumps({"inputs": tensors})


def _shaped(flat: list[int | float], output: Output, rows: int) -> Any:
    """Return the numbers by row, if there are as many as there should be; else as they are, for checks to see."""
    array = np.asarray(flat)
    return array.reshape(rows, output.width or 1) if len(flat) == rows * (output.width or 1) else array
