from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from fakes.agent_room import AgentRoom, Peer
from livekit import rtc
from livekit.plugins.avaluma.output import AvatarAudioOutput

IDENTITY = "avatar-demo"
Handler = Callable[[rtc.RpcInvocationData], str]


def ok(call: rtc.RpcInvocationData) -> str:
    return "ok"


def sound() -> rtc.AudioFrame:
    return rtc.AudioFrame(bytes(3200), 16000, 1, 1600)


def stage(methods: dict[str, Handler] | None = None) -> tuple[AgentRoom, Peer]:
    room = AgentRoom()
    room.connect()
    able = {"lk.clear_buffer": ok, "avaluma.pause": ok, "avaluma.resume": ok}
    return room, room.join(IDENTITY, methods=able if methods is None else methods)


def output(room: AgentRoom, *, pause: bool = True) -> AvatarAudioOutput:
    return AvatarAudioOutput(
        room.as_room(),
        destination_identity=IDENTITY,
        sample_rate=16000,
        wait_playback_start=True,
        pause=pause,
    )


def called(peer: Peer) -> list[str]:
    return [method for method, _ in peer.calls]


async def test_a_pause_and_its_end_are_told_once_each() -> None:
    room, avatar = stage()
    voice = output(room)
    assert voice.can_pause
    await voice.capture_frame(sound())
    for _ in range(2):
        voice.pause()
    await voice._pause.settled()
    for _ in range(2):
        voice.resume()
    await voice._pause.settled()
    assert called(avatar) == ["avaluma.pause", "avaluma.resume"]
    voice.release()


async def test_what_was_wanted_last_wins() -> None:
    room, avatar = stage()
    voice = output(room)
    voice.pause()
    voice.resume()
    voice.pause()
    await voice._pause.settled()
    assert called(avatar) == ["avaluma.pause"]
    voice.pause()
    voice.resume()
    await voice._pause.settled()
    assert called(avatar) == ["avaluma.pause", "avaluma.resume"]
    voice.release()


async def test_a_resume_without_a_pause_says_nothing() -> None:
    room, avatar = stage()
    voice = output(room)
    voice.resume()
    await voice.capture_frame(sound())
    assert called(avatar) == []
    voice.release()


async def test_an_avatar_that_cannot_pause_is_never_asked(caplog: pytest.LogCaptureFixture) -> None:
    room, avatar = stage({"lk.clear_buffer": ok})
    voice = output(room, pause=False)
    assert not voice.can_pause
    voice.pause()
    await voice.capture_frame(sound())
    voice.resume()
    await voice._pause.settled()
    assert called(avatar) == []
    assert "not supported" in caplog.text
    assert len(room.local.streams) == 1
    voice.release()


async def test_an_avatar_that_promised_too_much_speaks_on_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room, avatar = stage({"lk.clear_buffer": ok})
    voice = output(room)
    voice.pause()
    await voice.capture_frame(sound())
    assert len(room.local.streams) == 1, "no speech is held back for it"
    voice.resume()
    await voice._pause.settled()
    assert called(avatar) == ["avaluma.pause"]
    assert "could not be told to pause" in caplog.text
    voice.release()


async def test_a_pause_before_the_avatar_is_there_reaches_it_before_the_first_word() -> None:
    room = AgentRoom()
    room.connect()
    voice = output(room)
    voice.pause()
    capturing = asyncio.create_task(voice.capture_frame(sound()), name="capture")
    await asyncio.sleep(0)
    streams_at_the_call = []

    def paused(call: rtc.RpcInvocationData) -> str:
        streams_at_the_call.append(len(room.local.streams))
        return "ok"

    room.join(IDENTITY, methods={"avaluma.pause": paused})
    await capturing
    assert streams_at_the_call == [0]
    assert len(room.local.streams) == 1
    voice.release()


async def test_a_call_that_fails_for_a_moment_is_made_again() -> None:
    answers = [rtc.RpcError(rtc.RpcError.ErrorCode.CONNECTION_TIMEOUT, "late")]

    def paused(call: rtc.RpcInvocationData) -> str:
        if answers:
            raise answers.pop()
        return "ok"

    room, avatar = stage({"avaluma.pause": paused})
    voice = output(room)
    voice.pause()
    await voice._pause.settled()
    assert called(avatar) == ["avaluma.pause", "avaluma.pause"]
    voice.release()


async def test_a_clear_during_a_pause_ends_the_segment_once() -> None:
    room, avatar = stage()
    voice = output(room)
    await voice.capture_frame(sound())
    voice.flush()
    voice.pause()
    await voice._pause.settled()
    voice.clear_buffer()
    finished = json.dumps({"playback_position": 0.04, "interrupted": True})
    assert room.call(IDENTITY, "lk.playback_finished", finished) == "ok"
    assert (await voice.wait_for_playout()).playback_position == 0.04
    voice.resume()
    await voice._pause.settled()
    assert called(avatar)[-1] == "avaluma.resume"
    voice.release()


async def test_a_released_output_calls_nobody() -> None:
    room, avatar = stage()
    voice = output(room)
    voice.pause()
    voice.release()
    voice.resume()
    await asyncio.sleep(0)
    assert called(avatar) == []
