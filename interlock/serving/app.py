"""Put the serving app together: settings in, FastAPI app out."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType

from fastapi import FastAPI

from interlock.errors import DeliveryError
from interlock.extras import extra
from interlock.serving import problem
from interlock.serving.body import LimitBody
from interlock.serving.follower import Follower
from interlock.serving.hosts import KnownHosts
from interlock.serving.in_process import OnnxSource
from interlock.serving.metrics import CountRequests, Metrics
from interlock.serving.model import Source
from interlock.serving.prediction_log.database import Database
from interlock.serving.prediction_log.log import PredictionLog
from interlock.serving.prediction_log.metrics import LogCollector
from interlock.serving.prediction_log.rows import Privacy
from interlock.serving.prediction_log.spool import Spool
from interlock.serving.routes import control, info, predict
from interlock.serving.supervised import supervised
from interlock.serving.variants import Variants
from interlock.settings import LogSettings, ServingSettings
from interlock.store import Store

log = logging.getLogger(__name__)


@asynccontextmanager
async def _following(app: FastAPI) -> AsyncIterator[None]:
    """Follow the decision before the first request, and then by itself."""
    variants, follower = app.state.variants, app.state.follower
    _when_asked_to_stop(variants.loading.stop)
    try:
        await follower.follow_now()
    except DeliveryError as error:
        log.error("starting with what can be served: %s", error)
    if app.state.log:
        app.state.log.start()
    watching = asyncio.create_task(supervised("the follower", follower.run, app.state.metrics.ended))
    yield
    variants.loading.stop()
    watching.cancel()
    await asyncio.gather(watching, follower.stop(), return_exceptions=True)
    await variants.source.close()
    if app.state.log:
        await asyncio.to_thread(app.state.log.stop)


def _when_asked_to_stop(act: Callable[[], None]) -> None:
    """Call *act* at SIGTERM or SIGINT: the server tells the app only when the last request is answered."""
    if threading.current_thread() is not threading.main_thread():  # a test's server: it is told to stop otherwise
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        signal.signal(number, partial(_stop, loop, act, before))


def _stop(
    loop: asyncio.AbstractEventLoop, act: Callable[[], None], before: object, number: int, frame: FrameType | None
) -> None:
    loop.call_soon_threadsafe(act)
    if callable(before):
        before(number, frame)


def _source(settings: ServingSettings, store: Store) -> Source:
    if settings.engine == "triton":
        with extra("triton"):
            from interlock.serving.in_triton import TritonClient, TritonSource  # its client is an extra, of 40 MiB
        return TritonSource(store, settings.model, TritonClient(settings.triton_url), settings.triton_name)
    return OnnxSource(store, settings.model)


def _prediction_log(settings: LogSettings) -> PredictionLog:
    privacy = Privacy(settings.exclude, settings.hash, settings.key)
    database = Database(settings.database_url, settings.timeout_s)
    return PredictionLog(database, Spool(settings.folder / "spool"), privacy, settings.queue_rows)


def create_app(settings: ServingSettings) -> FastAPI:
    """Return the app that serves `settings.model` as the engine `settings.name`."""
    app = FastAPI(
        title="Interlock serving",
        description="Predictions by proven versions only.",
        lifespan=_following,
        responses=problem.EVERYWHERE,
    )
    store = Store(settings.repository)
    source = _source(settings, store)
    variants = Variants(
        store,
        source,
        settings.model,
        settings.name,
        self_test_timeout_s=settings.self_test_timeout_s,
        load_timeout_s=settings.load_timeout_s,
    )
    follower = Follower(variants)
    metrics = Metrics(variants, follower)
    app.state.settings = settings
    app.state.variants = variants
    app.state.follower = follower
    app.state.metrics = metrics
    app.state.log = _prediction_log(settings.log) if settings.log.enabled else None
    if app.state.log:
        metrics.also(LogCollector(app.state.log))
    app.add_middleware(LimitBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(KnownHosts, names=(settings.host, *settings.allowed_hosts))
    app.add_middleware(CountRequests, metrics=metrics)
    problem.install(app)
    for routes in (info, predict, control):
        app.include_router(routes.router)
    return app
