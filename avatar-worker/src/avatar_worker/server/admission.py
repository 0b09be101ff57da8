"""The one counter behind every door. Thread-safe: dispatched jobs run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from avatar_worker.errors import CapacityError

from .refusals import DrainingError

INVISIBLE: Final = 0.7
"""LiveKit never picks a worker that reports this load or more."""
BUSIEST: Final = 0.69


def reported_load(used: int, capacity: int) -> float:
    """Return the load to report: 1 when full, else below 0.7 so that LiveKit can see us."""
    return 1.0 if used >= capacity else BUSIEST * used / capacity


class Place:
    """One taken place; give it back with `release`."""

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._on_release = on_release
        self._lock = threading.Lock()
        self._held = True

    def release(self) -> None:
        """Give the place back. Idempotent."""
        with self._lock:
            held, self._held = self._held, False
        if held:
            self._on_release()


class Places:
    """Counts the sessions that start, run or end, against the worker's limit."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._used = 0
        self._draining = False
        self._on_empty: Callable[[], object] | None = None

    @property
    def used(self) -> int:
        """How many places are taken."""
        with self._lock:
            return self._used

    @property
    def draining(self) -> bool:
        """Whether no more places are given."""
        with self._lock:
            return self._draining

    def load(self) -> float:
        """Return the load to report to LiveKit."""
        with self._lock:
            return 1.0 if self._draining else reported_load(self._used, self.capacity)

    def take(self) -> Place:
        """Take a place.

        Raises:
            DrainingError: After `drain`.
            CapacityError: If every place is taken.
        """
        with self._lock:
            if self._draining:
                raise DrainingError(self._used, self.capacity)
            if self._used >= self.capacity:
                raise CapacityError(self._used, self.capacity)
            self._used += 1
        return Place(self._give_back)

    def drain(self) -> None:
        """Give no more places, for good."""
        with self._lock:
            self._draining = True

    def when_empty(self, call: Callable[[], object] | None) -> None:
        """Call back once no place is taken, now or later, from whichever thread gives it back."""
        with self._lock:
            self._on_empty = call
            empty = self._used == 0
        if empty and call is not None:
            call()

    def _give_back(self) -> None:
        with self._lock:
            self._used -= 1
            call = self._on_empty if self._used == 0 else None
        if call is not None:
            call()
