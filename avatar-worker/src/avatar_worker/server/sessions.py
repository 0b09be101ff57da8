"""The sessions of this worker, through whichever door they came."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from avatar_worker.errors import AvatarNotFoundError, PeerError
from avatar_worker.room.door import Join, RunningSession, SpeechFrom
from avatar_worker.telemetry.log import describe
from avatar_worker.telemetry.metrics import Metrics

from .admission import Places
from .auth import ApiKey
from .entry import DispatchPlace, Entry, SessionKey
from .host_options import HostOptions
from .in_time import LEAVE_BUDGET, OpenAvatar, join_in_time, open_in_time
from .ledger import Ledger
from .refusals import (
    AlreadyActiveError,
    DrainingError,
    SessionNotFoundError,
    TooManySessionsError,
)
from .start_request import StartRequest

HTTP: Final = "http"
DISPATCH: Final = "dispatch"

_log = logging.getLogger(__name__)


class SessionHost:
    """Starts, finds, stops and drains sessions.

    A start is a task of the host, not of the request: a caller that hangs up does not end it,
    and its next try finds it. Lives in one event loop; only `reserve`, `load` and the place that
    `reserve` returns may be used from other threads.
    """

    def __init__(
        self,
        *,
        join: Join,
        open_avatar: OpenAvatar,
        places: Places,
        metrics: Metrics,
        options: HostOptions,
    ) -> None:
        self._join = join
        self._open = open_avatar
        self._places = places
        self._metrics = metrics
        self._options = options
        self._ledger = Ledger(metrics)
        self._live: dict[SessionKey, Entry] = {}
        self._dispatched: dict[str, DispatchPlace] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        active = metrics.sessions_active
        active.labels(HTTP).set_function(lambda: float(len(self._live)))
        active.labels(DISPATCH).set_function(lambda: float(len(self._dispatched)))
        metrics.capacity.set(places.capacity)
        metrics.load.set_function(places.load)
        metrics.draining.set_function(lambda: float(places.draining))
        metrics.watch_events(self.events)

    async def start(self, request: StartRequest, key: ApiKey) -> RunningSession:
        """Return the session of this request, starting it unless it is there already.

        Raises:
            AlreadyActiveError: If the identity serves another agent that is still in the room,
                or was started with another key.
            AvatarError: If the avatar cannot be opened.
            CapacityError: If the worker is full or draining.
            TooManySessionsError: If the key's quota is used up.
            PeerError: If LiveKit refuses, or the budget is spent. The room has been left.
        """
        try:
            async with asyncio.timeout(self._options.start_budget + 2 * LEAVE_BUDGET):
                return await self._find_or_start(request, key)
        except TimeoutError:
            raise PeerError("the room could not be joined in time") from None

    async def _find_or_start(self, request: StartRequest, key: ApiKey) -> RunningSession:
        name = SessionKey(request.url, request.claims.room, request.claims.identity)
        while (entry := self._live.get(name)) is not None:
            if entry.owner != key.name:
                raise AlreadyActiveError
            if entry.ending:
                await entry.wait_gone()
            elif entry.serves(request):
                return await entry.wait_started()
            elif entry.session is None:
                # Whether its agent is there can be told only from inside the room.
                with suppress(Exception):
                    await entry.wait_started()
                await asyncio.sleep(0)
            elif entry.session.agent_present():
                raise AlreadyActiveError
            else:
                self._close_later(entry, "replaced")
                await entry.wait_gone()
        return await self._begin(name, request, key).wait_started()

    def _begin(self, name: SessionKey, request: StartRequest, key: ApiKey) -> Entry:
        if self._places.draining:
            raise DrainingError(self._places.used, self._places.capacity)
        if key.avatars is not None and request.avatar_id not in key.avatars:
            raise AvatarNotFoundError(request.avatar_id)
        own = sum(entry.owner == key.name for entry in self._live.values())
        if key.max_sessions is not None and own >= key.max_sessions:
            raise TooManySessionsError(key.max_sessions)
        wanted = request.speech_from or key.speech_from or self._options.speech_from
        policy = wanted.at_most(self._options.speech_from_max)
        session_id = f"sess_{secrets.token_hex(8)}"
        entry = Entry(session_id=session_id, owner=key.name, request=request)
        self._live[name] = entry
        self._spawn(self._live_through(name, entry, request, policy), f"session {entry.id}")
        return entry

    async def _live_through(
        self, name: SessionKey, entry: Entry, request: StartRequest, policy: SpeechFrom
    ) -> None:
        """Start, watch and bury one session; owns its place and its entry."""
        began = time.monotonic()
        reason = "failed"
        place = None
        try:
            avatar = await open_in_time(self._open, request.avatar_id, self._options.start_budget)
            place = self._places.take()
            left = self._options.start_budget - (time.monotonic() - began)
            asked = request.joining(entry.id, policy, avatar)
            if await join_in_time(self._join, entry, asked, left):
                self._metrics.starts.observe(time.monotonic() - began)
                _log.info("session started", extra={"session": entry.id, "door": HTTP})
                assert entry.session is not None
                reason = await entry.session.wait_closed()
            else:
                entry.fail(PeerError("the room could not be joined in time"))
                await entry.straggler_gone()
        except Exception as error:
            cause = describe(error)
            _log.warning("session failed", extra={"session": entry.id, "cause": cause})
            entry.fail(error)
        finally:
            if place is not None:
                place.release()
            del self._live[name]
            if entry.session is not None:
                age = time.monotonic() - began
                self._ledger.close(
                    entry.session, door=HTTP, owner=entry.owner, reason=reason, age=age
                )
                fields = {"session": entry.id, "door": HTTP, "reason": reason}
                _log.info("session ended", extra=fields)
            entry.gone()

    def sessions(self, key: ApiKey | None = None) -> list[RunningSession]:
        """Return the running sessions, oldest first; only those of `key` where it is given."""
        found = [
            entry.session
            for entry in self._live.values()
            if entry.session is not None and (key is None or entry.owner == key.name)
        ]
        if key is None:
            found += [place.session for place in list(self._dispatched.values())]
        return sorted(found, key=lambda session: session.started_at)

    def active(self) -> int:
        """Return how many sessions start, run or end."""
        return self._places.used

    def events(self) -> Counter[str]:
        """Return what all sessions counted since the worker started."""
        total = self._ledger.events()
        for session in self.sessions():
            total.update(session.counters())
        return total

    async def stop(self, session_id: str, key: ApiKey | None = None) -> None:
        """End a session; its room is left when this returns. One that ended already is fine.

        Raises:
            SessionNotFoundError: If the id is unknown, or `key` is given and not its owner.
        """
        for entry in self._live.values():
            if entry.id == session_id and (key is None or entry.owner == key.name):
                self._close_later(entry, "stopped")
                await entry.wait_gone()
                return
        place = self._dispatched.get(session_id)
        if place is not None and key is None:
            await place.close("stopped")
            return
        owner = self._ledger.owner_of(session_id)
        if owner is None or (key is not None and owner != key.name):
            raise SessionNotFoundError(session_id)

    def stop_admitting(self) -> None:
        """Take no new sessions through any door, for good."""
        self._places.drain()

    async def wait_empty(self, timeout: float) -> None:
        """Wait until the last session is gone, at most `timeout` seconds."""
        loop, empty = asyncio.get_running_loop(), asyncio.Event()
        self._places.when_empty(lambda: loop.call_soon_threadsafe(empty.set))
        try:
            async with asyncio.timeout(timeout):
                await empty.wait()
        except TimeoutError:
            return
        finally:
            self._places.when_empty(None)

    async def close_all(self, reason: str) -> None:
        """End every session now, whichever door it came through."""
        entries = list(self._live.values())
        for entry in entries:
            self._close_later(entry, reason)
        places = list(self._dispatched.values())
        await asyncio.gather(
            *(entry.wait_gone() for entry in entries),
            *(place.close(reason) for place in places),
            return_exceptions=True,
        )

    def not_ready(self) -> str | None:
        """Return why no new session would be taken now, or None."""
        if self._places.draining:
            return "draining"
        return "full" if self._places.used >= self._places.capacity else None

    def reserve(self, avatar_id: str) -> DispatchPlace:
        """Take a place for a dispatched job. Thread-safe.

        Raises:
            CapacityError: If the worker is full or draining.
        """
        return DispatchPlace(avatar_id, self._places.take(), self._adopted, self._released)

    def load(self) -> float:
        """Return the load to report to LiveKit. Thread-safe."""
        return self._places.load()

    def _adopted(self, place: DispatchPlace) -> None:
        self._dispatched[place.session.id] = place

    def _released(self, place: DispatchPlace, reason: str) -> None:
        if self._dispatched.pop(place.session.id, None) is not None:
            self._ledger.close(
                place.session, door=DISPATCH, owner=DISPATCH, reason=reason, age=place.age()
            )

    def _close_later(self, entry: Entry, reason: str) -> None:
        if not entry.closing:
            entry.closing = True
            self._spawn(entry.close(reason), f"close {entry.id}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
