"""The voice on its way to an avatar: segments, releases, rooms that must not mix."""

from __future__ import annotations

import asyncio

import pytest

from fakes.agent_room import AgentRoom, handler_count
from fakes.agent_voice import (
    IDENTITY,
    avatar_room,
    finished,
    output,
    sound,
)
from livekit.agents.voice.avatar import DataStreamAudioOutput


async def test_speech_goes_to_the_avatar_as_one_stream_per_segment() -> None:
    room = avatar_room()
    sink = output(room)
    await sink.capture_frame(sound())
    await sink.capture_frame(sound())
    sink.flush()
    playout = asyncio.create_task(sink.wait_for_playout())
    await asyncio.sleep(0)
    assert room.call(IDENTITY, "lk.playback_started") == "ok"
    assert room.call(IDENTITY, "lk.playback_finished", finished(0.2)) == "ok"
    assert (await playout).playback_position == 0.2
    [stream] = room.local.streams
    assert stream.topic == "lk.audio_stream"
    assert stream.destination_identities == [IDENTITY]
    assert stream.attributes == {"sample_rate": "16000", "num_channels": "1"}
    assert (len(stream.data), stream.closed) == (6400, True)


async def test_two_rooms_of_one_process_with_the_same_avatar_name_do_not_mix() -> None:
    rooms = avatar_room("a"), avatar_room("b")
    sinks = output(rooms[0]), output(rooms[1])
    for sink in sinks:
        await sink.capture_frame(sound())
        sink.flush()
    assert rooms[0].call(IDENTITY, "lk.playback_finished", finished(0.05)) == "ok"
    event = await asyncio.wait_for(sinks[0].wait_for_playout(), 1)
    assert event.playback_position == 0.05
    assert sinks[1]._pending_playback_count == 1


async def test_an_avatar_of_another_plugin_in_the_room_still_gets_its_answers() -> None:
    room = avatar_room()
    room.join("other-avatar")
    other = DataStreamAudioOutput(room.as_room(), destination_identity="other-avatar")
    ours = output(room)
    for sink in (other, ours):
        await sink.capture_frame(sound())
        sink.flush()
    assert room.call("other-avatar", "lk.playback_finished", finished(0.1)) == "ok"
    assert room.call(IDENTITY, "lk.playback_finished", finished(0.1)) == "ok"
    await asyncio.wait_for(other.wait_for_playout(), 1)
    await asyncio.wait_for(ours.wait_for_playout(), 1)
    assert room.call("stranger", "lk.playback_finished", finished(0.1)) == "reject"


async def test_a_released_output_finishes_what_it_owes_and_swallows_the_rest() -> None:
    room = avatar_room()
    sink = output(room)
    await sink.capture_frame(sound())
    sink.release()
    event = await asyncio.wait_for(sink.wait_for_playout(), 1)
    assert (event.playback_position, event.interrupted) == (0.0, True)

    await sink.capture_frame(sound())
    sink.flush()
    await sink.capture_frame(sound())
    sink.clear_buffer()
    assert (await asyncio.wait_for(sink.wait_for_playout(), 1)).interrupted
    assert len(room.local.streams) == 1
    assert room.remote_participants[IDENTITY].calls == []


async def test_a_release_knows_about_how_much_was_heard() -> None:
    room = avatar_room()
    sink = output(room)
    await sink.capture_frame(sound(50))
    room.call(IDENTITY, "lk.playback_started")
    await asyncio.sleep(0.1)
    sink.release()
    event = await sink.wait_for_playout()
    assert event.playback_position == pytest.approx(0.05)


async def test_a_release_frees_a_capture_that_waits_for_an_avatar_in_vain() -> None:
    room = AgentRoom()
    room.connect()
    sink = output(room)
    capture = asyncio.create_task(sink.capture_frame(sound()))
    await asyncio.sleep(0.01)
    assert not capture.done()
    sink.release()
    await asyncio.wait_for(capture, 1)
    sink.flush()
    await asyncio.wait_for(sink.wait_for_playout(), 1)
    await asyncio.sleep(0)
    assert handler_count(room) == 0


async def test_a_capture_that_is_cancelled_is_cancelled() -> None:
    room = AgentRoom()
    room.connect()
    sink = output(room)
    capture = asyncio.create_task(sink.capture_frame(sound()))
    await asyncio.sleep(0.01)
    capture.cancel()
    with pytest.raises(asyncio.CancelledError):
        await capture
    assert sink._start_atask is not None
    assert not sink._start_atask.done()
    sink.release()


async def test_a_release_before_the_room_is_connected_leaves_no_handler() -> None:
    room = AgentRoom()
    sink = output(room)
    sink.release()
    assert handler_count(room) == 0
    room.connect()
