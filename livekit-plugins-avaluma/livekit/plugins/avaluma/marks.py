from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from .errors import AvatarExpressionError
from .log import logger

MOST_WAITING = 64
"""Marks that wait for the next speech; beyond that the oldest is dropped."""

Mark = Callable[[str], Awaitable[None]]
"""Tells the avatar about a place of the stream with this id."""


class StreamMarks:
    """Expressions at places of a speech, told once its stream has an id.

    The avatar knows the streams by the ids that the SDK gives them when they are opened.
    """

    def __init__(self) -> None:
        self._waiting: deque[Mark] = deque(maxlen=MOST_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, mark: Mark, stream_id: str | None) -> None:
        """Tell at once, and raise what the call raises; without a stream, wait for the next."""
        if stream_id is None:
            self._waiting.append(mark)
        else:
            await mark(stream_id)

    def opened(self, stream_id: str) -> None:
        """A stream is there: tell what waited for it. Never blocks."""
        if self._waiting:
            marks = list(self._waiting)
            self._waiting.clear()
            task = asyncio.create_task(self._tell(marks, stream_id), name="avaluma.marks")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def drop(self) -> None:
        """The speech that they were for will not come."""
        self._waiting.clear()

    def stop(self) -> None:
        """Tell no more."""
        self.drop()
        for task in self._tasks:
            task.cancel()

    async def _tell(self, marks: list[Mark], stream_id: str) -> None:
        for mark in marks:
            try:
                await mark(stream_id)
            except AvatarExpressionError as error:
                logger.warning(
                    "an expression was not followed", extra={"code": error.code}, exc_info=error
                )
