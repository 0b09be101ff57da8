"""A session's place at the engine: what the engine's thread says arrives on the session's loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from avatar_worker.clock import MonotonicClock, Ticks, ms
from avatar_worker.engine import Engine, PictureOrder
from avatar_worker.errors import AvatarWorkerError, DeviceError, PictureError
from avatar_worker.face import Gesture
from avatar_worker.frames import VideoFrame
from avatar_worker.session.sitting import Sitting
from fakes.avatars import tiny_avatar
from fakes.faults import FaultyPipeline
from fakes.sitter import draw_together, sit

CLOCK = MonotonicClock()
PATIENCE = 10.0


@dataclass
class Listener:
    """Keeps what it is told, and that it is told on its own thread."""

    pictures: list[VideoFrame | None] = field(default_factory=list)
    failures: list[AvatarWorkerError] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    thread: int = field(default_factory=threading.get_ident)

    def picture(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        assert threading.get_ident() == self.thread
        self.pictures.append(frame)
        self.news.set()

    def failure(self, error: PictureError | DeviceError) -> None:
        assert threading.get_ident() == self.thread
        self.failures.append(error)
        self.news.set()

    async def hear(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.news.wait()
        self.news.clear()


@pytest.fixture
def pipeline() -> FaultyPipeline:
    return FaultyPipeline()


@pytest.fixture
def engine(pipeline: FaultyPipeline) -> Iterator[Engine]:
    engine = Engine(pipeline)
    yield engine
    engine.close()


def sitting_of(engine: Engine, listener: Listener) -> Sitting:
    return Sitting(engine, CLOCK, on_picture=listener.picture, on_failure=listener.failure)


def order(sitting: Sitting) -> None:
    soon = Ticks(CLOCK.now() + ms(5_000))
    sitting.submit(PictureOrder(pts=CLOCK.now(), speaking=False), deadline=soon)


async def test_the_first_picture_is_returned_and_the_others_are_told(engine: Engine) -> None:
    listener = Listener()
    sitting = sitting_of(engine, listener)
    first = await sitting.first_picture(tiny_avatar(), seed=1)
    assert first.width == 64
    assert listener.pictures == []
    order(sitting)
    await listener.hear()
    assert len(listener.pictures) == 1
    assert listener.failures == []
    sitting.close()


@pytest.mark.parametrize(("error", "kind"), [(ValueError(), PictureError), (None, DeviceError)])
async def test_a_failure_is_told_once(
    engine: Engine, pipeline: FaultyPipeline, error: Exception | None, kind: type[Exception]
) -> None:
    listener = Listener()
    sitting = sitting_of(engine, listener)
    await sitting.first_picture(tiny_avatar("sick"), seed=1)
    pipeline.faults.error = error or DeviceError("lost")
    pipeline.faults.sick["sick"] = "rendering"
    order(sitting)
    await listener.hear()
    sitting.express(Gesture("nod"))
    sitting.cancel()
    sitting.close()
    await asyncio.sleep(0)
    assert [type(one) for one in listener.failures] == [kind]
    assert listener.pictures == []


@pytest.mark.parametrize("stage", ["opening", "order", "rendering"])
async def test_a_first_picture_that_fails_is_raised_and_told_nobody_else(
    engine: Engine, pipeline: FaultyPipeline, stage: str
) -> None:
    listener = Listener()
    sitting = sitting_of(engine, listener)
    pipeline.faults.sick["sick"] = stage
    with pytest.raises(PictureError, match=f"{stage} raised FaultError"):
        await sitting.first_picture(tiny_avatar("sick"), seed=1)
    sitting.close()
    assert listener.failures == []
    assert engine.failed is None


async def test_who_has_closed_is_told_nothing_more_and_may_ask(engine: Engine) -> None:
    listener = Listener()
    sitting = sitting_of(engine, listener)
    await sitting.first_picture(tiny_avatar(), seed=1)
    with engine._changed:
        order(sitting)
        order(sitting)
        sitting.close()
    sitting.close()
    order(sitting)
    sitting.express(Gesture("nod"))
    draw_together(engine, *[await asyncio.to_thread(sit, engine)])
    await asyncio.sleep(0)
    assert (listener.pictures, listener.failures) == ([], [])


def test_the_engine_survives_a_loop_that_is_gone(engine: Engine, pipeline: FaultyPipeline) -> None:
    async def leave() -> Sitting:
        sitting = sitting_of(engine, Listener())
        await sitting.first_picture(tiny_avatar("sick"), seed=1)
        return sitting

    with asyncio.Runner() as runner:
        abandoned = runner.run(leave())
    order(abandoned)
    draw_together(engine, sit(engine))
    pipeline.faults.sick["sick"] = "behaviour"
    order(abandoned)
    draw_together(engine, sit(engine))
    assert engine.failed is None


async def test_a_closed_place_frees_whom_it_told(engine: Engine) -> None:
    listener = Listener()
    sitting = sitting_of(engine, listener)
    await sitting.first_picture(tiny_avatar(), seed=1)
    assert sitting.seat is not None
    slot, told = weakref.ref(sitting.seat.slot), weakref.ref(listener)
    gc.collect()
    gc.disable()
    try:
        sitting.close()
        await asyncio.to_thread(sit, engine)
        del listener
        assert (slot(), told()) == (None, None)
    finally:
        gc.enable()
