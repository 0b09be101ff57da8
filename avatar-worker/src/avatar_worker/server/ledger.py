"""What remains of sessions that ended: their ids for a while, their counters for good."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import Final

from avatar_worker.room.door import RunningSession
from avatar_worker.telemetry.metrics import Metrics

REMEMBERED: Final = 1024


class Ledger:
    """Counts ended sessions. Thread-safe.

    Remembers the owners of the last 1024 ids, so that stopping one twice is no error.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._events: Counter[str] = Counter()

    def close(
        self, session: RunningSession, *, door: str, owner: str, reason: str, age: float
    ) -> None:
        """Book a session that ended.

        Args:
            session: It, with its final counters.
            door: `http` or `dispatch`.
            owner: Name of the key, or of the door.
            reason: One of the room's fixed words.
            age: Life in seconds.
        """
        counters = session.counters()
        with self._lock:
            self._owners[session.id] = owner
            if len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)
            self._events.update(counters)
        self._metrics.sessions_total.labels(door, reason).inc()
        self._metrics.session_duration.labels(door).observe(age)

    def owner_of(self, session_id: str) -> str | None:
        """Return the owner of an ended session, if it is still remembered."""
        with self._lock:
            return self._owners.get(session_id)

    def events(self) -> Counter[str]:
        """Return the sums over ended sessions."""
        with self._lock:
            return Counter(self._events)
