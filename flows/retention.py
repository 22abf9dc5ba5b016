"""
Delete what the prediction log has held for long enough.

    forget, 10,000 rows at a time
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from blocks.prediction_log import PredictionLog
from tasks import prediction_log as steps


@flow
def retention(days: Annotated[int, Field(ge=1)] = 90, prediction_log: str = "dev") -> State[Any]:
    """
    Delete the rows of the prediction log that are older than *days*.

    Args:
        days: How long a row is kept.
        prediction_log: Name of the block PredictionLog.

    Raises:
        DeliveryError: The log's database does not answer, or has no such table.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    forgotten = steps.forget(PredictionLog.named(prediction_log), before)
    return Completed(message=f"{forgotten} rows older than {days} days (before {before:%Y-%m-%d %H:%M} UTC) deleted")
