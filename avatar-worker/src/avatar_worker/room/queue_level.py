"""How much sound waits in the SDK's queue, which does not tell. Pure."""

from __future__ import annotations

from typing import Final

from avatar_worker.clock import Ticks, ms

BEHIND: Final = ms(5)
"""Sound leaves the queue in packets of 10 ms, at moments that the SDK keeps to itself. Measured by
`bench bargein`: on average this much later than a queue that drains evenly."""


class QueueLevel:
    """Tells by the clock what a queue still holds.

    Args:
        capacity: What the queue holds when it lets a writer wait.
        now: The time at which it is empty.
    """

    def __init__(self, capacity: Ticks, now: Ticks) -> None:
        self._capacity = capacity
        self._level = 0
        self._at = now
        self._begun = now

    def queued(self, now: Ticks) -> Ticks:
        """How much has been written and has not left. At least 0, at most what was written."""
        left = self._left(now)
        return Ticks(left + min(BEHIND, now - self._begun) if left else 0)

    def write(self, now: Ticks, length: int) -> None:
        """Note that so many samples are about to be written."""
        left = self._left(now)
        if not left:
            self._begun = now
        self._level, self._at = left + length, now

    def filled(self, now: Ticks) -> None:
        """Note that the queue let its writer wait until it was just full: its clock counts."""
        self._level, self._at = int(self._capacity), now

    def clear(self, now: Ticks) -> None:
        """Note that the queue was emptied."""
        self._level, self._at = 0, now

    def _left(self, now: Ticks) -> int:
        return max(0, self._level - (now - self._at))
