"""How often a caller may call: a bucket of tokens for each name. Pure."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from .refusals import RateLimitedError

MAX_NAMES: Final = 4096


class RateLimiter:
    """`per_minute` calls at once, refilled evenly over a minute, for each name.

    Remembers at most 4096 names and forgets the one that called longest ago.
    """

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60.0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> None:
        """Count one call.

        Args:
            name: Whose bucket.
            now: Monotonic seconds.

        Raises:
            RateLimitedError: If the bucket is empty.
        """
        left, at = self._buckets.pop(name, (self._size, now))
        left = min(self._size, left + (now - at) * self._rate)
        allowed = left >= 1.0
        self._buckets[name] = (left - 1.0 if allowed else left, now)
        if len(self._buckets) > MAX_NAMES:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimitedError(max(1, math.ceil((1.0 - left) / self._rate)))
