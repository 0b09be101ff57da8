"""Both ends of a byte stream in memory: header, chunks, trailer, and how they get lost."""

from __future__ import annotations

import asyncio
import secrets

from livekit import rtc

CHUNK = 15_000
"""Bytes at which the SDK cuts what is written."""


def stream_info(topic: str, name: str, attributes: dict[str, str]) -> rtc.ByteStreamInfo:
    """What the header says."""
    return rtc.ByteStreamInfo(
        stream_id=secrets.token_hex(8),
        mime_type="application/octet-stream",
        topic=topic,
        timestamp=0,
        size=None,
        attributes=attributes,
        name=name,
    )


class Reader:
    """The receiving end; iterates as the SDK's."""

    def __init__(self, info: rtc.ByteStreamInfo) -> None:
        self.info = info
        self.closed = False
        self._lost = False
        self._queue: asyncio.Queue[bytes | rtc.StreamError | None] = asyncio.Queue()

    def put(self, item: bytes | rtc.StreamError | None) -> None:
        """What arrives: bytes, a failure, or None for the trailer."""
        if not self._lost:
            self._queue.put_nowait(item)

    def lose(self) -> None:
        """Nothing of this stream arrives any more, its trailer neither."""
        self._lost = True

    def disconnect(self) -> None:
        """The receiver itself has left the room."""
        self._queue.put_nowait(rtc.StreamError("Disconnected while receiving"))

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        item = None if self.closed else await self._queue.get()
        if isinstance(item, bytes):
            return item
        self.closed = True
        if item is not None:
            raise item
        raise StopAsyncIteration

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._queue.put_nowait(None)


class Writer:
    """The sending end, to any number of receivers."""

    def __init__(self, info: rtc.ByteStreamInfo, readers: list[Reader]) -> None:
        self.info = info
        self._readers = readers
        self._cut = False
        self.closed = False

    def cut(self) -> None:
        """The sender has lost its connection: nothing that is written now arrives."""
        self._cut = True

    async def write(self, data: bytes) -> None:
        assert not self.closed, "the stream has its trailer"
        for at in range(0, len(data), CHUNK):
            await asyncio.sleep(0)
            self._put(data[at : at + CHUNK])

    async def aclose(self, *, reason: str = "") -> None:
        self.closed = True
        await asyncio.sleep(0)
        self._put(rtc.StreamError(reason) if reason else None)

    def _put(self, item: bytes | rtc.StreamError | None) -> None:
        if not self._cut:
            for reader in self._readers:
                reader.put(item)
