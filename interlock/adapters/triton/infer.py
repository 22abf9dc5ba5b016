"""Rows for Triton and its answers, in the JSON of the Open Inference Protocol: for the few rows of a proof."""

import json
import math
from typing import NamedTuple

from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.errors import SmokeFailed
from interlock.model.manifest import Cells, Manifest


class Inferred(NamedTuple):
    """
    What Triton answered.

    Args:
        version: Of the model that computed it.
        labels: shape (n,).
        probabilities: shape (n, classes).
    """

    version: int
    labels: list[float]
    probabilities: list[list[float]]


class _Output(BaseModel):
    name: str
    data: list[float]


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
    answer = http.ask("POST", f"{path}/infer", _Answer, content=infer_json(manifest.input_name, rows))
    outputs = {output.name: output.data for output in answer.outputs}
    try:
        labels, probabilities = (outputs[wanted] for wanted in manifest.outputs)
    except KeyError as error:
        msg = f"{http.base_url} gives {sorted(outputs)} for {path}, not {manifest.outputs}"
        raise SmokeFailed(msg) from error
    width = len(manifest.class_names)
    by_row = [probabilities[place : place + width] for place in range(0, len(probabilities), width)]
    return Inferred(answer.model_version, labels, by_row)


def infer_json(input_name: str, rows: Cells) -> str:
    """Return the body that asks for *rows*. A missing cell is a `NaN`, which Triton reads and httpx would not write."""
    flat = [math.nan if cell is None else cell for row in rows for cell in row]
    tensor = {"name": input_name, "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": flat}
    return json.dumps({"inputs": [tensor]})
