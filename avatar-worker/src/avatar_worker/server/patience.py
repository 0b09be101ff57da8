"""A connection that does not bring its request line and headers in time is cut.

aiohttp waits for them as long as the client likes. Every answer closes its connection, so that one
deadline a connection is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

END_OF_HEAD: Final = b"\r\n\r\n"


class Patience(asyncio.Protocol):
    """Passes everything on to `inner`, and watches the clock until the headers are there.

    Args:
        inner: The protocol that serves the connection.
        seconds: How long the headers may take.
    """

    def __init__(self, inner: asyncio.Protocol, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds
        self._tail = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock."""
        assert isinstance(transport, asyncio.Transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, transport.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the headers are complete."""
        if self._timer is not None:
            seen = self._tail + data
            self._tail = seen[-len(END_OF_HEAD) + 1 :]
            if END_OF_HEAD in seen:
                self._stop()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._tail = b""


def patient(
    factory: Callable[[], asyncio.Protocol], seconds: float
) -> Callable[[], asyncio.Protocol]:
    """Return a protocol factory whose connections have `seconds` for their headers."""
    return lambda: Patience(factory(), seconds)
