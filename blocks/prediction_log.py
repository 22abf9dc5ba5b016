"""Block: where the prediction log is."""

from typing import ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters import prediction_log


class PredictionLog(NamedBlock):
    """
    The table of answers that the serving app writes.

    Example:
        ```python
        from blocks.prediction_log import PredictionLog

        log = PredictionLog.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Prediction Log"
    _block_type_slug: ClassVar[str | None] = "prediction-log"
    _documentation_url = HttpUrl("https://docs.sqlalchemy.org/en/21/core/engines.html#database-urls")

    url: SecretStr = Field(description="SQLAlchemy URL; the serving app's INTERLOCK_SERVING_LOG_URL.")
    timeout_s: float = Field(default=30.0, gt=0, description="Seconds that connecting, and a statement, may take.")

    def connect(self) -> prediction_log.PredictionLog:
        """Return the log. Nothing is opened before its first call."""
        return prediction_log.PredictionLog(self.url.get_secret_value(), self.timeout_s)
