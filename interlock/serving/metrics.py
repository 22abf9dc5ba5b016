"""Counters and latencies for Prometheus, one registry per app."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.serving.follower import Follower
from interlock.serving.variants import Variants

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """What this app counts."""

    def __init__(self, variants: Variants, follower: Follower) -> None:
        """Take the variants whose versions are shown, and who looks at the decision."""
        self._variants = variants
        self._follower = follower
        self._registry = CollectorRegistry()
        self.requests = Counter("interlock_requests", "Answered requests", ["route", "status"], registry=self._registry)
        self._rows = Counter("interlock_rows", "Predicted rows", ["alias", "version"], registry=self._registry)
        self._seconds = Histogram(
            "interlock_predict_seconds",
            "From the request's first line to its answer",
            ["alias", "version"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._version = Gauge("interlock_live_version", "Version that is live", ["alias"], registry=self._registry)
        self._epoch = Gauge("interlock_epoch", "Epoch of the decision that is followed", registry=self._registry)
        seen = "Seconds since the decision was looked at"
        self._seen = Gauge("interlock_decision_seen_seconds", seen, registry=self._registry)
        self._ended = Counter("interlock_task_failures", "Tasks that ended", ["task"], registry=self._registry)
        self._failures = Gauge("interlock_follow_failures", "Aliases that cannot follow", registry=self._registry)

    def also(self, collector: Collector) -> None:
        """Show what *collector* counts, too."""
        self._registry.register(collector)

    def predicted(self, alias: str, version: int, rows: int, seconds: float) -> None:
        """Count one answered prediction."""
        self._rows.labels(alias, version).inc(rows)
        self._seconds.labels(alias, version).observe(seconds)

    def ended(self, task: str) -> None:
        """Count a task that ended and should not have."""
        self._ended.labels(task).inc()

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        self._epoch.set(self._variants.epoch or 0)
        self._seen.set(self._follower.unseen_s)
        self._failures.set(len(self._variants.failures))
        self._version.clear()
        for alias in self._variants.aliases():
            if live := self._variants[alias].live:
                self._version.labels(alias).set(live.model.version)
        return generate_latest(self._registry)


class CountRequests:
    """ASGI middleware: count every answer by route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap *app*."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, and look at the status."""

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.requests.labels(route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, look if scope["type"] == "http" else send)
