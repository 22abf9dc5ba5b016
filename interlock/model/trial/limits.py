"""What a candidate may take."""

from pydantic import Field

from interlock.model.manifest import LARGEST_REQUEST, MANIFEST_BYTES, MAX_BATCH
from interlock.records import Record

MIB = 1024 * 1024


class Limits(Record):
    """
    What a candidate may take; docs/adr/0013 says why these numbers.

    Args:
        size_bytes: Largest model.onnx.
        manifest_bytes: Largest manifest.json.
        golden_rows: Most golden rows; every engine computes all of them at once before it answers.
        nodes: Most nodes of the graph, with every function call expanded.
        memory_bytes: How far the child may grow to read, load and answer.
        cpu_s: Processor time for all of it.
        wall_s: Longest that the release waits for the child.
        largest_request: Rows of the largest request that an engine takes.
        latency_budget_ms: Most that the median single row may take, in processor time; None judges answers only.
    """

    size_bytes: int = Field(default=256 * MIB, gt=0)
    manifest_bytes: int = Field(default=MANIFEST_BYTES, gt=0)
    golden_rows: int = Field(default=MAX_BATCH, gt=0)
    nodes: int = Field(default=20_000, gt=0)
    memory_bytes: int = Field(default=1024 * MIB, gt=0)
    cpu_s: int = Field(default=10, gt=0)
    wall_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    largest_request: int = Field(default=LARGEST_REQUEST, gt=0)
    latency_budget_ms: float | None = Field(default=500.0, gt=0, allow_inf_nan=False)
