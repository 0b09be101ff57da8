"""The second door while LiveKit is not there: it knocks for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from avatar_worker.clock import MonotonicClock
from avatar_worker.engine import Engine
from avatar_worker.room.dispatch import DispatchDoor, DispatchOptions
from avatar_worker.room.door import Reservation
from avatar_worker.room.room_session import RoomOptions
from fakes.avatars import tiny_avatar

CALLS = 80
"""More than LiveKit's own 16 tries make; each may call twice."""


@pytest.fixture
async def busy_signal() -> AsyncIterator[tuple[str, list[None]]]:
    """A server that hangs up on everybody: its URL, and a mark for each call."""
    calls = list[None]()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(None)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sleeps between two tries sleeps a thousandth of it."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def short(delay: float, *_: object) -> None:
        await sleep(delay / 1000)

    monkeypatch.setattr(asyncio, "sleep", short)


class Empty:
    """A worker with a place that nobody asks for."""

    def load(self) -> float:
        return 0.0

    def reserve(self, avatar_id: str) -> Reservation:
        raise AssertionError("nobody starts anything here")


def door(url: str, engine: Engine) -> DispatchDoor:
    return DispatchDoor(
        DispatchOptions(
            agent_name="avatars",
            url=url,
            api_key="key",
            api_secret="s" * 32,
            capacity=1,
            default_avatar="demo",
        ),
        open_avatar=lambda _: tiny_avatar(),
        engine=engine,
        clock=MonotonicClock(),
        room_options=RoomOptions(),
    )


@pytest.mark.usefixtures("no_pauses")
async def test_it_does_not_give_up_when_livekits_own_tries_are_used_up(
    busy_signal: tuple[str, list[None]], engine: Engine
) -> None:
    url, calls = busy_signal
    here = door(url, engine)
    serving = asyncio.create_task(here.run(Empty()))
    async with asyncio.timeout(30):
        while len(calls) < CALLS and not serving.done():
            await asyncio.sleep(10)
    assert not serving.done()
    assert here.not_registered() == "not registered with LiveKit"
    await here.aclose()
    await asyncio.wait({serving}, timeout=10_000)
    assert serving.done()


def test_a_door_that_never_opened_is_not_registered(engine: Engine) -> None:
    assert door("ws://127.0.0.1:9", engine).not_registered() == "not registered with LiveKit"
