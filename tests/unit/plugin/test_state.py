from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fakes.agent_room import AgentRoom, Handler, Peer, handler_count
from livekit import rtc
from livekit.agents import AgentSession
from livekit.plugins.avaluma.state import StateForwarder

IDENTITY = "avatar-demo"
LISTENING: dict[str, Handler] = {
    "user_state_changed": lambda _: "ok",
    "agent_state_changed": lambda _: "ok",
}
AT_FIRST = [("user_state_changed", "listening"), ("agent_state_changed", "initializing")]


@asynccontextmanager
async def forwarding(
    *, connected: bool = True
) -> AsyncIterator[tuple[AgentSession[Any], AgentRoom]]:
    agent: AgentSession[Any] = AgentSession()
    room = AgentRoom()
    if connected:
        room.connect()
    before = handler_count(agent)
    forwarder = StateForwarder(agent_session=agent, room=room.as_room(), avatar_identity=IDENTITY)
    forwarder.start()
    try:
        yield agent, room
    finally:
        await forwarder.aclose()
        assert room.handler_count() == 0
        assert handler_count(agent) == before


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_avatar_that_appears_is_told_how_things_stand() -> None:
    async with forwarding() as (_, room):
        await settle()
        avatar = room.join(IDENTITY, methods=LISTENING)
        await settle()
        assert avatar.calls == AT_FIRST


async def test_an_avatar_that_is_there_already_is_told_at_once() -> None:
    agent: AgentSession[Any] = AgentSession()
    room = AgentRoom()
    room.connect()
    avatar = room.join(IDENTITY, methods=LISTENING)
    forwarder = StateForwarder(agent_session=agent, room=room.as_room(), avatar_identity=IDENTITY)
    forwarder.start()
    await settle()
    assert avatar.calls == AT_FIRST
    await forwarder.aclose()


async def test_changes_go_out_as_bare_words_in_their_order() -> None:
    async with forwarding() as (agent, room):
        avatar = room.join(IDENTITY, methods=LISTENING)
        await settle()
        avatar.calls.clear()
        agent._update_user_state("speaking")
        await settle()
        agent._update_user_state("listening")
        agent._update_agent_state("thinking")
        await settle()
        agent._update_agent_state("speaking")
        await settle()
        assert avatar.calls == [
            ("user_state_changed", "speaking"),
            ("user_state_changed", "listening"),
            ("agent_state_changed", "thinking"),
            ("agent_state_changed", "speaking"),
        ]


async def test_only_the_newest_state_waits_for_an_avatar_that_is_not_there() -> None:
    async with forwarding(connected=False) as (agent, room):
        for state in ("listening", "thinking", "speaking", "listening"):
            agent._update_agent_state(state)
            await settle()
        room.connect()
        await settle()
        avatar = room.join(IDENTITY, methods=LISTENING)
        await settle()
        assert sorted(avatar.calls) == [
            ("agent_state_changed", "listening"),
            ("user_state_changed", "listening"),
        ]


async def test_an_avatar_that_returns_is_told_again() -> None:
    async with forwarding() as (_, room):
        room.join(IDENTITY, methods=LISTENING)
        await settle()
        room.leave(IDENTITY)
        again = room.join(IDENTITY, methods=LISTENING)
        await settle()
        assert again.calls == AT_FIRST


async def test_nobody_else_is_told() -> None:
    async with forwarding() as (agent, room):
        other: Peer = room.join("avatar-other", methods=LISTENING)
        agent._update_agent_state("thinking")
        await settle()
        assert other.calls == []


async def test_an_avatar_that_does_not_listen_costs_a_debug_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "livekit.plugins.avaluma")
    async with forwarding() as (agent, room):
        avatar = room.join(IDENTITY)
        await settle()
        agent._update_agent_state("thinking")
        await settle()
        assert avatar.calls[-1] == ("agent_state_changed", "thinking")
    lines = [r for r in caplog.records if r.name == "livekit.plugins.avaluma"]
    assert {(r.levelname, r.getMessage()) for r in lines} == {
        ("DEBUG", "the avatar was not told a state")
    }
    assert vars(lines[0])["code"] == 1400


class Ears:
    """What a session listens to."""

    def __init__(self, caller: str | None) -> None:
        self.linked_participant = None
        if caller is not None:
            standard = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
            self.linked_participant = SimpleNamespace(sid="PA_1", identity=caller, kind=standard)


async def test_the_caller_is_told_once_and_again_to_an_avatar_that_returns() -> None:
    methods = {**LISTENING, "avaluma.caller": lambda _: "ok"}
    async with forwarding() as (agent, room):
        avatar = room.join(IDENTITY, methods=methods)
        await settle()
        agent._room_io = cast(Any, Ears(None))
        agent._update_user_state("speaking")
        await settle()
        assert avatar.calls == [*AT_FIRST, ("user_state_changed", "speaking")]
        agent._room_io = cast(Any, Ears("caller-1"))
        for word in ("listening", "speaking", "listening"):
            agent._update_user_state(word)
            await settle()
        assert [call for call in avatar.calls if call[0] == "avaluma.caller"] == [
            ("avaluma.caller", "caller-1")
        ]
        room.leave(IDENTITY)
        back = room.join(IDENTITY, methods=methods)
        await settle()
        assert ("avaluma.caller", "caller-1") in back.calls


async def test_an_avatar_that_does_not_listen_costs_one_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with forwarding() as (agent, room):
        avatar = room.join(IDENTITY, methods=LISTENING)
        agent._room_io = cast(Any, Ears("caller-1"))
        for word in ("speaking", "listening", "speaking"):
            agent._update_user_state(word)
            await settle()
        assert [call[0] for call in avatar.calls].count("avaluma.caller") == 1
        assert ("user_state_changed", "speaking") in avatar.calls
    assert not [r for r in caplog.records if r.levelno > logging.INFO]
