"""`python -m serving`: serve the decisions of one model repository; settings from the environment."""

import logging
import sys

import uvicorn

from delivery import outbound
from serving.app import create_app
from serving.settings import Settings


def main() -> None:
    """Run the app until it is stopped; requests that are under way are answered first."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin
    try:
        settings = Settings()
        outbound.apply([settings.triton_url])
        app = create_app(settings)
    except (ValueError, OSError) as error:
        sys.exit(f"serving does not start: {error}")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        limit_concurrency=settings.limit_concurrency,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
