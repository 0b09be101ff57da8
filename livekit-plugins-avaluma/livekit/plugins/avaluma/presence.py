from __future__ import annotations

from collections.abc import Callable

from livekit import rtc

from .log import logger


class AvatarPresence:
    """Notices that the avatar leaves the room unasked, and that it is back."""

    def __init__(
        self,
        room: rtc.Room,
        *,
        avatar_identity: str,
        on_left: Callable[[], None],
        on_returned: Callable[[], None],
    ) -> None:
        self._room = room
        self._avatar_identity = avatar_identity
        self._on_left = on_left
        self._on_returned = on_returned
        self._away = False

    def start(self) -> None:
        self._room.on("participant_disconnected", self._on_participant_disconnected)
        self._room.on("participant_connected", self._on_participant_connected)

    def stop(self) -> None:
        self._room.off("participant_disconnected", self._on_participant_disconnected)
        self._room.off("participant_connected", self._on_participant_connected)

    def _on_participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._avatar_identity or self._away:
            return
        if not self._room.isconnected():
            return  # everybody leaves when we do
        self._away = True
        logger.warning(
            "the avatar left the room, the agent's voice goes where it went before",
            extra={"lk.pii.identity": self._avatar_identity},
        )
        self._on_left()

    def _on_participant_connected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._avatar_identity or not self._away:
            return
        self._away = False
        logger.info(
            "the avatar is back in the room", extra={"lk.pii.identity": self._avatar_identity}
        )
        self._on_returned()
