"""
Batches: rows a second of the flow batch_predict, beside bare onnxruntime on the same rows, and its peak memory.

    bare, one call      `InferenceSession.run` of all rows as they are in memory, onnxruntime's defaults
    bare, tuned         4,096 rows a call, as many threads as processors: the most that this machine gives
    batch_predict       the flow, with a Prefect server: Parquet in, encoded, answered, Parquet out
    memory              of the flow's process, for a table and for one that is ten times larger

The model is the credit score: 14 columns, 200 trees.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness
from pyarrow import parquet

from benchmarks.place import table
from benchmarks.shelf import Shelf
from blocks.batch_folder import BatchFolder
from blocks.chat_webhook import ChatWebhook
from blocks.feature_store import FeatureStore
from blocks.model_repository import ModelRepository
from demos.credit_table import credit_table
from flows.batch_predict import batch_predict
from interlock.model.rows import Tensors, encode_table
from interlock.model.signature import Signature
from interlock.records import Run
from interlock.stack.processes import ROOT
from interlock.store import Store, Writer
from interlock.training.train import train
from learners.credit_score import LEARNER
from tasks.batch import AT_ONCE

ROWS = 1_000_000
TURNS = 3
SEEN = 50_000
SMALL, FACTOR = 200_000, 10
GOAL = 500_000
ONE = """
import sys
from pathlib import Path
from flows.batch_predict import batch_predict

if __name__ == "__main__":
    batch_predict(model="best_model", version=1, parquet=sys.argv[1], batch=sys.argv[2])
    print([line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line][0].split()[1])
"""


def prepare(home: Path) -> tuple[Path, Signature]:
    """Put a credit model where a release would, make the blocks, and return the model's file and signature."""
    trained = train("credit_score", LEARNER, LEARNER.Params(), LEARNER.dataset(credit_table(10_000)))
    store, shelf = Store(home / "repository"), Shelf()
    candidate = shelf.put(1, trained.onnx, trained.manifest("benchmark"))
    with Writer.locked(store, "best_model", Run(who="bench")) as writer:
        writer.materialize(candidate, lambda name, path: shelf.fetch(candidate, name, path))
    ModelRepository(root=store.root).save("dev", overwrite=True)
    ChatWebhook().save("dev", overwrite=True)
    FeatureStore(url=f"sqlite:///{home}/features.db").save("dev", overwrite=True)
    BatchFolder(root=home / "batches").save("dev", overwrite=True)
    return store.paths("best_model").onnx(1), trained.signature


def write(path: Path, rows: int) -> Path:
    """Write a table of customers, from one of 50,000 over and over, in row groups of 65,536."""
    seen = {name: pa.array(cells, from_pandas=True) for name, cells in credit_table(SEEN, seed=3).items()}
    piece = pa.table(seen)
    with parquet.ParquetWriter(path, piece.schema) as file:
        for first in range(0, rows, 65_536):
            count = min(65_536, rows - first)
            file.write_table(pa.concat_tables([piece] * 2).slice(0, count).combine_chunks())
    return path


def tensors(rows: int, signature: Signature) -> Tensors:
    """Return the same rows as the model takes them."""
    piece = encode_table(credit_table(SEEN, seed=3), signature)
    full = np.resize(np.arange(SEEN), 65_536)
    return piece[np.resize(full, rows)]


def bare(onnx: Path) -> Callable[[Tensors], None]:
    """Return onnxruntime with its defaults, all rows in one call."""
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, rows.arrays) and None


def tuned(onnx: Path) -> Callable[[Tensors], None]:
    """Return onnxruntime, each processor with its own calls of few rows."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    def answer(rows: Tensors) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda n: session.run(None, rows[n : n + AT_ONCE].arrays), range(0, len(rows), AT_ONCE)))

    return answer


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds, and the processor seconds of this process."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    what()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_speed(home: Path, onnx: Path, signature: Signature, count: int) -> list[tuple[str, str, str]]:
    """Answer the same rows in turns: bare, tuned, and by the flow."""
    file, rows = write(home / "rows.parquet", count), tensors(count, signature)
    one, many = bare(onnx), tuned(onnx)
    taken: dict[str, list[tuple[float, float]]] = {"bare, one call": [], "bare, tuned": [], "batch_predict": []}
    for turn in range(TURNS):
        taken["bare, one call"].append(timed(lambda: one(rows)))
        taken["bare, tuned"].append(timed(lambda: many(rows)))
        asked = {"model": "best_model", "version": 1, "parquet": str(file), "batch": f"speed-{turn}"}
        taken["batch_predict"].append(timed(lambda asked=asked: batch_predict(**asked)))  # type: ignore[misc]
    seconds = {name: statistics.median(wall for wall, _ in times) for name, times in taken.items()}
    busy = {name: statistics.median(cpu for _, cpu in times) for name, times in taken.items()}
    speed = {name: count / value for name, value in seconds.items()}
    lines = [(f"{name}: rows/s, median of {TURNS}", f"{value:,.0f}", "") for name, value in speed.items()]
    lines += [(f"{name}: processor us a row", f"{value / count * 1e6:.2f}", "") for name, value in busy.items()]
    flow = speed["batch_predict"]
    best = max(speed["bare, one call"], speed["bare, tuned"])
    return [
        *lines,
        ("batch_predict / bare, one call", f"{flow / speed['bare, one call']:.0%}", f">= 80 % or {GOAL:,} rows/s"),
        ("batch_predict / the faster bare one", f"{flow / best:.0%}", f">= 80 % or {GOAL:,} rows/s"),
    ]


def measure_memory(home: Path) -> list[tuple[str, str, str]]:
    """Answer a table, and one ten times larger, each in a process of its own."""
    peaks = [peak(write(home / f"{rows}.parquet", rows), f"memory-{rows}") for rows in (SMALL, SMALL * FACTOR)]
    return [
        (f"peak memory of the process, {SMALL:,} rows", f"{peaks[0]:.0f} MiB", ""),
        (f"  {SMALL * FACTOR:,} rows", f"{peaks[1]:.0f} MiB", "the same, but for noise"),
    ]


def peak(file: Path, batch: str) -> float:
    """Return the most resident memory of a process that answers *file*, MiB."""
    done = subprocess.run(
        [sys.executable, "-c", ONE, str(file), batch],
        env=os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Measure everything in one run; an argument is another number of rows."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        with prefect_test_harness(server_startup_timeout=120):
            onnx, signature = prepare(home)
            table(f"Batches of {count:,} rows", measure_speed(home, onnx, signature, count) + measure_memory(home))
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
