from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import rtc
from livekit.agents import utils

from .log import logger

RPC_PING = "avaluma.ping"
PING_INTERVAL = 2.0
PING_TIMEOUT = 3.0
MISSES = 2
"""LiveKit removes a participant whose process died after about 20 s; silence tells after at most
``PING_INTERVAL + MISSES * PING_TIMEOUT`` seconds."""
RECONNECT_GRACE = 2.0
"""Whoever vanishes without a reason may be reconnecting, or we are."""
COMES_WITHIN = 20.0
"""Between our own entry into the room and the avatar's picture."""

# The call did not reach the avatar, or nothing came back. All other errors are answers.
NO_ANSWER = frozenset(
    {
        rtc.RpcError.ErrorCode.CONNECTION_TIMEOUT,
        rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT,
        rtc.RpcError.ErrorCode.RECIPIENT_DISCONNECTED,
        rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND,
        rtc.RpcError.ErrorCode.SEND_FAILED,
    }
)


class AvatarPresence:
    """Notices that the avatar leaves the room unasked, falls silent or never comes, and that
    it is back.

    An avatar that knows no ``avaluma.ping`` says so, and thereby that it lives.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        avatar_identity: str,
        on_left: Callable[[int | None], None],
        on_returned: Callable[[], None],
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        reconnect_grace: float = RECONNECT_GRACE,
        comes_within: float = COMES_WITHIN,
    ) -> None:
        """Watch; ``on_left`` is given LiveKit's reason, if there is one."""
        self._room = room
        self._avatar_identity = avatar_identity
        self._on_left = on_left
        self._on_returned = on_returned
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._reconnect_grace = reconnect_grace
        self._comes_within = comes_within
        self._missing_since: float | None = None
        self._away = False
        self._arrivals = 0
        self._vanished: asyncio.TimerHandle | None = None
        self._pings: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._room.on("participant_disconnected", self._on_participant_disconnected)
        self._room.on("participant_connected", self._on_participant_connected)
        self._pings = asyncio.create_task(self._ping_on(), name="avaluma.ping")

    async def aclose(self) -> None:
        self._room.off("participant_disconnected", self._on_participant_disconnected)
        self._room.off("participant_connected", self._on_participant_connected)
        self._stop_waiting()
        if self._pings is not None:
            await utils.aio.cancel_and_wait(self._pings)
            self._pings = None

    def _on_participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._avatar_identity:
            return
        if not self._room.isconnected():
            return  # everybody leaves when we do
        self._stop_waiting()
        if participant.disconnect_reason:
            self._lost("left", participant.disconnect_reason)
        else:
            loop = asyncio.get_running_loop()
            self._vanished = loop.call_later(self._reconnect_grace, self._stayed_away)

    def _stayed_away(self) -> None:
        self._vanished = None
        if self._room.isconnected() and self._avatar_identity not in self._room.remote_participants:
            self._lost("vanished")

    def _on_participant_connected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._avatar_identity:
            self._arrivals += 1
            self._stop_waiting()
            self._found()

    def _stop_waiting(self) -> None:
        if self._vanished is not None:
            self._vanished.cancel()
            self._vanished = None

    def _lost(self, how: str, reason: int | None = None) -> None:
        if self._away:
            return
        self._away = True
        logger.warning(
            "the avatar left the room",
            extra={"how": how, "reason": reason, "lk.pii.identity": self._avatar_identity},
        )
        self._on_left(reason)

    def _found(self) -> None:
        if not self._away:
            return
        self._away = False
        logger.info(
            "the avatar is back in the room", extra={"lk.pii.identity": self._avatar_identity}
        )
        self._on_returned()

    async def _ping_on(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self._ping_interval if not missed else 0)
            arrivals = self._arrivals
            if not self._can_be_asked():
                missed = 0
                if self._overdue():
                    self._lost("did not come")
            elif await self._answers():
                missed = 0
                self._missing_since = None
                if self._can_be_asked():
                    self._found()
            elif arrivals != self._arrivals:
                missed = 0  # it was the predecessor that did not answer
            elif self._can_be_asked():
                missed += 1
            if missed == MISSES:
                missed = 0
                self._lost("does not answer")

    def _overdue(self) -> bool:
        """Whether we have been in the room for long and there is no picture of the avatar."""
        now = asyncio.get_running_loop().time()
        if self._room.connection_state != rtc.ConnectionState.CONN_CONNECTED:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = now
        return self._missing_since is not None and now - self._missing_since > self._comes_within

    def _can_be_asked(self) -> bool:
        if self._room.connection_state != rtc.ConnectionState.CONN_CONNECTED:
            return False
        avatar = self._room.remote_participants.get(self._avatar_identity)
        # It answers calls once it shows its picture.
        return avatar is not None and any(
            publication.kind == rtc.TrackKind.KIND_VIDEO
            for publication in avatar.track_publications.values()
        )

    async def _answers(self) -> bool:
        began = asyncio.get_running_loop().time()
        call = asyncio.ensure_future(
            self._room.local_participant.perform_rpc(
                destination_identity=self._avatar_identity,
                method=RPC_PING,
                payload="",
                response_timeout=self._ping_timeout,
            )
        )
        try:
            # Unlike `wait_for` of Python 3.11, `wait` loses no cancellation to an answer that
            # comes at the same moment; `aclose` would wait for ever.
            if not (await asyncio.wait({call}, timeout=self._ping_timeout))[0]:
                return False
            call.result()
        except rtc.RpcError as error:
            if error.code not in NO_ANSWER:
                return True
            # An error that comes at once must not count as seconds of silence.
            spent = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(0.0, self._ping_timeout - spent))
            return False
        finally:
            call.cancel()
        return True
