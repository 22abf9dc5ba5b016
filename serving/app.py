"""Put the serving app together: settings in, FastAPI app out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from delivery.errors import DeliveryError
from delivery.store import Store
from serving import problem
from serving.follower import Follower
from serving.hosts import KnownHosts
from serving.in_process import OnnxSource
from serving.metrics import CountRequests, Metrics
from serving.model import Source
from serving.prediction_log.database import Database
from serving.prediction_log.log import PredictionLog
from serving.prediction_log.metrics import LogCollector
from serving.prediction_log.rows import Privacy
from serving.prediction_log.settings import LogSettings
from serving.prediction_log.spool import Spool
from serving.routes import control, info, predict
from serving.settings import Settings
from serving.variants import Variants

log = logging.getLogger(__name__)


@asynccontextmanager
async def _following(app: FastAPI) -> AsyncIterator[None]:
    """Follow the decision before the first request, and then by itself."""
    try:
        await asyncio.to_thread(app.state.follower.follow_now)
    except DeliveryError as error:
        log.error("starting with what can be served: %s", error)
    if app.state.log:
        app.state.log.start()
    watching = asyncio.create_task(app.state.follower.run())
    yield
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await app.state.variants.source.close()
    if app.state.log:
        await asyncio.to_thread(app.state.log.stop)


def _source(settings: Settings, store: Store) -> Source:
    if settings.engine == "triton":
        from serving.in_triton import TritonClient, TritonSource  # its client's imports cost 40 MiB

        return TritonSource(store, settings.model, TritonClient(settings.triton_url), settings.triton_name)
    return OnnxSource(store, settings.model)


def _prediction_log(settings: LogSettings) -> PredictionLog:
    privacy = Privacy(settings.exclude, settings.hash, settings.key)
    database = Database(settings.database_url, settings.timeout_s)
    return PredictionLog(database, Spool(settings.folder / "spool"), privacy, settings.queue_rows)


def create_app(settings: Settings) -> FastAPI:
    """Return the app that serves `settings.model` as the engine `settings.name`."""
    app = FastAPI(title="Interlock serving", description="Predictions by proven versions only.", lifespan=_following)
    store = Store(settings.repository)
    source = _source(settings, store)
    variants = Variants(store, source, settings.model, settings.name, settings.self_test_timeout_s)
    metrics = Metrics(variants)
    app.state.settings = settings
    app.state.variants = variants
    app.state.follower = Follower(variants)
    app.state.metrics = metrics
    app.state.log = _prediction_log(settings.log) if settings.log.enabled else None
    if app.state.log:
        metrics.also(LogCollector(app.state.log))
    app.add_middleware(KnownHosts, names=(settings.host, *settings.allowed_hosts))
    app.add_middleware(CountRequests, metrics=metrics)
    problem.install(app)
    for routes in (info, predict, control):
        app.include_router(routes.router)
    return app
