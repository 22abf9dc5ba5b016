"""One pass over the models, as a task."""

from prefect.logging import get_run_logger

from delivery.errors import NotFound
from delivery.reconcile import Reconciler, Report
from tasks.step import step

LONGEST_S = 600


@step(timeout_s=LONGEST_S)
def reconcile(reconciler: Reconciler, model: str | None) -> list[Report]:
    """
    Make everything equal the decisions of *model*, or of all models.

    Raises:
        NotFound: There is no such model.
    """
    models = reconciler.store.models()
    if model is not None and model not in models:
        msg = f"no model {model} was ever released; there are {', '.join(models) or 'none'}"
        raise NotFound(msg)
    reports = reconciler.reconcile([model] if model else models)
    for report in reports:
        get_run_logger().info("%s", report.told)
    return reports
