"""How every task retries: only what nobody answered, and never from a cache."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task

from interlock.errors import Unreachable

P = ParamSpec("P")
R = TypeVar("R")
RETRIES = 2
DELAYS_S = [0.5, 1.0]
JITTER = 0.5
TIMEOUT_S = 60


def only_unreachable(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry when nobody answered; a no and a wrong answer stay what they are."""
    return isinstance(state.result(raise_on_failure=False), Unreachable)


def step(*, retries: int = RETRIES, timeout_s: float | None = TIMEOUT_S) -> Callable[[Callable[P, R]], Task[P, R]]:
    """
    Make a function a retried task.

    Args:
        retries: Further attempts after Unreachable.
        timeout_s: Seconds that one attempt may take; None for what is submitted to threads, where Prefect can interrupt
            nothing: its deadlines are its own.
    """
    return cast(
        "Callable[[Callable[P, R]], Task[P, R]]",
        partial(
            task,
            retries=retries,
            retry_delay_seconds=DELAYS_S[:retries],
            retry_jitter_factor=JITTER,
            retry_condition_fn=only_unreachable,
            timeout_seconds=timeout_s,
            cache_policy=NO_CACHE,
            persist_result=False,
        ),
    )


def may_try_again() -> bool:
    """Return whether the running task has an attempt left."""
    return bool(task_run.run_count <= RETRIES)
