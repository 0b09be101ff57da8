"""What the conductor says: the next step, and its counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import Ticks
from avatar_worker.engine import PictureOrder
from avatar_worker.frames import VideoFrame


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now.

    Attributes:
        reports: Facts for the senders, in order.
        orders: Pictures to order, each with its deadline.
        show: The picture to show now, if any.
        wake_at: When to ask again, unless something happens before.
    """

    reports: list[Started | Finished] = field(default_factory=list)
    orders: list[tuple[PictureOrder, Ticks]] = field(default_factory=list)
    show: VideoFrame | None = None
    wake_at: Ticks = Ticks(0)


@dataclass(slots=True)
class Tally:
    """Counts of one session since it began."""

    shown: int = 0
    late: int = 0
    clears: int = 0
    starved: int = 0
