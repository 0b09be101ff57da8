"""Where an agent's voice goes: to an avatar, to a loudspeaker, through what a session hangs above."""

from __future__ import annotations

import json

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.io import (
    AudioOutput,
    AudioOutputCapabilities,
    PlaybackFinishedEvent,
)
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.plugins.avaluma.route import AudioRoute

from .agent_room import AgentRoom

IDENTITY = "avatar-demo"


def sound(milliseconds: int = 100) -> rtc.AudioFrame:
    samples = 16 * milliseconds
    return rtc.AudioFrame(bytes(2 * samples), 16000, 1, samples)


def finished(position: float, *, interrupted: bool = False) -> str:
    return json.dumps({"playback_position": position, "interrupted": interrupted})


class Loudspeaker(AudioOutput):
    """Where the voice went before: it keeps what it plays."""

    def __init__(self) -> None:
        super().__init__(label="loudspeaker", capabilities=AudioOutputCapabilities(pause=True))
        self.heard = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.heard += frame.duration

    def flush(self) -> None:
        super().flush()
        self.on_playback_finished(playback_position=self.heard, interrupted=False)

    def clear_buffer(self) -> None:
        return


class Wrapper(AudioOutput):
    """What a session hangs above the tail: a recorder, a transcript synchroniser."""

    def __init__(self, tail: AudioOutput) -> None:
        super().__init__(
            label="wrapper", capabilities=AudioOutputCapabilities(pause=True), next_in_chain=tail
        )
        self.events: list[PlaybackFinishedEvent] = []
        self.on("playback_finished", self.events.append)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        assert self.next_in_chain is not None
        await self.next_in_chain.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        assert self.next_in_chain is not None
        self.next_in_chain.flush()

    def clear_buffer(self) -> None:
        assert self.next_in_chain is not None
        self.next_in_chain.clear_buffer()


def avatar_room(name: str = "room-1") -> AgentRoom:
    room = AgentRoom(name)
    room.connect()
    room.join(IDENTITY, methods={"lk.clear_buffer": lambda _: "ok"})
    return room


def output(room: AgentRoom, *, started: bool = True) -> AvatarAudioOutput:
    return AvatarAudioOutput(
        room.as_room(),
        destination_identity=IDENTITY,
        sample_rate=16000,
        wait_playback_start=started,
    )


def new_route(room: AgentRoom) -> tuple[AgentSession[None], AudioRoute]:
    session: AgentSession[None] = AgentSession()
    return session, AudioRoute(session.output, to_avatar=lambda: output(room))
