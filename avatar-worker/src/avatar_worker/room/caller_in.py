"""The caller's voice, where the operator allows to hear it: for nods, and for nothing else.

Only the microphone of the one participant whom the avatar's agent names is subscribed. What is
taken from it is pitch and level of 20 ms at a time, and of those the moments for a nod; no sound
is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import numpy as np

from avatar_worker.face import Cue, Turn
from avatar_worker.face.backchannel import Backchannel
from avatar_worker.features.prosody import ToneStream
from avatar_worker.frames import ANALYSIS_RATE
from livekit import rtc

from .expression import NOT_ALLOWED

logger = logging.getLogger(__name__)

RPC_CALLER: Final = "avaluma.caller"
FRAME_MS: Final = 40
MOST_WAITING: Final = 25
"""Frames that wait to be heard, 1 s; the SDK drops older ones."""
LONGEST_IDENTITY: Final = 512
OK: Final = "ok"


class CallerIn:
    """Listens in one room. Belongs to the room's event loop.

    Args:
        room: Joined; of all tracks only the caller's is subscribed.
        express: Told when a nod is welcome.
        on_behalf: The avatar's agent, who alone may name the caller.
    """

    def __init__(
        self, room: rtc.Room, express: Callable[[Cue], None], *, on_behalf: str | None
    ) -> None:
        self._room = room
        self._express = express
        self._on_behalf = on_behalf
        self._participant: rtc.LocalParticipant | None = None
        self._identity = ""
        self._track = ""
        self._task: asyncio.Task[None] | None = None
        self.heard_ms = 0
        """How much of the caller has been heard."""

    def start(self) -> None:
        """Answer `avaluma.caller`, and follow tracks as they come and go."""
        self._participant = self._room.local_participant
        self._participant.register_rpc_method(RPC_CALLER, self._named)
        self._room.on("track_published", self._published)
        self._room.on("track_subscribed", self._subscribed)
        self._room.on("track_unsubscribed", self._unsubscribed)

    async def aclose(self) -> None:
        """Listen no more. Idempotent."""
        self._room.off("track_published", self._published)
        self._room.off("track_subscribed", self._subscribed)
        self._room.off("track_unsubscribed", self._unsubscribed)
        participant, self._participant = self._participant, None
        if participant is not None:
            participant.unregister_rpc_method(RPC_CALLER)
        if self._room.isconnected():
            self._follow("")
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _named(self, call: rtc.RpcInvocationData) -> str:
        if not self._on_behalf or call.caller_identity != self._on_behalf:
            raise rtc.RpcError(NOT_ALLOWED, "only the avatar's agent names its caller")
        self._follow(call.payload[:LONGEST_IDENTITY])
        return OK

    def _follow(self, identity: str) -> None:
        """Listen to this participant instead of the one before; an empty identity is nobody."""
        if identity == self._identity:
            return
        for publication in self._microphones(self._identity):
            publication.set_subscribed(False)
        self._identity = identity
        for publication in self._microphones(identity):
            publication.set_subscribed(True)

    def _microphones(self, identity: str) -> list[rtc.RemoteTrackPublication]:
        participant = self._room.remote_participants.get(identity)
        if participant is None:
            return []
        return [p for p in participant.track_publications.values() if _is_microphone(p)]

    def _published(
        self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity == self._identity and _is_microphone(publication):
            publication.set_subscribed(True)

    def _subscribed(
        self,
        track: rtc.RemoteTrack,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if participant.identity != self._identity or not _is_microphone(publication):
            return
        self._stop()
        self._track = publication.sid
        self._task = asyncio.create_task(self._listen(track), name="caller-listen")

    def _unsubscribed(
        self,
        track: rtc.RemoteTrack,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if publication.sid == self._track:
            self._stop()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _listen(self, track: rtc.RemoteTrack) -> None:
        tones, moments = ToneStream(), Backchannel()
        stream = rtc.AudioStream.from_track(
            track=track,
            sample_rate=ANALYSIS_RATE,
            num_channels=1,
            frame_size_ms=FRAME_MS,
            capacity=MOST_WAITING,
        )
        size = ANALYSIS_RATE * FRAME_MS // 1000
        try:
            async for event in stream:
                pcm = np.frombuffer(event.frame.data, np.int16)
                if len(pcm) != size:
                    continue
                self.heard_ms += FRAME_MS
                for tone in tones.step(np.divide(pcm, 32_768, dtype=np.float32)):
                    if moments.hear(tone):
                        self._express(Turn.INVITES)
        finally:
            await stream.aclose()


def _is_microphone(publication: rtc.RemoteTrackPublication) -> bool:
    return publication.source == rtc.TrackSource.SOURCE_MICROPHONE
