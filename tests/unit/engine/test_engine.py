"""The engine's thread, with the real net and a renderer that draws one fact."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from avatar_worker.clock import MonotonicClock, Ticks, ms
from avatar_worker.engine import Engine, PictureOrder, Pipeline, Seat
from avatar_worker.errors import DeviceError
from avatar_worker.features import Audio2Face
from avatar_worker.frames import VideoFrame
from fakes.avatars import tiny_avatar
from fakes.plain_renderer import PlainRenderer

CLOCK = MonotonicClock()


class Inbox:
    """Collects what the engine answers, from its thread."""

    def __init__(self) -> None:
        self.got: list[tuple[PictureOrder, VideoFrame | None]] = []
        self.news = threading.Condition()

    def __call__(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        with self.news:
            self.got.append((order, frame))
            self.news.notify_all()

    def wait(self, count: int) -> list[tuple[PictureOrder, VideoFrame | None]]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.got) >= count, 10), self.got
            return list(self.got)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(Pipeline(PlainRenderer(), Audio2Face()))
    yield engine
    engine.close()


def take_seat(engine: Engine, inbox: Inbox, seed: int = 1) -> Seat:
    return engine.open(tiny_avatar(), seed=seed, drawn=inbox).result(10)


def soon() -> Ticks:
    return Ticks(CLOCK.now() + ms(5_000))


def order(pts: int, **changes: object) -> PictureOrder:
    return PictureOrder(pts=Ticks(pts), speaking=False, **changes)  # type: ignore[arg-type]


def test_every_order_is_answered_in_time_order(engine: Engine) -> None:
    inbox = Inbox()
    seat = take_seat(engine, inbox)
    for number in range(10):
        seat.submit(order(ms(40 * number)), deadline=Ticks(soon() + number))
    got = inbox.wait(10)
    assert [o.pts for o, _ in got] == [ms(40 * n) for n in range(10)]
    assert all(frame is not None for _, frame in got)


def test_a_picture_that_is_useless_by_now_is_not_drawn(engine: Engine) -> None:
    inbox = Inbox()
    seat = take_seat(engine, inbox)
    seat.submit(order(0), deadline=Ticks(CLOCK.now() - ms(1)))
    assert inbox.wait(1)[0][1] is None


def test_the_speech_of_an_undrawn_picture_is_not_lost_to_the_net(engine: Engine) -> None:
    rng = np.random.default_rng(3)
    speech = (0.3 * rng.standard_normal(640 * 6)).astype(np.float32)
    seen = []
    for late in (None, 2):
        inbox = Inbox()
        seat = take_seat(engine, inbox)
        for number in range(5):
            first = number == 0
            hops = speech[:1280] if first else speech[640 * (number + 1) : 640 * (number + 2)]
            deadline = Ticks(CLOCK.now() - 1) if number == late else soon()
            wanted = PictureOrder(
                pts=Ticks(ms(40 * number)), speaking=True, analysis=hops, restart=first
            )
            seat.submit(wanted, deadline=deadline)
            inbox.wait(number + 1)
        features = seat.slot.features
        assert features is not None
        seen.append(features)
    np.testing.assert_allclose(seen[0].mouth, seen[1].mouth, atol=1e-6)
    assert seen[0].pts == seen[1].pts


def test_cancelled_orders_are_not_answered(engine: Engine) -> None:
    inbox = Inbox()
    busy, seat = take_seat(engine, Inbox()), take_seat(engine, inbox)
    for number in range(200):
        busy.submit(order(number), deadline=Ticks(CLOCK.now() + ms(10)))
        seat.submit(order(number), deadline=soon())
    seat.cancel()
    answered = len(inbox.got)
    time.sleep(0.1)
    assert len(inbox.got) <= answered + 1, "at most the one that was being drawn"


def test_sessions_share_batches(engine: Engine) -> None:
    inboxes = [Inbox() for _ in range(3)]
    seats = [take_seat(engine, inbox, seed) for seed, inbox in enumerate(inboxes)]
    for number in range(20):
        for seat in seats:
            seat.submit(order(ms(40 * number)), deadline=soon())
    for inbox in inboxes:
        assert len(inbox.wait(20)) == 20


def test_each_frame_owns_its_bytes(engine: Engine) -> None:
    inbox = Inbox()
    seat = take_seat(engine, inbox)
    for number in range(2):
        seat.submit(order(ms(40 * number)), deadline=soon())
    first, second = (frame for _, frame in inbox.wait(2))
    assert first is not None
    assert second is not None
    assert not np.shares_memory(first.data, second.data)


def test_a_closed_engine_takes_no_orders(engine: Engine) -> None:
    seat = take_seat(engine, Inbox())
    engine.close()
    with pytest.raises(DeviceError):
        seat.submit(order(0), deadline=soon())
    seat.close()
