"""The times of a TTS's words become places of the speech that the avatar says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable

from fakes.agent_room import AgentRoom
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    Agent,
    AgentSession,
    APIConnectOptions,
    ModelSettings,
    tts,
    utils,
)
from livekit.agents.types import TimedString
from livekit.agents.voice.io import AudioOutput
from livekit.plugins.avaluma import expression
from livekit.plugins.avaluma.output import AvatarAudioOutput

RATE = 16_000
AVATAR = "avatar-demo"
WORD_S = 0.3


class WordyStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        text = "".join([part async for part in self._input_ch if isinstance(part, str)])
        for number, word in enumerate(text.split()):
            begin = number * WORD_S
            timed = TimedString(f"{word} ", start_time=begin, end_time=begin + WORD_S)
            output_emitter.push_timed_transcript(timed)
            output_emitter.push(bytes(2 * int(RATE * WORD_S)))
        output_emitter.end_segment()


class WordyVoice(tts.TTS):
    """Says silence, and when which word comes."""

    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=True, aligned_transcript=True)
        super().__init__(capabilities=capabilities, sample_rate=RATE, num_channels=1)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return WordyStream(tts=self, conn_options=conn_options)


class Host(Agent):
    """Bows at the word welcome, as the plugin's page shows."""

    def __init__(self, room: AgentRoom, output: AvatarAudioOutput) -> None:
        super().__init__(instructions="Say hello.")
        self._room = room
        self._output = output

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for frame in Agent.default.tts_node(self, text, model_settings):
            for word in frame.userdata.get("lk.timed_transcripts", []):
                if word.strip(" ,.!").lower() == "welcome":
                    await self._bow(word.start_time)
            yield frame

    async def _bow(self, at: float) -> None:
        await self._output.mark(
            lambda stream: expression.gesture(
                self._room.as_room(), AVATAR, "bow", place=expression.Place(stream, at)
            )
        )


async def test_a_gesture_falls_on_a_word_whose_time_the_voice_tells() -> None:
    room = AgentRoom()
    room.connect()
    methods = {"lk.clear_buffer": lambda _: "ok", "avaluma.gesture": lambda _: "ok"}
    avatar = room.join(AVATAR, methods=methods)
    output = AvatarAudioOutput(
        room.as_room(), destination_identity=AVATAR, sample_rate=RATE, wait_playback_start=True
    )
    session: AgentSession[None] = AgentSession(tts=WordyVoice(), vad=None)
    sink: AudioOutput = output
    session.output.audio = sink
    await session.start(Host(room, output))
    session.say("Hello and welcome to everybody.")
    async with asyncio.timeout(10):
        while not avatar.calls:
            await asyncio.sleep(0.01)
    [(method, payload)] = avatar.calls
    assert method == "avaluma.gesture"
    assert json.loads(payload) == {
        "gesture": "bow",
        "at": 2 * WORD_S,
        "stream": room.local.streams[0].info.stream_id,
    }
    output.release()
    await session.aclose()
