"""How LiveKit's native runtime (livekit 1.1.21) has to be handled so that no room is lost by it.

Its Python client is made on first use and without a lock. Two jobs in two threads that are the
first of their process each make one; events go to the later, and whoever asked the earlier waits
in vain. And a `Room.connect` that is cancelled cannot tell the runtime that it listens, which
after 15 s ends the process with SIGTERM (python-sdks issue 784).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from livekit import rtc

ANY_RATE: Final = 48_000


def start_runtime() -> None:
    """Start the SDK in this thread, which takes some milliseconds; nothing when it runs already."""
    # The smallest object of the SDK's public interface that needs the native side.
    rtc.AudioResampler(ANY_RATE, ANY_RATE // 2)


async def see_through(connecting: Awaitable[None]) -> None:
    """Await a `Room.connect`; a cancellation is raised only when it has ended.

    The SDK gives up by itself: at once where nobody listens, after its own retries where nobody
    answers.

    Raises:
        asyncio.CancelledError: If cancelled meanwhile. The room may be connected nevertheless.
        rtc.ConnectError: As `Room.connect` does.
    """
    task = asyncio.ensure_future(connecting)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        task.result()
        return
    if not task.cancelled():
        task.exception()  # seen, and of no more interest
    raise cancelled
