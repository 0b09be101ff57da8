"""Pictures that follow the clock: ordered one at a time, shown on the beat of the frame rate. Pure."""

from __future__ import annotations

from avatar_worker.clock import Ticks, ms
from avatar_worker.engine import PictureOrder
from avatar_worker.face import Activity
from avatar_worker.frames import VideoFrame

EARLY = ms(2)
"""A picture this close to its time is shown now: timers are no better."""


class IdleBeat:
    """One picture between its order and its moment, and when the next is due."""

    def __init__(self, frame: Ticks) -> None:
        self._frame = frame
        self._due = Ticks(0)
        self._drawn: VideoFrame | None = None
        self._ordered = False

    @property
    def due(self) -> Ticks | None:
        """When the picture that is drawn wants to be shown; None if none is."""
        return self._due if self._drawn is not None else None

    def restart(self, now: Ticks) -> None:
        """Forget what was ordered; the next picture is due now."""
        self._due = now
        self._drawn = None
        self._ordered = False

    def postpone(self, now: Ticks) -> None:
        """Another picture has been shown: this one's turn is a frame later."""
        self._due = Ticks(now + self._frame)
        self._drawn = None

    def drawn(self, frame: VideoFrame | None) -> None:
        """Take the order's answer; None if it came too late to be drawn."""
        self._ordered = False
        self._drawn = frame

    def show(self, now: Ticks) -> VideoFrame | None:
        """Return the picture whose moment has come."""
        if self._drawn is None or now < self._due - EARLY:
            return None
        frame, self._drawn = self._drawn, None
        # Keep the beat, unless a whole picture was missed.
        on_beat = now - self._due < self._frame
        self._due = Ticks((self._due if on_beat else now) + self._frame)
        return frame

    def order(
        self, now: Ticks, activity: Activity, generation: int
    ) -> tuple[PictureOrder, Ticks] | None:
        """Return an order with its deadline, unless one picture is under way."""
        if self._drawn is not None or self._ordered:
            return None
        self._ordered = True
        due = Ticks(max(now, self._due))
        order = PictureOrder(pts=due, speaking=False, activity=activity, generation=generation)
        return order, Ticks(due + 2 * self._frame)
