"""Only what nobody answered is tried again."""

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed
from prefect.tasks import Task

from interlock.errors import Broken, Refused, Unreachable
from tasks import batch, feature_store, prediction_log, registry, release, serving, tracking, training
from tasks.step import only_unreachable

STEPS = [
    *release.TASKS.values(),
    *(
        value
        for module in (batch, feature_store, prediction_log, registry, serving, tracking, training)
        for value in vars(module).values()
        if isinstance(value, Task)
    ),
]


@pytest.mark.parametrize(
    ("error", "again"), [(Unreachable("x"), True), (Refused("x"), False), (Broken("x"), False), (OSError("x"), False)]
)
def test_only_unreachable_is_retried(error, again):
    assert only_unreachable(None, None, Failed(data=error)) is again


@pytest.mark.parametrize("task", STEPS, ids=lambda task: task.name)
def test_every_step_has_a_deadline_and_no_cache(task):
    assert task.timeout_seconds or task is batch.score  # which tells onnxruntime to stop
    assert task.cache_policy is NO_CACHE
    assert task.persist_result is False


@pytest.mark.parametrize("task", STEPS, ids=lambda task: task.name)
def test_a_step_is_retried_only_when_nobody_answered(task):
    assert task.retry_condition_fn is only_unreachable


def test_the_release_has_its_steps_by_name():
    before = ["snapshot", "materialize", "trial", "load", "ready", "smoke"]
    assert [task.name for task in release.TASKS.values()] == [*before, "commit", "switch", "confirm", "point_alias"]
    assert len({task.task_key for task in release.TASKS.values()}) == len(release.TASKS)
