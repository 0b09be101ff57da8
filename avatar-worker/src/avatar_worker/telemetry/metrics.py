"""Every metric of the worker: name, unit, meaning. Base units, no ids as labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
START_BUCKETS: Final = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 10.0)
LIFE_BUCKETS: Final = (10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0)
LAG_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Metrics:
    """One registry for one worker; nothing is registered globally.

    Attributes:
        sessions_active: Sessions now, by door.
        sessions_total: Sessions that ended, by door and outcome.
        session_duration: Life of ended sessions, seconds, by door.
        starts: Time from request to published tracks, seconds.
        capacity: Most sessions at a time.
        load: What LiveKit is told, 0 to 1.
        look_ahead: How much later sound than its own a picture is drawn from, seconds.
        draining: 1 while the worker takes no new sessions.
        api_requests: HTTP requests by route, method and status.
        api_errors: HTTP errors by stable code.
        loop_lag: How late the event loop runs what is due, seconds.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        r = self.registry
        self.sessions_active = Gauge(
            "avatar_worker_sessions_active", "Sessions now.", ["door"], registry=r
        )
        self.sessions_total = Counter(
            "avatar_worker_sessions", "Sessions that ended.", ["door", "outcome"], registry=r
        )
        self.session_duration = Histogram(
            "avatar_worker_session_duration_seconds",
            "Life of ended sessions.",
            ["door"],
            buckets=LIFE_BUCKETS,
            registry=r,
        )
        self.starts = Histogram(
            "avatar_worker_start_seconds",
            "From start request to published tracks.",
            buckets=START_BUCKETS,
            registry=r,
        )
        self.capacity = Gauge(
            "avatar_worker_sessions_capacity", "Most sessions at a time.", registry=r
        )
        self.load = Gauge("avatar_worker_load_ratio", "Load reported to LiveKit.", registry=r)
        self.look_ahead = Gauge(
            "avatar_worker_look_ahead_seconds",
            "How much later sound than its own a picture is drawn from.",
            registry=r,
        )
        self.draining = Gauge(
            "avatar_worker_draining", "1 while no new sessions are taken.", registry=r
        )
        self.api_requests = Counter(
            "avatar_worker_api_requests",
            "HTTP requests answered.",
            ["route", "method", "status"],
            registry=r,
        )
        self.api_errors = Counter(
            "avatar_worker_api_errors", "HTTP errors answered.", ["code"], registry=r
        )
        self.loop_lag = Histogram(
            "avatar_worker_loop_lag_seconds",
            "How late the event loop runs what is due.",
            buckets=LAG_BUCKETS,
            registry=r,
        )

    def watch_events(self, totals: Callable[[], Mapping[str, int]]) -> None:
        """Export what sessions count (frames, segments, refusals) summed over all sessions.

        Args:
            totals: Returns the sums, by event, over running and ended sessions.
        """
        name, text = "avatar_worker_session_events", "What sessions counted."
        self.registry.register(_Totals(name, text, "event", totals))

    def watch_failures(self, totals: Callable[[], Mapping[str, int]]) -> None:
        """Export how often drawing failed for one session.

        Args:
            totals: Returns the sums, by stage.
        """
        name, text = "avatar_worker_drawing_failures", "Sessions that a stage failed for."
        self.registry.register(_Totals(name, text, "stage", totals))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Totals(Collector):
    """A counter that is kept elsewhere."""

    def __init__(
        self, name: str, text: str, label: str, totals: Callable[[], Mapping[str, int]]
    ) -> None:
        self._made_of = name, text, label
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        name, text, label = self._made_of
        family = CounterMetricFamily(name, text, labels=[label])
        for value, count in sorted(self._totals().items()):
            family.add_metric([value], count)
        yield family
