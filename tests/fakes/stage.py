"""A room and an engine in virtual time: the conductor's whole world, moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import Ticks, ms
from avatar_worker.engine import PictureOrder
from avatar_worker.frames import VideoFrame
from avatar_worker.session.conductor import Conductor

QUEUE = ms(60)
STEP = ms(1)


@dataclass
class Shown:
    """A picture that the viewer saw.

    Attributes:
        at: When.
        heard: How much speech had been heard by then.
        order: What it was drawn from.
    """

    at: int
    heard: int
    order: PictureOrder


@dataclass
class Stage:
    """Runs a conductor against a sound queue and an engine with a settable delay."""

    render: Callable[[int], int] = lambda number: ms(8)
    lag: int = 0
    now: int = 0
    queue: int = 0
    sound: list[tuple[int, np.ndarray]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    facts: list[tuple[int, Started | Finished]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conductor = Conductor(
            frame=ms(40), look_ahead=ms(80), capacity=ms(600_000), lag=Ticks(self.lag)
        )
        self._drawing: list[tuple[int, PictureOrder]] = []
        self._orders: dict[int, PictureOrder] = {}
        self._number = 0
        self._wake = 0

    def say(self, sender: str, duration: int, *, end: bool = True, value: int = 1) -> int:
        """Send a segment in one burst."""
        segment = self.conductor.playout.begin(sender, sample_rate=16_000, channels=1)
        self.send(segment, duration, value=value)
        if end:
            self.conductor.playout.end(segment)
        return segment

    def send(self, segment: int, duration: int, *, value: int = 1) -> None:
        """Send more of a segment; `duration` in ticks."""
        data = np.full(duration // 3, value, np.int16).tobytes()
        assert self.conductor.playout.receive(segment, data)
        self._wake = 0

    def clear(self, sender: str) -> None:
        """Barge in."""
        heard = self.conductor.playout.pushed - self.queue
        self.queue = 0
        self._take(self.conductor.clear(sender, Ticks(self.now), heard))
        self._drawing.clear()
        self._wake = 0

    def vanish(self, sender: str) -> None:
        """Leave the room: as `Session.forget`, nobody is told."""
        heard = self.conductor.playout.pushed - self.queue
        self.queue = 0
        self.conductor.release(sender)
        facts = self.conductor.clear(sender, Ticks(self.now), heard)
        self._take([fact for fact in facts if fact.sender != sender])
        self._drawing.clear()
        self._wake = 0

    def hold(self, sender: str) -> None:
        """Pause somebody's speech."""
        heard = self.conductor.playout.pushed - self.queue
        facts, taken_back = self.conductor.hold(sender, Ticks(self.now), heard)
        if taken_back:
            self.queue = 0
            self._drawing.clear()
        self._take(facts)
        self._wake = 0

    def release(self, sender: str) -> None:
        """Go on with it."""
        self.conductor.release(sender)
        self._wake = 0

    def run(self, duration: int) -> None:
        """Let time pass, from event to event."""
        until = self.now + duration
        while self.now < until:
            self._finish_pictures()
            if self.now >= self._wake:
                self._step()
            self._play()
            self._pass(self._next_event(until) - self.now)

    def _next_event(self, until: int) -> int:
        times = [until, self._wake, *(at for at, _ in self._drawing)]
        if self.conductor.sounding:
            times.append(self.now + self.queue - QUEUE)  # the queue has room again
        return min(until, max(self.now + STEP, min(times)))

    def _pass(self, span: int) -> None:
        self.now += span
        self.queue = max(0, self.queue - span)

    def _step(self) -> None:
        step = self.conductor.step(Ticks(self.now), Ticks(self.queue))
        if step.show is not None:
            heard = self.conductor.playout.pushed - self.queue
            order = self._orders[int.from_bytes(step.show.data[:4].tobytes(), "little")]
            self.shown.append(Shown(self.now, heard, order))
        for order, _ in step.orders:
            assert len(order.analysis) % 640 == 0, "the net takes whole steps only"
            self._number += 1
            self._drawing.append((self.now + self.render(self._number), order))
        self._take(step.reports)
        self._wake = step.wake_at

    def _finish_pictures(self) -> None:
        done = [(at, order) for at, order in self._drawing if at <= self.now]
        self._drawing = [(at, order) for at, order in self._drawing if at > self.now]
        for _, order in done:
            number = len(self._orders)
            self._orders[number] = order
            data = np.zeros(6, np.uint8)
            data[:4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
            self.conductor.picture(order, VideoFrame(order.pts, 2, 2, data))
            self._wake = 0

    def _play(self) -> None:
        while self.queue <= QUEUE:
            pcm = self.conductor.sound()
            if pcm is None:
                return
            self.sound.append((self.now + self.queue, pcm))
            self.queue += len(pcm)
            self._wake = 0

    def _take(self, facts: list[Started | Finished]) -> None:
        self.facts += [(self.now, fact) for fact in facts]

    @property
    def finished(self) -> list[Finished]:
        """Every end that was reported."""
        return [fact for _, fact in self.facts if isinstance(fact, Finished)]
