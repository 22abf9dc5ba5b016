"""The steps of a release as retried tasks, visible by their names in the Prefect UI; see `interlock.release.steps`."""

from prefect.logging import get_run_logger
from prefect.tasks import Task

from interlock.errors import ContractChanged, DigestRefused
from interlock.release import steps
from interlock.release.steps import STEPS, Release, Step
from tasks.step import RETRIES, may_try_again, step


def _task(of: Step) -> Task[[Release], None]:
    def make(release: Release) -> None:
        release.patient = may_try_again()
        of.make(release)

    make.__name__ = make.__qualname__ = of.name
    make.__doc__ = getattr(Release, of.name).__doc__
    return step(retries=RETRIES if of.retried else 0)(make)


TASKS = {known.name: _task(known) for known in STEPS}


def carry_out(release: Release) -> None:
    """
    Make every step of an open release or rollback, in order, each as a task.

    Raises:
        DigestRefused: These bytes failed before; the message names the parameter that tries them all the same.
        ContractChanged: It takes or gives something else than what is live; the message names the parameter.
    """
    try:
        steps.carry_out(release, lambda of, what: TASKS[of.name](what))
    except DigestRefused as refused:
        refused.way_out = "force=true tries it all the same"
        raise
    except ContractChanged as changed:
        changed.way_out = "new_contract=true releases it all the same; so does a model name of its own"
        raise
    if release.alias_pending is not None:
        get_run_logger().warning("alias %s stays pending: %s", release.candidate.alias, release.alias_pending)
