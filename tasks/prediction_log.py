"""The prediction log."""

from datetime import datetime

from blocks.prediction_log import PredictionLog
from tasks.step import step

LONGEST_S = 3600


@step(timeout_s=LONGEST_S)
def forget(log: PredictionLog, before: datetime) -> int:
    """Delete the rows that are older than *before*, some at a time; return how many. Again is fine."""
    client, forgotten = log.connect(), 0
    while deleted := client.forget(before):
        forgotten += deleted
    return forgotten
