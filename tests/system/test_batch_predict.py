"""The flow batch_predict on the real stack: through the worker, killed, and on Dask."""

import json
import os
import signal
import subprocess
import sys

import httpx
import numpy as np
import pyarrow as pa
import pytest
from prefect.deployments import run_deployment
from pyarrow import parquet
from support.ports import free_ports
from world.runs import FlowRun, wait_for

from blocks.batch_folder import BatchFolder
from flows.batch_predict import batch_predict
from flows.train_register_reload import train_register_reload
from interlock.batch.folder import BatchFolder as Folder
from interlock.errors import InvalidRows, Unreachable
from interlock.stack.prefect_api import PrefectApi
from learners.iris import LEARNER

ROWS = 60_000
GROUP = 1000


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> str:
    """A file of flowers; every one of them is another."""
    data = LEARNER.data()
    rows = np.resize(data.frame.to_numpy(), (ROWS, 4)) + np.linspace(0, 0.01, ROWS, dtype=np.float32)[:, None]
    path = tmp_path_factory.mktemp("flowers") / "rows.parquet"
    table = pa.table({name: rows[:, place] for place, name in enumerate(data.frame.columns)})
    parquet.write_table(table, path, row_group_size=GROUP)
    return str(path)


@pytest.fixture
def live(api):
    if api.version() is None:
        train_register_reload()
    return api


def asked(flowers, batch, **more):
    return {"model": "best_model", "parquet": flowers, "batch": batch, "chunk_rows": GROUP, **more}


def answers(folder):
    return parquet.read_table(folder).drop(["batch"])


def through_worker(parameters) -> str:
    return str(run_deployment("batch-predict/dev", parameters=parameters, timeout=0).id)


def state_of(stack, run_id):
    return PrefectApi.of(stack.settings).get(f"flow_runs/{run_id}")["state"]


def ended(stack, run_id):
    def state():
        found = state_of(stack, run_id)
        return found if found["type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    return wait_for(state, 120, "the run did not end")


def of_run(run_id):
    return {"artifacts": {"flow_run_id": {"any_": [run_id]}}}


def test_a_batch_through_the_worker_is_killed_and_gone_on_with_and_says_what_the_app_says(live, flowers):
    batches = live.settings.batches
    killed = through_worker(asked(flowers, "killed"))
    wait_for(lambda: len(list(batches.glob(".work/killed/answers/part-*"))) > 0, 60, "no part was answered")
    os.kill(FlowRun(live, killed).process().pid, signal.SIGKILL)
    assert ended(live, killed)["type"] == "CRASHED"
    assert not (batches / "killed").exists()
    first = sorted(batches.glob(".work/killed/answers/part-*"))
    kept = {path.name: path.stat().st_mtime_ns for path in first}
    assert len(first) < ROWS / GROUP

    second = through_worker(asked(flowers, "killed"))
    done = ended(live, second)
    again = ended(live, through_worker(asked(flowers, "killed")))

    assert (done["name"], again["name"]) == ("Completed", "AlreadyDone")
    assert f"{ROWS} rows answered by best_model v{live.version()}" in done["message"]
    made = answers(batches / "killed")
    assert made["position"].to_pylist() == list(range(ROWS))
    assert {name: (batches / "killed" / name).stat().st_mtime_ns for name in kept} == kept
    sample = list(range(0, ROWS, 997))
    rows = [list(row.values()) for row in parquet.read_table(flowers).take(sample).to_pylist()]
    told = httpx.post(f"{live.url}/predict", json=rows, timeout=10).json()
    assert made["confidence"].take(sample).to_pylist() == pytest.approx(told["confidence"], abs=1e-6)
    classes = LEARNER.data().class_names
    assert made["predict"].take(sample).to_pylist() == [classes[label] for label in told["prediction"]]
    pages = {page["key"]: page for page in live.prefect("artifacts/filter", of_run(second))}
    assert (pages["batch-killed"]["type"], pages["batch-killed"]["data"]) == ("progress", 100.0)
    told = pages["predictions-best-model-a"]["data"]
    assert f"{ROWS} rows answered by best_model v{live.version()}: {batches / 'killed'}" in told


def test_dask_says_what_threads_say_on_a_local_cluster_and_by_address(live, flowers, tmp_path):
    pytest.importorskip("prefect_dask")
    one = str(tmp_path / "rows.parquet")
    parquet.write_table(parquet.read_table(flowers).slice(0, 5000), one, row_group_size=1000)
    BatchFolder(root=tmp_path / "threads").save("threads", overwrite=True)
    BatchFolder(root=tmp_path / "dask", runner="dask", workers=2).save("dask", overwrite=True)
    (port,) = free_ports(1)
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nworkers", "1"]
    quiet = {"cwd": tmp_path, "env": live.environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cluster = [subprocess.Popen([*words, "--no-dashboard"], **quiet) for words in (scheduler, worker)]
    BatchFolder(root=tmp_path / "address", runner=f"tcp://127.0.0.1:{port}").save("address", overwrite=True)
    try:
        for name in ("threads", "dask", "address"):
            batch_predict(**asked(one, "b", batches=name))
    finally:
        for process in cluster:
            process.terminate()
            process.wait(20)

    assert answers(tmp_path / "threads" / "b").num_rows == 5000
    for name in ("dask", "address"):
        assert answers(tmp_path / name / "b") == answers(tmp_path / "threads" / "b")


def test_a_dask_cluster_that_is_away_is_told_and_the_batch_goes_on_elsewhere(live, flowers, tmp_path):
    pytest.importorskip("prefect_dask")
    (port,) = free_ports(1)
    BatchFolder(root=tmp_path, runner=f"tcp://127.0.0.1:{port}").save("away", overwrite=True)

    with pytest.raises(Unreachable, match="the Dask cluster is away"):
        batch_predict(**asked(flowers, "b", batches="away"))

    with Folder(tmp_path).open("b") as work:
        assert work.is_empty()


def test_a_bad_row_ends_the_run_naming_it_and_leaves_nothing(live, flowers, tmp_path):
    table = parquet.read_table(flowers).slice(0, 5000)
    column = table.column(2).to_pylist()
    column[4321] = None
    bad = str(tmp_path / "bad.parquet")
    parquet.write_table(table.set_column(2, table.column_names[2], [column]), bad, row_group_size=1000)
    BatchFolder(root=tmp_path / "batches").save("bad", overwrite=True)

    state = batch_predict(**asked(bad, "b", batches="bad"), return_state=True)

    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), InvalidRows)
    assert f"row 4321, column {table.column_names[2]}: null" in state.message
    assert [path.name for path in (tmp_path / "batches").rglob("*")] == [".work"]
    assert json.dumps(bad) not in state.message
