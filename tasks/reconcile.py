"""One pass over the models, as a task."""

from prefect.logging import get_run_logger

from interlock.upkeep.reconcile import Reconciler, Report
from tasks.step import step

LONGEST_S = 600


@step(timeout_s=LONGEST_S)
def reconcile(reconciler: Reconciler, model: str | None) -> list[Report]:
    """
    Make everything equal the decisions of *model*, or of all models.

    Raises:
        NotFound: There is no such model.
    """
    store = reconciler.env.store
    reports = reconciler.reconcile([store.known(model)] if model else store.models())
    for report in reports:
        get_run_logger().info("%s", report.told)
    return reports
