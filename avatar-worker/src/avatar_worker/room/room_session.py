"""One avatar in one LiveKit room, from the join to the goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from avatar_worker.clock import Clock, ms
from avatar_worker.engine import Engine
from avatar_worker.errors import DeviceError, PeerError, PictureError
from avatar_worker.session import Session, SessionState
from livekit import rtc
from livekit.rtc.room import EventTypes

from .absence import Absences
from .door import JoinRequest
from .presence import LeaveRules, Presence
from .sdk_runtime import see_through
from .sdk_spares import SPARES
from .speech_in import SpeechIn
from .speech_policy import ATTRIBUTE_ON_BEHALF, SpeechPolicy
from .stage import Stage
from .states import ATTRIBUTE_AGENT_STATE
from .tracks_out import VideoOptions

logger = logging.getLogger(__name__)

LOOK_AROUND = 0.5
"""Seconds between two looks at who is in the room."""
GOODBYE = 1.0
"""Seconds for the last reports to be answered before leaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOptions:
    """What the operator sets for every room of this worker."""

    rules: LeaveRules = LeaveRules()
    video: VideoOptions = VideoOptions()
    drain_timeout: float = 5.0
    hear_caller: bool = False


class RoomSession:
    """Everything one join owns. Lives on the event loop that made it.

    Use `join` to make one. Attributes are as in `door.RunningSession`.
    """

    def __init__(
        self,
        request: JoinRequest,
        engine: Engine,
        clock: Clock,
        options: RoomOptions,
        *,
        door: str,
        room: rtc.Room | None = None,
    ) -> None:
        self.id = request.session_id
        self.avatar_id = request.avatar_id
        self.room_name = request.room_name
        self.identity = request.identity
        self.on_behalf = request.on_behalf
        self.door = door
        self.started_at = datetime.now(UTC)
        self._clock = clock
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._room = room or rtc.Room()
        self._session = Session(request.avatar, engine, clock)
        self._speech = SpeechIn(
            self._room,
            self._session,
            SpeechPolicy(
                request.speech_from,
                on_behalf=request.on_behalf,
                listed=frozenset(request.speakers),
            ),
        )
        limit = ms(round(request.max_duration * 1000)) if request.max_duration else None
        self._presence = Presence(
            replace(options.rules, max_duration=limit),
            on_behalf=request.on_behalf,
            now=clock.now(),
        )
        self._absences = Absences(
            on_gone=self._gone,
            connected=lambda: self._room.connection_state == rtc.ConnectionState.CONN_CONNECTED,
        )
        self._stage: Stage | None = None
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[str] = self._loop.create_future()

    # -- joining -----------------------------------------------------------------------------

    async def start(self, connect: Callable[[rtc.Room], Awaitable[None]]) -> None:
        """Join and publish. If anything fails or is cancelled, the room has been left.

        Raises:
            PeerError: If LiveKit refuses.
            AvatarError: If the avatar cannot be drawn.
            PictureError: If drawing it fails.
            DeviceError: If the engine has stopped.
        """
        try:
            # The face first: who joins and cannot publish silences its agent for good.
            first = await self._session.first_picture(seed=zlib.crc32(self.id.encode()))
            for event, handler in self._handlers().items():
                self._room.on(event, handler)
            try:
                await see_through(connect(self._room))
            except rtc.ConnectError:
                raise PeerError("LiveKit refused the connection or cannot be reached") from None
            self._stage = Stage(
                self._room,
                self._session,
                self._speech,
                clock=self._clock,
                absences=self._absences,
                on_behalf=self.on_behalf,
                video=self._options.video,
                hear_caller=self._options.hear_caller,
            )
            await self._stage.publish(first)
        except BaseException:
            self._closed.set_result("failed")
            await self._leave()
            raise
        self._watch = asyncio.create_task(self._look_around(), name=f"room-watch {self.id}")

    def _handlers(self) -> dict[EventTypes, Callable[..., None]]:
        return {
            "disconnected": self._disconnected,
            "participant_connected": self._participant_came,
            "participant_disconnected": self._participant_left,
            "participant_attributes_changed": self._attributes_changed,
        }

    def _agent(self) -> rtc.RemoteParticipant | None:
        return self._room.remote_participants.get(self.on_behalf) if self.on_behalf else None

    # -- while it lives ----------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """Where the session is in its life."""
        return self._session.lifecycle.state

    def counters(self) -> Mapping[str, int]:
        """What was counted so far; safe from any thread."""
        counts: Counter[str] = Counter(self._session.counters())
        counts.update(self._speech.counts)
        if self._stage is not None:
            counts.update(self._stage.counters())
        return counts

    def agent_present(self) -> bool:
        """Whether the on-behalf agent is in the room, or may still be on its way."""
        return self._agent() is not None or not self._presence.agent_was_here

    async def wait_closed(self) -> str:
        """Wait for the end, whoever caused it, and return the reason."""
        return await asyncio.shield(self._closed)

    async def _look_around(self) -> None:
        while True:
            people = {
                identity
                for identity, participant in self._room.remote_participants.items()
                if not participant.attributes.get(ATTRIBUTE_ON_BEHALF)
            }
            reason = self._presence.reason_to_leave(self._clock.now(), people)
            if self._session.failed.done():
                error = self._session.failed.result()
                reason = _why(error)
                logger.error(
                    "session failed", extra={"session": self.id, "reason": reason}, exc_info=error
                )
            if reason is not None:
                self._close_soon(reason)
                return
            await asyncio.wait([self._session.failed], timeout=LOOK_AROUND)

    def _participant_came(self, participant: rtc.RemoteParticipant) -> None:
        self._absences.back(participant.identity)

    def _participant_left(self, participant: rtc.RemoteParticipant) -> None:
        self._absences.left(participant.identity, reason=participant.disconnect_reason)

    def _gone(self, identity: str) -> None:
        self._session.forget(identity)
        if self._stage is not None:
            self._stage.reports.forget(identity)

    def _attributes_changed(self, changed: Mapping[str, str], participant: rtc.Participant) -> None:
        if participant.identity == self.on_behalf and self._stage is not None:
            self._stage.calls.agent_state(changed.get(ATTRIBUTE_AGENT_STATE, ""))

    def _disconnected(self, reason: int | None) -> None:
        # The SDK reconnects by itself; this event is the end of its tries.
        # Without a reason from the server, it was the server that could not be reached any more.
        name = rtc.DisconnectReason.Name(reason).lower() if reason else "connection_lost"  # type: ignore[arg-type]
        if name == "duplicate_identity":
            logger.warning(
                "another participant took the avatar's identity", extra={"session": self.id}
            )
        self._close_soon(f"disconnected:{name}")

    # -- leaving -----------------------------------------------------------------------------

    def _close_soon(self, reason: str) -> None:
        if self._closing is None and not self._closed.done():
            self._closing = asyncio.create_task(self._end(reason), name=f"room-end {self.id}")

    async def aclose(self, reason: str) -> None:
        """End the session; the room is left when this returns. Idempotent.

        With the reason `drain`, what was accepted is played out first.
        """
        self._close_soon(reason)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _end(self, reason: str) -> None:
        try:
            if reason == "drain":
                await self._session.drain(self._options.drain_timeout)
            await self._leave()
        finally:
            if not self._closed.done():
                self._closed.set_result(reason)

    async def _leave(self) -> None:
        """Give everything back, in the reverse order. Every step runs, whatever fails."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
        self._absences.close()
        async with contextlib.AsyncExitStack() as steps:  # the last to be pushed is the first
            if self._stage is not None:
                steps.push_async_callback(self._stage.aclose)
            steps.push_async_callback(self._leave_room)
            if self._stage is not None:
                steps.push_async_callback(self._stage.say_goodbye, GOODBYE)
            steps.push_async_callback(self._session.aclose)
            steps.push_async_callback(self._speech.aclose)
            if self._stage is not None:
                steps.push_async_callback(self._stage.stop_listening)

    async def _leave_room(self) -> None:
        SPARES.hold_runtime(self._room)
        with contextlib.suppress(Exception):
            await self._room.disconnect()
        for event, handler in self._handlers().items():
            self._room.off(event, handler)


def _why(error: BaseException) -> str:
    """Return the word for what ended a session that had not been asked to end."""
    if isinstance(error, DeviceError):
        return "device_lost"
    return "drawing_failed" if isinstance(error, PictureError) else "failed"
