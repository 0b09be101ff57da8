"""What senders are told about their segments."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_worker.clock import Ticks


@dataclass(frozen=True, slots=True)
class Started:
    """The first sample of a segment has been heard."""

    segment_id: int
    sender: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A segment is over.

    Attributes:
        position: How much of it was heard.
        interrupted: A clear or the session's end cut it short.
    """

    segment_id: int
    sender: str
    position: Ticks
    interrupted: bool
