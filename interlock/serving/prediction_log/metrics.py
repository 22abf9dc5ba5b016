"""What the prediction log counts, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from interlock.serving.prediction_log.log import PredictionLog


class LogCollector(Collector):
    """Reads the counts when Prometheus asks. Alert on `dropped` and `rejected`, and on a spool that grows."""

    def __init__(self, log: PredictionLog) -> None:
        """Take the log."""
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """Return rows by outcome, and what waits."""
        rows = CounterMetricFamily("interlock_log_rows", "Rows of the prediction log", labels=["outcome"])
        for outcome, count in dict(self._log.counts).items():
            rows.add_metric([outcome], count)
        yield rows
        yield GaugeMetricFamily("interlock_log_queued_rows", "Rows in memory", self._log.waiting_rows())
        yield GaugeMetricFamily("interlock_log_spooled_bytes", "Rows on disk", self._log.spool.waiting_bytes())
        rejected = self._log.spool.rejected_bytes()
        yield GaugeMetricFamily("interlock_log_rejected_bytes", "Rows that the database does not take", rejected)
        yield GaugeMetricFamily(
            "interlock_log_failing", "The database takes no rows", int(self._log.failure is not None)
        )
