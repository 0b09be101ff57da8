"""One session as the host sees it: by its key from the first moment, by its room once joined."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from avatar_worker.errors import PeerError
from avatar_worker.room.door import RunningSession
from avatar_worker.session.state import SessionState

from .admission import Place
from .start_request import StartRequest


class SessionKey(NamedTuple):
    """What makes two starts the same participant: LiveKit lets it join a room only once."""

    url: str
    room: str
    identity: str


class Entry:
    """A session that came by HTTP: starting, running or closing.

    Attributes:
        id: `sess_` and 16 hex digits.
        owner: Name of the API key that started it.
        session: The joined session, once there is one.
        closing: Whether somebody is ending it.
        joining: The join while it runs.
    """

    def __init__(self, *, owner: str, session_id: str, request: StartRequest) -> None:
        loop = asyncio.get_running_loop()
        self.id = session_id
        self.owner = owner
        self.session: RunningSession | None = None
        self.closing = False
        self.joining: asyncio.Future[RunningSession] | None = None
        self._on_behalf = request.claims.on_behalf
        self._idempotency_key = request.idempotency_key
        self._started: asyncio.Future[RunningSession] = loop.create_future()
        self._gone = asyncio.Event()

    def serves(self, request: StartRequest) -> bool:
        """Return whether `request` is another try of the start that made this entry."""
        same_try = self._idempotency_key is not None and (
            self._idempotency_key == request.idempotency_key
        )
        return same_try or self._on_behalf == request.claims.on_behalf

    @property
    def ending(self) -> bool:
        """Whether it is of no use to a new start: being closed, or ended by its room."""
        over = (SessionState.DRAINING, SessionState.CLOSED)
        return self.closing or (self.session is not None and self.session.state in over)

    async def wait_started(self) -> RunningSession:
        """Wait for the outcome of the start, which goes on if the waiter goes away."""
        return await asyncio.shield(self._started)

    async def wait_gone(self) -> None:
        """Wait until the room is left and the place given back."""
        await self._gone.wait()

    def started(self, session: RunningSession) -> None:
        """Tell every waiter that the session runs."""
        self.session = session
        self._started.set_result(session)

    def fail(self, error: Exception) -> None:
        """Tell every waiter that the start failed."""
        if not self._started.done():
            self._started.set_exception(error)
            # Nobody may be waiting any more; the outcome counts as seen.
            self._started.exception()

    def gone(self) -> None:
        """Tell every waiter that nothing is left."""
        self.fail(PeerError("the start was given up"))
        self._gone.set()

    async def close(self, reason: str) -> None:
        """End the session, or give up its start."""
        self.closing = True
        if self.session is not None:
            await self.session.aclose(reason)
        elif self.joining is not None:
            self.joining.cancel()

    async def straggler_gone(self) -> None:
        """Wait for a given-up join, and leave the room that it may have entered after all."""
        if self.joining is None:
            return
        await asyncio.wait({self.joining})
        with suppress(Exception, asyncio.CancelledError):
            await self.joining.result().aclose("start given up")


class DispatchPlace:
    """The place of a dispatched job. Made in any thread, adopted in the job's own loop."""

    def __init__(
        self,
        avatar_id: str,
        place: Place,
        on_adopt: Callable[[DispatchPlace], None],
        on_release: Callable[[DispatchPlace, str], None],
    ) -> None:
        self.avatar_id = avatar_id
        self._place = place
        self._on_adopt = on_adopt
        self._on_release = on_release
        self._session: RunningSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = time.monotonic()

    @property
    def session(self) -> RunningSession:
        """The adopted session.

        Raises:
            LookupError: Before `adopt`.
        """
        if self._session is None:
            raise LookupError("nothing was adopted yet")
        return self._session

    def age(self) -> float:
        """Return the seconds since the place was taken."""
        return time.monotonic() - self._began

    def adopt(self, session: RunningSession) -> None:
        """Show `session` as the holder of this place; called in the loop that owns it."""
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._on_adopt(self)

    async def close(self, reason: str) -> None:
        """End the session in its own loop, and give the place back."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            ending = asyncio.run_coroutine_threadsafe(self.session.aclose(reason), loop)
            await asyncio.wrap_future(ending)
        self.release(reason)

    def release(self, reason: str = "ended") -> None:
        """Give the place back. Idempotent, thread-safe."""
        if self._session is not None:
            self._on_release(self, reason)
        self._place.release()
