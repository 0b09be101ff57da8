"""Expressions at places of a speech, from the plugin's end."""

from __future__ import annotations

import asyncio

import pytest

from fakes.agent_room import AgentRoom
from livekit import rtc
from livekit.plugins import avaluma
from livekit.plugins.avaluma.errors import AvatarExpressionError
from livekit.plugins.avaluma.marks import MOST_WAITING, Mark, StreamMarks
from livekit.plugins.avaluma.output import AvatarAudioOutput

IDENTITY = "avatar-demo"


def sound(milliseconds: int = 100) -> rtc.AudioFrame:
    samples = 16 * milliseconds
    return rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)


class Told:
    """Notes which stream was told what."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def mark(self, what: str) -> Mark:
        async def tell(stream: str) -> None:
            self.said.append((stream, what))

        return tell


async def test_a_mark_for_a_stream_that_is_there_is_told_at_once() -> None:
    marks, told = StreamMarks(), Told()
    await marks.put(told.mark("nod"), "stream-1")
    assert told.said == [("stream-1", "nod")]


async def test_marks_without_a_stream_wait_for_the_next_and_keep_their_order() -> None:
    marks, told = StreamMarks(), Told()
    await marks.put(told.mark("nod"), None)
    await marks.put(told.mark("smile"), None)
    assert told.said == []
    marks.opened("stream-2")
    marks.opened("stream-3")
    await asyncio.sleep(0)
    assert told.said == [("stream-2", "nod"), ("stream-2", "smile")]


async def test_only_so_many_wait_and_the_newest_are_kept() -> None:
    marks, told = StreamMarks(), Told()
    for number in range(MOST_WAITING + 5):
        await marks.put(told.mark(str(number)), None)
    marks.opened("stream-1")
    await asyncio.sleep(0)
    assert [what for _, what in told.said] == [str(n) for n in range(5, MOST_WAITING + 5)]


async def test_a_mark_that_is_refused_late_is_logged_and_the_next_one_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    marks, told = StreamMarks(), Told()

    async def refused(stream: str) -> None:
        raise AvatarExpressionError("no such place", code="UNKNOWN_STREAM")

    await marks.put(refused, None)
    await marks.put(told.mark("nod"), None)
    marks.opened("stream-1")
    await asyncio.sleep(0)
    assert told.said == [("stream-1", "nod")]
    assert [r.code for r in caplog.records if "not followed" in r.getMessage()] == [  # type: ignore[attr-defined]
        "UNKNOWN_STREAM"
    ]


async def test_a_mark_that_is_refused_at_once_is_an_error_of_its_caller() -> None:
    async def refused(stream: str) -> None:
        raise AvatarExpressionError("no such place", code="UNKNOWN_STREAM")

    with pytest.raises(AvatarExpressionError):
        await StreamMarks().put(refused, "stream-1")


async def test_what_is_stopped_tells_no_more() -> None:
    marks, told = StreamMarks(), Told()
    await marks.put(told.mark("nod"), None)
    marks.opened("stream-1")
    marks.stop()
    await asyncio.sleep(0.01)
    assert told.said == []


# -- with an output and a room -------------------------------------------------------------------


def avatar_room() -> AgentRoom:
    room = AgentRoom()
    room.connect()
    room.join(IDENTITY, methods={"lk.clear_buffer": lambda _: "ok"})
    return room


def output(room: AgentRoom) -> AvatarAudioOutput:
    return AvatarAudioOutput(
        room.as_room(), destination_identity=IDENTITY, sample_rate=16_000, wait_playback_start=True
    )


async def test_a_mark_goes_with_the_speech_that_is_being_sent_or_the_next_one() -> None:
    room, told = avatar_room(), Told()
    out = output(room)
    await out.mark(told.mark("before"))
    await out.capture_frame(sound())
    await asyncio.sleep(0.01)
    await out.mark(told.mark("during"))
    out.flush()
    await out.mark(told.mark("behind"))
    await asyncio.sleep(0.01)
    await out.capture_frame(sound())
    await asyncio.sleep(0.01)
    first, second = (stream.info.stream_id for stream in room.local.streams)
    assert told.said == [(first, "before"), (first, "during"), (second, "behind")]
    out.release()


async def test_an_interruption_voids_marks_of_speech_that_has_not_begun() -> None:
    room, told = avatar_room(), Told()
    out = output(room)
    await out.mark(told.mark("nod"))
    out.clear_buffer()
    await out.capture_frame(sound())
    await asyncio.sleep(0.01)
    assert told.said == []
    out.release()
    await out.mark(told.mark("nod"))
    assert told.said == []


async def test_without_an_avatar_that_speaks_a_place_is_refused() -> None:
    avatar = avaluma.AvatarSession(avatar_server_url="http://localhost:1")
    for expression in (avatar.gesture("nod", at=1.0), avatar.set_mood("sad", at=1.0)):
        with pytest.raises(AvatarExpressionError) as absent:
            await expression
        assert absent.value.code == "AVATAR_ABSENT"
