"""What would stop a release after a training, asked before it."""

from blocks.mlflow_registry import MlflowRegistry
from interlock.store import Store
from tasks.step import step


@step(retries=1)
def preflight(registry: MlflowRegistry, store: Store, *, release: bool) -> None:
    """
    Look whether a training can be logged to MLflow and, to *release* it, whether the repository can be written.

    The first call of a flow: it says within seconds that MLflow is down, before anything is trained.

    Raises:
        Refused: The experiment was deleted, keeps its artifacts elsewhere, or we may not log in or write to it.
        NoLocks: The repository's disk does not lock.
        Unwritable: It is read-only or full.
    """
    registry.trainings().ready()
    if release:
        store.check_locks()
