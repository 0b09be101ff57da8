"""What joins an agent session and its avatar while both are in the room."""

from __future__ import annotations

from collections.abc import Callable

from livekit import rtc
from livekit.agents import AgentSession

from .engagement import AvatarEngagement
from .log import logger
from .output import AvatarAudioOutput
from .presence import AvatarPresence
from .restart import AvatarRestart
from .route import AudioRoute
from .settings import OnAvatarLost
from .state import StateForwarder
from .voice import AgentVoice

SENT_AWAY = frozenset(
    {
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.DUPLICATE_IDENTITY,
        rtc.DisconnectReason.ROOM_DELETED,
    }
)
"""Somebody wanted this avatar gone, or another one bears its identity now."""


class AvatarLink:
    """Sends the agent's voice and states to the avatar, and does what was asked when it is lost.

    Args:
        agent_session: Whose voice it is.
        room: Where both are.
        avatar_identity: The avatar's.
        engagement: Started; says what the avatar can do, and starts another one.
        on_avatar_lost: As in ``AvatarSession``.
        on_left: Told when the avatar is gone unasked, does not answer, or has not come.
        on_returned: Told when it or its successor is there.
        on_failed: Told why there will be no successor.
    """

    def __init__(
        self,
        agent_session: AgentSession,
        room: rtc.Room,
        *,
        avatar_identity: str,
        engagement: AvatarEngagement,
        on_avatar_lost: OnAvatarLost,
        on_left: Callable[[], None],
        on_returned: Callable[[], None],
        on_failed: Callable[[Exception], None],
    ) -> None:
        self._on_avatar_lost = on_avatar_lost
        self._tell_left = on_left
        self._tell_returned = on_returned
        self._tell_failed = on_failed
        self._states = StateForwarder(
            agent_session=agent_session, room=room, avatar_identity=avatar_identity
        )
        self._route = AudioRoute(
            agent_session.output,
            to_avatar=lambda: AvatarAudioOutput(
                room,
                destination_identity=avatar_identity,
                sample_rate=engagement.reply.sample_rate,
                wait_playback_start=engagement.reply.playback_started,
                pause=engagement.reply.pause,
            ),
            to_room=None if on_avatar_lost == "text_only" else lambda: AgentVoice(room),
        )
        self._restart: AvatarRestart | None = None
        if on_avatar_lost == "restart":
            self._restart = AvatarRestart(engagement.start_again, on_failed=self._failed)
        self._presence = AvatarPresence(
            room,
            avatar_identity=avatar_identity,
            on_left=self._left,
            on_returned=self._returned,
        )

    @property
    def output(self) -> AvatarAudioOutput | None:
        """Where the voice goes; None while it does not go to the avatar."""
        return self._route.to_avatar

    def start(self) -> None:
        """Divert the voice, and watch the avatar from now on."""
        self._states.start()
        self._route.divert()
        self._presence.start()

    async def aclose(self) -> None:
        """Give the voice back and watch no more. Idempotent."""
        await self._presence.aclose()
        if self._restart is not None:
            await self._restart.aclose()
        await self._route.aclose()
        await self._states.aclose()

    def _left(self, reason: int | None) -> None:
        self._route.fall_back()
        restarts = self._restart is not None and reason not in SENT_AWAY
        logger.info(
            "the conversation goes on without the avatar",
            extra={
                "on_avatar_lost": self._on_avatar_lost,
                "own_track": self._route.stands_in,
                "restarts": restarts,
            },
        )
        if self._restart is not None and restarts:
            self._restart.lost()
        self._tell_left()

    def _returned(self) -> None:
        self._route.divert()
        if self._restart is not None:
            self._restart.found()
        self._tell_returned()

    def _failed(self, error: Exception) -> None:
        logger.error(
            "the lost avatar cannot be replaced",
            extra={"error": type(error).__name__, "code": getattr(error, "code", None)},
        )
        self._tell_failed(error)
