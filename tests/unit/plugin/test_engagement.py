"""The avatar on the other side, and those that take its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from livekit.agents import APIConnectionError
from livekit.plugins.avaluma import engagement as module
from livekit.plugins.avaluma.api import StartReply
from livekit.plugins.avaluma.engagement import AvatarEngagement
from livekit.plugins.avaluma.errors import AvatarServerError


@dataclass
class Door:
    """Notes what is asked of it, beside what other doors are asked."""

    number: int
    asked: list[str]
    failure: BaseException | None = None
    stops: Callable[[], asyncio.Event] | None = None

    async def start(self) -> StartReply:
        self.asked.append(f"start {self.number}")
        if self.failure is not None:
            raise self.failure
        return StartReply(sample_rate=24_000 + self.number)

    async def stop(self) -> None:
        self.asked.append(f"stop {self.number}")
        if self.stops is not None:
            await self.stops().wait()


@dataclass
class House:
    """Opens a new door each time."""

    asked: list[str] = field(default_factory=list)
    failure: BaseException | None = None
    stops: Callable[[], asyncio.Event] | None = None
    doors: int = 0

    def open(self) -> Door:
        self.doors += 1
        return Door(self.doors, self.asked, self.failure, self.stops)


async def test_what_the_avatar_can_do_is_known_once_it_was_started() -> None:
    house = House()
    it = AvatarEngagement(house.open)
    assert (it.reply, it.may_be_there, it.door) == (StartReply(), False, "Door")
    await it.start()
    assert it.reply.sample_rate == 24_001
    assert it.may_be_there
    await it.stop()
    assert house.asked == ["start 1", "stop 1"]


async def test_after_a_refusal_no_avatar_of_ours_is_there() -> None:
    refused = AvatarServerError("no", status_code=404, code="AVATAR_NOT_FOUND")
    it = AvatarEngagement(House(failure=refused).open)
    with pytest.raises(AvatarServerError):
        await it.start()
    assert not it.may_be_there


@pytest.mark.parametrize("lost", [APIConnectionError(), asyncio.CancelledError()])
async def test_an_answer_that_was_lost_may_have_left_an_avatar(lost: BaseException) -> None:
    it = AvatarEngagement(House(failure=lost).open)
    with pytest.raises(type(lost)):
        await it.start()
    assert it.may_be_there


async def test_the_lost_one_is_stopped_before_its_successor_is_asked_for() -> None:
    house = House()
    it = AvatarEngagement(house.open)
    await it.start()
    await it.start_again()
    assert house.asked == ["start 1", "stop 1", "start 2"]
    assert it.reply.sample_rate == 24_002
    await it.stop()
    assert house.asked[-1] == "stop 2"


async def test_a_server_that_does_not_stop_the_lost_one_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STOP_LOST_WITHIN", 0.01)
    never = asyncio.Event()
    house = House(stops=lambda: never)
    it = AvatarEngagement(house.open)
    await it.start_again()
    assert house.asked == ["stop 1", "start 2"]
