from __future__ import annotations

import asyncio

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    UserStateChangedEvent,
    utils,
)

from .log import logger

RPC_USER_STATE = "user_state_changed"
RPC_AGENT_STATE = "agent_state_changed"
RPC_CALLER = "avaluma.caller"
RPC_TIMEOUT = 5.0


class StateForwarder:
    """Tells the avatar whether the user and the agent speak, listen or think.

    Only the newest state of each counts: states that change while the avatar is away or
    slow to answer are skipped, and an avatar that appears is told the current ones.
    It is told who the caller is, too: one that may listen nods at the right moments.
    """

    def __init__(
        self, *, agent_session: AgentSession, room: rtc.Room, avatar_identity: str
    ) -> None:
        self._agent_session = agent_session
        self._room = room
        self._avatar_identity = avatar_identity
        self._news: dict[str, str] = {}
        self._caller = ""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._agent_session.on("user_state_changed", self._on_user_state)
        self._agent_session.on("agent_state_changed", self._on_agent_state)
        # The avatar publishes its picture last, when it can be told things.
        self._room.on("track_published", self._on_track_published)
        self._room.on("participant_active", self._look_again)
        self._room.on("connection_state_changed", self._look_again)
        self._task = asyncio.create_task(self._run(), name="avaluma.forward_state")
        self._tell_current()

    async def aclose(self) -> None:
        self._agent_session.off("user_state_changed", self._on_user_state)
        self._agent_session.off("agent_state_changed", self._on_agent_state)
        self._room.off("track_published", self._on_track_published)
        self._room.off("participant_active", self._look_again)
        self._room.off("connection_state_changed", self._look_again)
        if self._task is not None:
            await utils.aio.cancel_and_wait(self._task)
            self._task = None

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        self._tell(RPC_USER_STATE, event.new_state)
        self._tell_caller()

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        self._tell(RPC_AGENT_STATE, event.new_state)

    def _on_track_published(
        self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if (
            participant.identity == self._avatar_identity
            and publication.kind == rtc.TrackKind.KIND_VIDEO
        ):
            self._tell_current()

    def _look_again(self, *_: object) -> None:
        self._wake.set()

    def _tell_caller(self) -> None:
        """Tell whom the session listens to, if that is known and news."""
        try:
            ears = getattr(self._agent_session, "room_io", None)
        except RuntimeError:  # a session without a room of its own
            return
        caller: rtc.RemoteParticipant | None = getattr(ears, "linked_participant", None)
        if caller is not None and caller.identity != self._caller:
            self._caller = caller.identity
            self._tell(RPC_CALLER, caller.identity)

    def _tell_current(self) -> None:
        self._caller = ""
        self._tell_caller()
        self._tell(RPC_USER_STATE, self._agent_session.user_state)
        self._tell(RPC_AGENT_STATE, self._agent_session.agent_state)

    def _tell(self, method: str, state: str) -> None:
        self._news.pop(method, None)
        self._news[method] = state
        self._wake.set()

    def _avatar_listens(self) -> bool:
        if not self._room.isconnected():
            return False
        avatar = self._room.remote_participants.get(self._avatar_identity)
        return avatar is not None and any(
            publication.kind == rtc.TrackKind.KIND_VIDEO
            for publication in avatar.track_publications.values()
        )

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._news and self._avatar_listens():
                method = next(iter(self._news))
                await self._send(method, self._news.pop(method))

    async def _send(self, method: str, state: str) -> None:
        try:
            await self._room.local_participant.perform_rpc(
                destination_identity=self._avatar_identity,
                method=method,
                payload=state,
                response_timeout=RPC_TIMEOUT,
            )
        except Exception as error:
            logger.debug(
                "the avatar was not told a state",
                extra={
                    "method": method,
                    "error": type(error).__name__,
                    "code": getattr(error, "code", None),
                },
            )
