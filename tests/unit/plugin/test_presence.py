from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from fakes.agent_room import AgentRoom, Peer
from livekit import rtc
from livekit.plugins.avaluma.presence import (
    MISSES,
    PING_INTERVAL,
    PING_TIMEOUT,
    RPC_PING,
    AvatarPresence,
)

AVATAR = "avatar-demo"


@dataclass
class Watched:
    room: AgentRoom
    avatar: Peer
    seen: list[str] = field(default_factory=list)
    reasons: list[int | None] = field(default_factory=list)

    def left(self, reason: int | None) -> None:
        self.seen.append("left")
        self.reasons.append(reason)

    async def until(self, *expected: str) -> None:
        await until(lambda: self.seen == list(expected))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watched(*, pings: bool = True, here: bool = True) -> AsyncIterator[Watched]:
    room = AgentRoom()
    room.connect()
    methods = {RPC_PING: lambda call: "ok"} if pings else {}
    avatar = room.join(AVATAR, methods=methods) if here else Peer(AVATAR)
    it = Watched(room, avatar)
    presence = AvatarPresence(
        room.as_room(),
        avatar_identity=AVATAR,
        on_left=it.left,
        on_returned=lambda: it.seen.append("returned"),
        ping_interval=0.02,
        ping_timeout=0.03,
        reconnect_grace=0.25,
        comes_within=0.2,
    )
    presence.start()
    try:
        yield it
    finally:
        await presence.aclose()
        assert room.handler_count() == 0


def test_silence_is_noticed_within_ten_seconds() -> None:
    assert PING_INTERVAL + MISSES * PING_TIMEOUT < 10


async def test_an_avatar_that_answers_is_there() -> None:
    async with watched() as it:
        await until(lambda: len(it.avatar.calls) >= 5)
        assert it.seen == []
        assert set(it.avatar.calls) == {(RPC_PING, "")}


async def test_an_avatar_that_knows_no_ping_is_there_all_the_same() -> None:
    async with watched(pings=False) as it:
        await until(lambda: len(it.avatar.calls) >= 5)
        assert it.seen == []


async def test_a_dead_avatar_is_lost_once_with_one_warning_and_found_when_it_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "livekit.plugins.avaluma"):
        async with watched() as it:
            it.avatar.dead = True
            await it.until("left")
            asked = len(it.avatar.calls)
            await until(lambda: len(it.avatar.calls) >= asked + 3)
            assert it.seen == ["left"]
            it.avatar.dead = False
            await it.until("left", "returned")
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the avatar left the room"
    ]


async def test_a_dead_avatar_that_livekit_removes_at_last_is_not_lost_twice() -> None:
    async with watched() as it:
        it.avatar.dead = True
        await it.until("left")
        it.room.leave(AVATAR)
        await asyncio.sleep(0.1)
        assert it.seen == ["left"]
        it.room.join(AVATAR)
        await it.until("left", "returned")


async def test_the_silence_of_a_predecessor_is_not_held_against_a_new_avatar() -> None:
    async with watched() as it:
        it.avatar.dead = True
        await it.until("left")
        asked = len(it.avatar.calls)
        await until(lambda: len(it.avatar.calls) >= asked + MISSES)
        it.room.leave(AVATAR, reason=0)
        it.room.join(AVATAR, methods={RPC_PING: lambda call: "ok"})
        await it.until("left", "returned")
        await asyncio.sleep(0.2)
        assert it.seen == ["left", "returned"]


async def test_one_missed_answer_is_no_loss() -> None:
    async with watched() as it:
        it.avatar.dead = True
        await until(lambda: bool(it.avatar.calls))
        it.avatar.dead = False
        await until(lambda: len(it.avatar.calls) >= 5)
        assert it.seen == []


async def test_a_reconnect_is_neither_a_leave_nor_a_return() -> None:
    async with watched() as it:
        it.room.leave(AVATAR, reason=0)
        await asyncio.sleep(0.01)
        it.room.join(AVATAR)
        await asyncio.sleep(0.4)
        assert it.seen == []


async def test_it_can_be_closed_at_the_very_moment_of_an_answer() -> None:
    room = AgentRoom()
    room.connect()
    room.join(AVATAR, methods={RPC_PING: lambda call: "ok"})
    for turns in range(100):
        presence = AvatarPresence(
            room.as_room(),
            avatar_identity=AVATAR,
            on_left=lambda reason: None,
            on_returned=lambda: None,
            ping_interval=0.0,
        )
        presence.start()
        for _ in range(1 + turns % 10):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await presence.aclose()


async def test_who_vanishes_without_a_reason_and_stays_away_is_lost() -> None:
    async with watched() as it:
        began = time.monotonic()
        it.room.leave(AVATAR, reason=0)
        assert it.seen == []
        await it.until("left")
        assert time.monotonic() - began >= 0.2


async def test_livekit_s_reason_is_passed_on() -> None:
    async with watched() as it:
        it.room.leave(AVATAR, reason=rtc.DisconnectReason.PARTICIPANT_REMOVED)
        await it.until("left")
        assert it.reasons == [rtc.DisconnectReason.PARTICIPANT_REMOVED]


async def test_an_avatar_that_never_comes_is_lost_and_found_when_it_comes_late() -> None:
    async with watched(here=False) as it:
        await it.until("left")
        await asyncio.sleep(0.3)
        assert it.seen == ["left"]
        it.room.join(AVATAR, methods={RPC_PING: lambda call: "ok"})
        await it.until("left", "returned")


async def test_an_avatar_is_not_waited_for_before_the_agent_itself_is_in_the_room() -> None:
    async with watched(here=False) as it:
        it.room.disconnect()
        await asyncio.sleep(0.4)
        assert it.seen == []
        it.room.connect()
        await it.until("left")


async def test_nobody_is_lost_while_the_agent_itself_is_cut_off() -> None:
    async with watched() as it:
        it.avatar.dead = True
        it.room.disconnect()
        await asyncio.sleep(0.2)
        assert it.seen == []
