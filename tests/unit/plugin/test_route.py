"""Whose turn it is to carry the voice: the avatar, what was there before it, or a track of the agent's own."""

from __future__ import annotations

import asyncio

import pytest

from fakes.agent_room import AgentRoom
from fakes.agent_voice import (
    IDENTITY,
    Loudspeaker,
    Wrapper,
    avatar_room,
    finished,
    new_route,
    output,
    sound,
)
from livekit.agents import AgentSession
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.plugins.avaluma.route import AudioRoute
from livekit.plugins.avaluma.voice import AgentVoice


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
