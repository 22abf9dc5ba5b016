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
from flows.recover_run import recover_run
from tasks import prediction_log as steps
from tasks.announce import announced


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def retention(days: Annotated[int, Field(ge=1)] = 90, prediction_log: str = "dev", chat: str = "dev") -> State[Any]:
    """
    Delete the rows of the prediction log that are older than *days*.

    Args:
        days: How long a row is kept.
        prediction_log: Name of the block PredictionLog.
        chat: Name of the block ChatWebhook, which hears of failures.

    Raises:
        DeliveryError: The log's database does not answer, or has no such table.
    """
    with announced(chat, "", "", subject="retention of the prediction log", page="retention") as announce:
        before = datetime.now(UTC) - timedelta(days=days)
        forgotten = steps.forget(PredictionLog.named(prediction_log), before)
        told = f"{forgotten} rows older than {days} days (before {before:%Y-%m-%d %H:%M} UTC) deleted"
        return Completed(message=told)
    return announce.ended
