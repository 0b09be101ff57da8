"""Cues that wait for a place in the speech. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from avatar_worker.clock import Ticks
from avatar_worker.face import Cue

MOST_CUES: Final = 256
"""Cues that one segment may have; more are not taken."""


@dataclass(order=True, slots=True)
class _Timed:
    at: Ticks
    cue: Cue = field(compare=False)
    given: bool = field(default=False, compare=False)


class TimedCues:
    """Each cue is given once, with the first picture at or behind its place.

    What is said again after somebody else's interruption gives its cues again.
    """

    def __init__(self) -> None:
        self._cues: dict[int, list[_Timed]] = {}

    def put(self, segment_id: int, at: Ticks, cue: Cue) -> bool:
        """Let a cue wait; False if its segment has too many. Equal places keep their order."""
        waiting = self._cues.setdefault(segment_id, [])
        if len(waiting) >= MOST_CUES:
            return False
        insort(waiting, _Timed(at, cue))
        return True

    def due(self, segment_id: int, position: Ticks) -> tuple[Cue, ...]:
        """Return what the picture at `position` of a segment is to follow."""
        found = [
            timed
            for timed in self._cues.get(segment_id, ())
            if timed.at <= position and not timed.given
        ]
        for timed in found:
            timed.given = True
        return tuple(timed.cue for timed in found)

    def rewind(self, played: Mapping[int, Ticks]) -> None:
        """Pictures that were ordered ahead will not be shown.

        Args:
            played: How much of each unfinished segment was heard; all others are over.
        """
        self._cues = {number: cues for number, cues in self._cues.items() if number in played}
        for number, cues in self._cues.items():
            for timed in cues:
                timed.given = timed.given and timed.at < played[number]

    def forget(self, segment_id: int) -> None:
        """A segment is over."""
        self._cues.pop(segment_id, None)
