"""Tables to train on, from a feature store."""

from prefect.logging import get_run_logger

from blocks.feature_store import FeatureStore
from interlock.training.dataset import Dataset
from interlock.training.table import TableLearner
from interlock.training.train import check_data
from tasks.step import step


@step(timeout_s=300)
def read(store: FeatureStore, learner: TableLearner) -> Dataset:
    """
    Read the table that *learner* is trained on, and refuse it before anything is trained or logged.

    Raises:
        NotFound: There is no such table.
        InvalidTraining: The table cannot be trained on; the message names the column.
    """
    data = learner.dataset(store.connect().read(store.query or learner.query))
    check_data(data)
    get_run_logger().info("read %d rows of %d columns", len(data), len(data.columns))
    return data
