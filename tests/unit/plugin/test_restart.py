from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from livekit.agents import APIConnectionError
from livekit.plugins.avaluma import AvatarDispatchError, AvatarServerError
from livekit.plugins.avaluma.restart import AvatarRestart

BUSY = AvatarServerError("busy", status_code=503, code="AT_CAPACITY")
UNKNOWN = AvatarServerError("unknown", status_code=404, code="AVATAR_NOT_FOUND")


@dataclass
class World:
    """Where avatars are started; `script` says what each try brings."""

    script: list[Exception | None]
    starts: int = 0
    cancelled: int = 0
    failed: list[Exception] = field(default_factory=list)
    hold: bool = False
    restart: AvatarRestart = field(init=False)

    async def start(self) -> None:
        self.starts += 1
        if self.hold:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def world(
    *script: Exception | None, comes_within: float = 5.0, **options: float
) -> AsyncIterator[World]:
    it = World(list(script))
    it.restart = AvatarRestart(
        it.start,
        on_failed=it.failed.append,
        first_pause=options.get("first_pause", 0.01),
        longest_pause=max(0.04, options.get("first_pause", 0.01)),
        comes_within=comes_within,
        healthy_after=options.get("healthy_after", 60.0),
    )
    try:
        yield it
    finally:
        await it.restart.aclose()
        await it.restart.aclose()
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("avaluma.")]


async def test_a_lost_avatar_is_started_again_at_once_and_once() -> None:
    async with world() as it:
        it.restart.lost()
        it.restart.lost()
        await it.until(lambda: it.starts == 1)
        it.restart.found()
        await asyncio.sleep(0.1)
        assert it.starts == 1
        assert it.failed == []


async def test_errors_that_pass_are_outlasted() -> None:
    script = [APIConnectionError("down"), AvatarDispatchError("none", agent_name="a"), BUSY, None]
    async with world(*script) as it:
        it.restart.lost()
        await it.until(lambda: it.starts == 4)
        it.restart.found()
        assert it.failed == []


async def test_an_error_that_will_not_get_better_ends_the_tries_and_is_told() -> None:
    async with world(BUSY, UNKNOWN) as it:
        it.restart.lost()
        await it.until(lambda: bool(it.failed))
        await asyncio.sleep(0.1)
        assert it.failed == [UNKNOWN]
        assert it.starts == 2


async def test_a_start_that_brings_nobody_is_tried_again() -> None:
    async with world(comes_within=0.02) as it:
        it.restart.lost()
        await it.until(lambda: it.starts >= 3)


async def test_an_avatar_that_was_only_away_is_not_replaced_twice() -> None:
    async with world(APIConnectionError("down"), first_pause=10.0) as it:
        it.restart.lost()
        await it.until(lambda: it.starts == 1)
        it.restart.found()
        await it.until(lambda: it.restart._task is not None and it.restart._task.done())
        assert it.starts == 1


async def test_one_that_is_lost_again_soon_is_given_time_to_come_back() -> None:
    async with world(first_pause=10.0) as it:
        it.restart.lost()
        await it.until(lambda: it.starts == 1)
        it.restart.found()
        await asyncio.sleep(0.01)
        it.restart.lost()
        await asyncio.sleep(0.1)
        assert it.starts == 1


async def test_one_that_is_lost_after_a_long_life_is_replaced_at_once() -> None:
    async with world(first_pause=10.0, healthy_after=0.0) as it:
        for life in range(1, 4):
            it.restart.lost()
            await it.until(lambda life=life: it.starts == life)  # type: ignore[misc]
            it.restart.found()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("hold", [True, False])
async def test_closing_ends_the_tries_and_a_start_that_is_under_way(hold: bool) -> None:
    async with world(*[BUSY] * 50) as it:
        it.hold = hold
        it.restart.lost()
        await it.until(lambda: it.starts >= 1)
        await it.restart.aclose()
        tries = it.starts
        await asyncio.sleep(0.1)
        assert it.starts == tries
        assert it.cancelled == int(hold)
