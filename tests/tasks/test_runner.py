"""What computes a batch."""

import sys

import pytest
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import ValidationError

from blocks.batch_folder import BatchFolder
from interlock.errors import Refused
from tasks.runner import runner_of


def test_threads_by_default_and_as_many_as_told(tmp_path):
    assert runner_of(BatchFolder(root=tmp_path, workers=3)) == ThreadPoolTaskRunner(max_workers=3)


@pytest.mark.parametrize("runner", ["processes", "tcp://", "http://scheduler:8786", ""])
def test_what_is_no_runner_is_refused_by_the_block(tmp_path, runner):
    with pytest.raises(ValidationError):
        BatchFolder(root=tmp_path, runner=runner)


def test_dask_that_is_not_installed_says_how_it_is(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)

    with pytest.raises(Refused, match="tcp://s:1 needs the extra `dask`"):
        runner_of(BatchFolder(root=tmp_path, runner="tcp://s:1"))


def test_the_address_of_a_scheduler_and_a_cluster_of_our_own(tmp_path):
    dask = pytest.importorskip("prefect_dask")

    by_address = runner_of(BatchFolder(root=tmp_path, runner="tcp://scheduler:8786"))
    own = runner_of(BatchFolder(root=tmp_path, runner="dask", workers=2))

    assert isinstance(by_address, dask.DaskTaskRunner)
    assert by_address.address == "tcp://scheduler:8786"
    assert own.cluster_kwargs["n_workers"] == 2
