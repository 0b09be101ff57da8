"""The engine over a GPU: sessions share it, and it ends with it."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar
from tests.fakes.cuda_driver import LOST, CpuAsGpu
from tests.fakes.sitter import draw_together, order_together, sit

from avatar_worker.clock import MonotonicClock, Ticks
from avatar_worker.engine import Engine, PictureOrder, Pipeline, Seat
from avatar_worker.errors import DeviceError, PictureError
from avatar_worker.features import Audio2Face
from avatar_worker.frames import FaceControls, VideoFrame
from avatar_worker.render.cuda import CudaRenderer, Device, Driver
from avatar_worker.render.cuda.renderer import CudaSlot
from avatar_worker.render.shape_weights import Drive, Driver as FaceDriver

pytestmark = pytest.mark.timeout(300)  # the first test compiles the steps

SOON = Ticks(48_000 * 60)


class Album:
    """What a session was told about its orders."""

    def __init__(self) -> None:
        self.pictures: list[VideoFrame | None] = []
        self.more = threading.Semaphore(0)

    def drawn(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        self.pictures.append(frame)
        self.more.release()


def order(seat: Seat, number: int) -> None:
    now = MonotonicClock().now()
    seat.submit(PictureOrder(pts=Ticks(number * 1920), speaking=False), deadline=Ticks(now + SOON))


def engine_on(gpu: CpuAsGpu) -> tuple[Engine, CudaRenderer]:
    # The renderer is made on this thread, and used on the engine's.
    renderer = CudaRenderer(Device(Driver(gpu)))
    return Engine(Pipeline(renderer, Audio2Face()), max_batch=32), renderer


def test_sessions_draw_on_one_gpu_and_leave_it_when_they_end() -> None:
    engine, renderer = engine_on(CpuAsGpu())
    album = Album()
    avatars = [replace(tiny_avatar(seed=i), content_id=f"sha256:{i}") for i in range(3)]
    seats = [engine.open(a, seed=i, drawn=album.drawn).result() for i, a in enumerate(avatars)]
    for number in range(4):
        for seat in seats:
            order(seat, number)
    for _ in range(12):
        album.more.acquire()
    assert all(picture is not None for picture in album.pictures)
    three = renderer.bytes_of_avatars
    for seat in seats[1:]:
        seat.close()
    engine.open(avatars[0], seed=0, drawn=album.drawn).result()
    engine.close()
    assert engine.failed is None
    assert 3 * renderer.bytes_of_avatars == three > 0


def test_a_lost_gpu_ends_the_engine_and_says_why() -> None:
    gpu = CpuAsGpu()
    (engine, _), album = engine_on(gpu), Album()
    seat = engine.open(tiny_avatar(), seed=0, drawn=album.drawn).result()
    order(seat, 0)
    album.more.acquire()
    gpu.fails = ("cuEventSynchronize", LOST)
    order(seat, 1)
    reason = engine.wait_ended()
    assert isinstance(reason, DeviceError)
    assert "cuEventSynchronize" in str(reason)
    with pytest.raises(DeviceError, match="engine has stopped"):
        order(seat, 2)
    assert len(album.pictures) == 1


def test_a_session_that_does_not_fit_fails_alone() -> None:
    gpu = CpuAsGpu()
    (engine, _), album = engine_on(gpu), Album()
    seat = engine.open(tiny_avatar(), seed=0, drawn=album.drawn).result()
    gpu.memory = gpu.taken
    others = [engine.open(tiny_avatar(seed=i), seed=0, drawn=album.drawn) for i in range(1, 40)]
    reasons = [other.exception() for other in others]
    assert isinstance(reasons[-1], DeviceError)
    order(seat, 0)
    album.more.acquire()
    assert album.pictures[0] is not None
    assert engine.failed is None
    engine.close()


class NoFace(FaceDriver):
    """Fails in the middle of a lot, when some of its pictures have been written down already."""

    def drive(self, controls: FaceControls) -> Drive:
        raise ValueError("no such face")


def test_a_session_that_fails_in_the_middle_of_a_lot_costs_the_others_nothing() -> None:
    engine, renderer = engine_on(CpuAsGpu())
    avatars = [replace(tiny_avatar(seed=i), content_id=f"sha256:{i}") for i in range(3)]
    sitters = [sit(engine, avatar=avatar, seed=i) for i, avatar in enumerate(avatars)]
    same = sit(engine, avatar=avatars[2], seed=2)
    draw_together(engine, *sitters, same)
    sick = sitters[1].seat.slot.render
    assert isinstance(sick, CudaSlot)
    sick.resident.driver = NoFace(sick.avatar)
    order_together(engine, *sitters)
    error = sitters[1].end()
    assert isinstance(error, PictureError)
    assert (error.stage, error.raised) == ("rendering", "ValueError")
    draw_together(engine, same)
    disturbed, alone = sitters[2].wait(2)[1], same.wait(2)[1]
    assert disturbed is not None
    assert alone is not None
    np.testing.assert_array_equal(disturbed.data, alone.data)
    assert sitters[0].wait(2)[1] is not None
    before = renderer.bytes_of_avatars
    sitters[1].seat.close()
    draw_together(engine, sitters[0], sitters[2], same)
    assert renderer.bytes_of_avatars < before
    engine.close()
    assert engine.failed is None
