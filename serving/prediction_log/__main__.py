"""`python -m serving.prediction_log`: bring the log's table to its last version, as the app does by itself."""

import logging
import sys

from delivery.errors import DeliveryError
from serving.prediction_log.database import Database
from serving.prediction_log.settings import LogSettings


def main() -> None:
    """Migrate; what is wrong is said in one line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = LogSettings()
        Database(settings.database_url, settings.timeout_s).migrate()
    except (DeliveryError, ValueError) as error:
        sys.exit(f"prediction log: {error}")


if __name__ == "__main__":
    main()
