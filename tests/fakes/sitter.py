"""Somebody at the engine who orders pictures of a voice, and keeps what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.clock import MonotonicClock, Ticks, ms
from avatar_worker.engine import Engine, PictureOrder, Seat
from avatar_worker.errors import AvatarWorkerError
from avatar_worker.frames import VideoFrame

from .avatars import tiny_avatar

CLOCK = MonotonicClock()
PATIENCE = 10.0
HOP = 640


def buzz(hops: int, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Something like a voice, 16 kHz. float32, (640 hops,)."""
    t = np.arange(HOP * hops) / 16_000
    pitch = 110 + 30 * seed
    voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12))
    return np.asarray(0.15 * voice * (1 + np.sin(2 * np.pi * 3 * t)), np.float32)


@dataclass
class Sitter:
    """One seat. What it is told, it is told on the engine's thread.

    Attributes:
        seat: At the engine.
        sound: What it lets its face say: 80 ms with the first picture, then 40 ms each.
        pictures: Every answer, in order.
        ends: What it was told when there were no more.
        answered: Called with each answer, before it is noted.
        ordered: How many pictures.
    """

    sound: npt.NDArray[np.float32]
    pictures: list[VideoFrame | None] = field(default_factory=list)
    ends: list[AvatarWorkerError] = field(default_factory=list)
    answered: Callable[[], None] = lambda: None
    ordered: int = 0

    def __post_init__(self) -> None:
        self.news = threading.Condition()
        self.seat: Seat

    def drawn(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        self.answered()
        with self.news:
            self.pictures.append(frame)
            self.news.notify_all()

    def failed(self, error: AvatarWorkerError) -> None:
        with self.news:
            self.ends.append(error)
            self.news.notify_all()

    def order(self, *, late: bool = False, sound: npt.NDArray[np.float32] | None = None) -> None:
        """Ask for the next picture, of the sound that is its turn, or of another one."""
        first = self.ordered == 0
        at = 0 if first else HOP * (self.ordered + 1)
        order = PictureOrder(
            pts=Ticks(ms(40) * self.ordered),
            speaking=True,
            analysis=self.sound[at : HOP * (self.ordered + 2)] if sound is None else sound,
            restart=first,
        )
        self.ordered += 1
        self.seat.submit(order, deadline=Ticks(CLOCK.now() + (-1 if late else ms(60_000))))

    def wait(self, answers: int) -> list[VideoFrame | None]:
        """Wait until this many orders were answered."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.pictures) >= answers, PATIENCE), self.ends
            return list(self.pictures)

    def end(self) -> AvatarWorkerError:
        """Wait until there are no more pictures, and say what was told."""
        with self.news:
            assert self.news.wait_for(lambda: bool(self.ends), PATIENCE), self.pictures
            return self.ends[0]


def sit(
    engine: Engine, name: str = "ann", *, seed: int = 1, avatar: Avatar | None = None
) -> Sitter:
    """Take a seat with an avatar, or a tiny one of this id."""
    it = Sitter(buzz(32, seed=seed))
    avatar = avatar or tiny_avatar(name)
    it.seat = engine.open(avatar, seed=seed, drawn=it.drawn, failed=it.failed).result(PATIENCE)
    return it


def order_together(engine: Engine, *sitters: Sitter) -> None:
    """Order one picture for each, in one batch."""
    with engine._changed:  # the engine's thread waits for it before it takes a batch
        for sitter in sitters:
            sitter.order()


def draw_together(engine: Engine, *sitters: Sitter) -> None:
    """Let each get its next picture, in one batch."""
    order_together(engine, *sitters)
    for sitter in sitters:
        assert sitter.wait(sitter.ordered)[-1] is not None
