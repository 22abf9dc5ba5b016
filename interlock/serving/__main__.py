"""`python -m interlock.serving`: serve the decisions of one model repository; settings from the environment."""

import logging
import sys
from contextlib import suppress

from interlock import outbound
from interlock.errors import DeliveryError
from interlock.extras import extra
from interlock.settings import ServingSettings


def main() -> None:
    """Run the app until it is stopped; requests that are under way are answered first."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin
    try:
        with extra("serving"):
            from interlock.serving.app import create_app  # its server is an extra
            from interlock.serving.listeners import listening
        settings = ServingSettings()
        outbound.apply([settings.triton_url])
        server, sockets = listening(create_app(settings), settings)
    except (DeliveryError, ValueError, OSError) as error:
        sys.exit(f"serving does not start: {error}")
    with suppress(KeyboardInterrupt):
        server.run(sockets)


if __name__ == "__main__":
    main()
