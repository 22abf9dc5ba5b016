"""Where the parts of a batch are computed: threads of this process, or a Dask cluster."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from blocks.batch_folder import BatchFolder
from interlock.errors import Refused, Unreachable

CONNECT_S = 10
AHEAD = 64
"""Most tasks that wait to be computed."""


def runner_of(block: BatchFolder) -> TaskRunner[Any]:
    """
    Return what the block names, not yet started.

    Raises:
        Refused: It is Dask, which is not installed.
    """
    workers = block.workers or os.cpu_count() or 1
    if block.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    try:
        from prefect_dask.task_runners import DaskTaskRunner  # an extra
    except ImportError as error:
        msg = f"{block.runner} needs the extra `dask`: `pip install '.[dask]'` or `make .venv/dask`"
        raise Refused(msg) from error
    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    runner: TaskRunner[Any] = (
        DaskTaskRunner(cluster_kwargs=local)
        if block.runner == "dask"
        else DaskTaskRunner(address=block.runner, client_kwargs={"timeout": CONNECT_S})
    )
    return runner


def computed(runner: TaskRunner[Any], task: Task[..., Any], calls: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """
    Yield what *task* returns for each of *calls*, in their order; after an error, what waits is never begun.

    Raises:
        Unreachable: The Dask cluster is away.
        Exception: What a task raises.
    """
    waiting: deque[Any] = deque()
    with _told_as_unreachable(runner):
        for call in calls:
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
            waiting.append(runner.submit(task, dict(call)))
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _told_as_unreachable(runner: TaskRunner[Any]) -> Iterator[None]:
    if isinstance(runner, ThreadPoolTaskRunner):
        yield
        return
    from distributed import KilledWorker  # an extra

    try:
        yield
    except (OSError, KilledWorker, CancelledError) as error:
        msg = f"the Dask cluster is away ({type(error).__name__}); the same batch goes on where it stopped"
        raise Unreachable(msg) from error
