"""The JSON of the Open Inference Protocol, for the few rows that a proof asks for."""

import json
import math

from delivery.manifest import Cells


def infer_json(input_name: str, rows: Cells) -> str:
    """Return the body that asks for *rows*. A missing cell is a `NaN`, which Triton reads and httpx would not write."""
    flat = [math.nan if cell is None else cell for row in rows for cell in row]
    tensor = {"name": input_name, "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": flat}
    return json.dumps({"inputs": [tensor]})
