"""`python -m interlock.serving.prediction_log`: migrate the log's table, as the app does by itself."""

import logging
import sys

from interlock.errors import DeliveryError
from interlock.serving.prediction_log.database import Database
from interlock.settings import LogSettings


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
