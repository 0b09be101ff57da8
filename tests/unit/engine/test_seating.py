"""Seats that are taken back while they are made: the engine goes on, and no slot is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from avatar_worker.avatars import Avatar
from avatar_worker.clock import MonotonicClock, Ticks, ms
from avatar_worker.engine import Engine, PictureOrder, Pipeline, Seat, take_seat
from avatar_worker.engine.pipeline import Slot
from avatar_worker.errors import AvatarError, DeviceError
from avatar_worker.features import Audio2Face
from avatar_worker.frames import VideoFrame
from fakes.avatars import tiny_avatar
from fakes.plain_renderer import PlainRenderer

PATIENCE = 10.0


class SlowPipeline(Pipeline):
    """Makes slots only when it is let.

    Attributes:
        begun: Set while a slot is being made.
        let: Clear it to hold the next ones up.
        slots: How many are open.
    """

    def __init__(self) -> None:
        super().__init__(PlainRenderer(), Audio2Face())
        self.begun, self.let = threading.Event(), threading.Event()
        self.let.set()
        self.slots = 0

    def open(self, avatar: Avatar, *, seed: int) -> Slot:
        self.begun.set()
        assert self.let.wait(PATIENCE)
        if seed < 0:
            raise AvatarError("this one cannot be drawn")
        self.slots += 1
        return super().open(avatar, seed=seed)

    def close(self, slot: Slot) -> None:
        self.slots -= 1
        super().close(slot)


@pytest.fixture
def pipeline() -> SlowPipeline:
    return SlowPipeline()


@pytest.fixture
def engine(pipeline: SlowPipeline) -> Iterator[Engine]:
    engine = Engine(pipeline)
    yield engine
    pipeline.let.set()
    engine.close()


def nobody(order: PictureOrder, frame: VideoFrame | None) -> None:
    """Nobody waits for these pictures."""


async def seat_of(engine: Engine, seed: int = 1) -> Seat:
    return await take_seat(engine, tiny_avatar(), seed=seed, drawn=nobody)


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE)


async def assert_it_draws(engine: Engine) -> None:
    drawn = threading.Event()

    def seen(order: PictureOrder, frame: VideoFrame | None) -> None:
        drawn.set()

    seat = await take_seat(engine, tiny_avatar(), seed=2, drawn=seen)
    deadline = Ticks(MonotonicClock().now() + ms(5_000))
    seat.submit(PictureOrder(pts=Ticks(0), speaking=False), deadline=deadline)
    await until(drawn)
    seat.close()
    assert engine.failed is None


async def settled(engine: Engine, pipeline: SlowPipeline) -> int:
    """How many slots are open when the engine has done all it was asked."""
    (await seat_of(engine)).close()
    last = await seat_of(engine)
    slots = pipeline.slots - 1
    last.close()
    return slots


async def test_a_seat_taken_back_before_its_turn_is_never_made(
    engine: Engine, pipeline: SlowPipeline
) -> None:
    pipeline.let.clear()
    first = asyncio.ensure_future(seat_of(engine))
    await until(pipeline.begun)
    waiting = asyncio.ensure_future(seat_of(engine))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    pipeline.let.set()
    (await first).close()
    assert await settled(engine, pipeline) == 0
    await assert_it_draws(engine)


async def test_a_seat_taken_back_while_it_is_made_is_given_back(
    engine: Engine, pipeline: SlowPipeline
) -> None:
    pipeline.let.clear()
    taking = asyncio.ensure_future(seat_of(engine))
    await until(pipeline.begun)
    taking.cancel()
    await asyncio.wait({taking})
    assert taking.cancelled()
    pipeline.let.set()
    assert await settled(engine, pipeline) == 0
    await assert_it_draws(engine)


async def test_a_seat_taken_back_when_it_is_made_is_given_back(
    engine: Engine, pipeline: SlowPipeline
) -> None:
    taking = asyncio.ensure_future(seat_of(engine))
    await asyncio.sleep(0)
    opened = threading.Event()
    engine.open(tiny_avatar(), seed=3, drawn=nobody).add_done_callback(lambda _: opened.set())
    assert opened.wait(PATIENCE), "the loop must not hear of the seat before it is cancelled"
    taking.cancel()
    await asyncio.wait({taking})
    assert taking.cancelled()
    assert await settled(engine, pipeline) == 1, "only the one that nobody took back"
    await assert_it_draws(engine)


async def test_an_avatar_that_cannot_be_drawn_is_nobodys_when_taken_back(
    engine: Engine, pipeline: SlowPipeline
) -> None:
    pipeline.let.clear()
    taking = asyncio.ensure_future(seat_of(engine, seed=-1))
    await until(pipeline.begun)
    taking.cancel()
    await asyncio.wait({taking})
    pipeline.let.set()
    await assert_it_draws(engine)


async def test_what_keeps_a_seat_from_being_made_is_raised(engine: Engine) -> None:
    with pytest.raises(AvatarError, match="cannot be drawn"):
        await seat_of(engine, seed=-1)
    await assert_it_draws(engine)
    engine.close()
    with pytest.raises(DeviceError):
        await seat_of(engine)
