"""How many calls a participant may make: the generic cell rate algorithm (ITU-T I.371, annex A).

One integer a caller, and no timer: the moment at which all its calls so far would have been made
at the allowed pace. A call that would bring this moment too far into the future is one too many.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from avatar_worker.clock import Clock, ticks_per
from livekit import rtc

logger = logging.getLogger(__name__)

CALLS_PER_SECOND: Final = 20
PACE: Final = ticks_per(CALLS_PER_SECOND)  # 2400
BURST: Final = 20
"""Calls that may come at the same moment, after a second of rest."""
MAX_CALLERS: Final = 256
"""Callers that are remembered; beyond that the one that has been quiet for longest is forgotten."""
TOO_MANY_CALLS: Final = 2429
"""Error code of a refused call: HTTP's 429 above the numbers that LiveKit keeps for itself."""


class CallLimit(rtc.RpcInterceptor):
    """Stands before every method of one participant: each caller has 20 calls a second.

    A call beyond that is answered with the error `TOO_MANY_CALLS` before any work is done.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._paid_until: dict[str, int] = {}
        self.refused = 0
        """Calls that were refused so far."""

    def admits(self, caller: str) -> bool:
        """Count a call; False if it is one too many, and then it costs the caller nothing."""
        now = self._clock.now()
        paid_until = max(now, self._paid_until.pop(caller, now))
        admitted = paid_until - now <= (BURST - 1) * PACE
        # Put in last: the dictionary's order is that of the last calls.
        self._paid_until[caller] = paid_until + PACE if admitted else paid_until
        if len(self._paid_until) > MAX_CALLERS:
            del self._paid_until[next(iter(self._paid_until))]
        return admitted

    async def intercept_incoming(
        self,
        invocation: rtc.RpcInvocationData,
        next: Callable[[rtc.RpcInvocationData], Awaitable[str | None]],
    ) -> str | None:
        """Pass the call on, or refuse it.

        Raises:
            RpcError: With the code `TOO_MANY_CALLS`, if it is one too many.
        """
        if self.admits(invocation.caller_identity):
            return await next(invocation)
        self.refused += 1
        if self.refused == 1:
            logger.warning(
                "calls were refused: too many a second",
                extra={"rpc": invocation.method, "lk.pii.identity": invocation.caller_identity},
            )
        raise rtc.RpcError(TOO_MANY_CALLS, f"more than {CALLS_PER_SECOND} calls a second")
