from __future__ import annotations

import asyncio
import json

import pytest

from fakes.agent_room import AgentRoom, handler_count
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.agents.voice.io import (
    AudioOutput,
    AudioOutputCapabilities,
    PlaybackFinishedEvent,
)
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.plugins.avaluma.route import AudioRoute
from livekit.plugins.avaluma.voice import AgentVoice

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


async def test_a_session_that_had_no_voice_has_none_again() -> None:
    room = avatar_room()
    session, route = new_route(room)
    route.divert()
    assert isinstance(session.output.audio, AvatarAudioOutput)
    route.restore()
    assert session.output.audio is None
    route.restore()
    assert session.output.audio is None


async def test_a_voice_that_went_elsewhere_goes_there_again() -> None:
    room = avatar_room()
    session, route = new_route(room)
    session.output.audio = before = Loudspeaker()
    route.divert()
    assert isinstance(session.output.audio, AvatarAudioOutput)
    route.restore()
    assert session.output.audio is before


async def test_the_wrappers_of_a_running_session_stay() -> None:
    room = avatar_room()
    session, route = new_route(room)
    loudspeaker = Loudspeaker()
    session.output.audio = wrapper = Wrapper(loudspeaker)
    route.divert()
    assert session.output.audio is wrapper
    await wrapper.capture_frame(sound())
    assert loudspeaker.heard == 0
    assert len(room.local.streams) == 1

    route.restore()
    assert session.output.audio is wrapper
    await wrapper.capture_frame(sound())
    wrapper.flush()
    await asyncio.wait_for(wrapper.wait_for_playout(), 1)
    assert loudspeaker.heard == pytest.approx(0.1)
    assert len(wrapper.events) == 1


async def test_wrappers_that_came_after_the_avatar_return_with_it() -> None:
    room = avatar_room()
    session, route = new_route(room)
    route.divert()
    sink = session.output.audio
    assert sink is not None
    session.output.audio = wrapper = Wrapper(sink)
    await wrapper.capture_frame(sound())
    wrapper.flush()

    route.restore()
    assert session.output.audio is None
    [event] = wrapper.events
    assert event.interrupted

    route.divert()
    assert session.output.audio is wrapper
    await wrapper.capture_frame(sound())
    wrapper.flush()
    assert room.call(IDENTITY, "lk.playback_finished", finished(0.1)) == "ok"
    await asyncio.wait_for(wrapper.wait_for_playout(), 1)
    assert [event.interrupted for event in wrapper.events] == [True, False]
    assert len(room.local.streams) == 2


async def test_a_voice_that_the_application_moved_meanwhile_is_left_alone() -> None:
    room = avatar_room()
    session, route = new_route(room)
    route.divert()
    session.output.audio = chosen = Loudspeaker()
    route.restore()
    assert session.output.audio is chosen


def with_own_track(room: AgentRoom) -> tuple[AgentSession[None], AudioRoute]:
    session: AgentSession[None] = AgentSession()
    route = AudioRoute(
        session.output,
        to_avatar=lambda: output(room),
        to_room=lambda: AgentVoice(room.as_room()),
    )
    return session, route


async def test_without_an_avatar_the_agent_speaks_on_a_track_of_its_own() -> None:
    room = avatar_room()
    session, route = with_own_track(room)
    route.divert()
    sink = session.output.audio
    assert sink is not None
    session.output.audio = wrapper = Wrapper(sink)
    await wrapper.capture_frame(sound())
    route.fall_back()
    assert session.output.audio is wrapper
    assert route.stands_in
    await wrapper.capture_frame(sound())
    wrapper.flush()
    event = await asyncio.wait_for(wrapper.wait_for_playout(), 10)
    assert not event.interrupted, "the rest of the sentence is said by the agent itself"
    assert len(room.local.published) == 1
    assert len(room.local.streams) == 1

    route.divert()
    assert not route.stands_in
    await wrapper.capture_frame(sound())
    wrapper.flush()
    assert len(room.local.streams) == 2
    await route.aclose()
    assert room.local.track_publications == {}


async def test_a_voice_that_had_a_place_before_the_avatar_needs_no_track_of_its_own() -> None:
    room = avatar_room()
    session, route = with_own_track(room)
    session.output.audio = before = Loudspeaker()
    route.divert()
    route.fall_back()
    assert session.output.audio is before
    assert not route.stands_in
    await route.aclose()
    assert session.output.audio is before


async def test_a_track_of_its_own_that_the_application_replaced_is_taken_back_quietly() -> None:
    room = avatar_room()
    session, route = with_own_track(room)
    route.divert()
    route.fall_back()
    session.output.audio = chosen = Loudspeaker()
    await route.aclose()
    assert session.output.audio is chosen
    assert room.local.track_publications == {}


async def test_losing_the_avatar_twice_and_more_makes_one_track_at_a_time() -> None:
    room = avatar_room()
    session, route = with_own_track(room)
    for _ in range(3):
        route.divert()
        route.fall_back()
        own = session.output.audio
        assert isinstance(own, AgentVoice)
        await own.capture_frame(sound())
        own.flush()
        await asyncio.wait_for(own.wait_for_playout(), 10)
        await asyncio.sleep(0.05)
        assert len(room.local.track_publications) == 1
    await route.aclose()
    assert room.local.track_publications == {}
    assert session.output.audio is None
