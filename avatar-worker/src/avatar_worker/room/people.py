"""Who is in a room, as far as LiveKit has said: speech and calls may be faster than that news."""

from __future__ import annotations

import asyncio
import contextlib

from livekit import rtc

from .speech_policy import Speaker

NEWS_WITHIN = 4.0
"""Seconds; LiveKit announces participants without tracks up to 3 s after they may speak."""


class People:
    """The others in one room."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room

    def speaker(self, identity: str) -> Speaker:
        """Return what is known of a participant; nobody in particular if it is not announced."""
        participant = self._room.remote_participants.get(identity)
        if participant is None:
            return Speaker(identity, False, {})
        is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        return Speaker(identity, is_agent, participant.attributes)

    def unannounced(self, identity: str) -> bool:
        """Whether this is somebody of whom LiveKit has not said anything yet."""
        return bool(identity) and identity not in self._room.remote_participants

    async def news_of(self, identity: str) -> None:
        """Wait until somebody is announced, at most `NEWS_WITHIN`."""
        known = asyncio.Event()

        def news(participant: rtc.RemoteParticipant) -> None:
            if participant.identity == identity:
                known.set()

        self._room.on("participant_connected", news)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NEWS_WITHIN):
                    await known.wait()
        finally:
            self._room.off("participant_connected", news)
