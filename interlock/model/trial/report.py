"""What a trial measured."""

from interlock.model.trial.limits import MIB
from interlock.names import Sha256
from interlock.records import Record


class Trial(Record):
    """
    `trial.json`, beside the bytes that it is about. Times are processor time on one thread.

    Args:
        sha256: The digest that was tried.
        size_bytes: Size of model.onnx.
        nodes: Nodes of its graph, with every function call expanded.
        domains: Domains of its operators.
        golden_rows: How many golden rows were compared.
        worst: Largest difference of a probability from the one in training.
        load_ms: How long onnxruntime took to open it.
        row_ms: Median of a single row.
        batch_rows: Rows of the largest request that an engine takes.
        batch_ms: How long that took.
        load_memory_bytes: How much more memory a process needs at most to hold the file and load it.
        request_memory_bytes: How much more it needs at most for each request that it computes, beside that.
    """

    sha256: Sha256
    size_bytes: int
    nodes: int
    domains: tuple[str, ...]
    golden_rows: int
    worst: float
    load_ms: float
    row_ms: float
    batch_rows: int
    batch_ms: float
    load_memory_bytes: int
    request_memory_bytes: int

    def __str__(self) -> str:
        """Return it as the release's page shows it."""
        return (
            f"{self.golden_rows} golden rows, off by {self.worst:.2g} at most; loaded in {self.load_ms:.1f} ms, "
            f"a row in {self.row_ms:.2f} ms, {self.batch_rows} rows in {self.batch_ms:.1f} ms; "
            f"{self.load_memory_bytes / MIB:.1f} MiB to load it and {self.request_memory_bytes / MIB:.1f} MiB for each "
            f"request at most, {self.nodes} nodes"
        )
