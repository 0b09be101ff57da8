"""The speech of all senders in one line: who is next, and how far anybody may read."""

from __future__ import annotations

from avatar_worker.clock import Ticks
from avatar_worker.errors import PeerError

from .resample import SpeechDoor
from .segment import Segment

MAX_WAITING_SEGMENTS = 64


class Line:
    """Segments in header order, whoever sent them; bounded in time per sender.

    Nobody reads past a segment that is held, or that is still open and empty: what comes before
    it is played to its end. Segments without a sender are gaps.

    Args:
        capacity: Speech that one sender may have waiting.
    """

    def __init__(self, *, capacity: Ticks) -> None:
        self._capacity = capacity
        self._segments: list[Segment] = []
        self._held: set[str] = set()
        self._next_id = 1

    # -- what arrives ------------------------------------------------------------------------

    def begin(self, sender: str, *, sample_rate: int, channels: int) -> int:
        """Open a segment and return its id. An older open segment of this sender ends here.

        Raises:
            PeerError: If the rate or the channel count is impossible, or too many segments wait.
        """
        for segment in self._segments:
            if segment.sender == sender and not segment.ended:
                self.end(segment.id)
        if sum(s.sender == sender for s in self._segments) >= MAX_WAITING_SEGMENTS:
            raise PeerError(f"more than {MAX_WAITING_SEGMENTS} segments are waiting to be played")
        door = SpeechDoor(sample_rate, channels)
        segment = Segment(self._next_id, sender, door, bytes_per_second=2 * channels * sample_rate)
        self._next_id += 1
        self._segments.append(segment)
        return segment.id

    def receive(self, segment_id: int, data: bytes) -> bool:
        """Append raw bytes to a segment.

        Returns:
            False if they were dropped: the segment was cleared or has ended, or its sender is
            further ahead than the buffer allows (the segment then ends here).
        """
        segment = self._find(segment_id)
        if segment is None or segment.ended:
            return False
        ahead = sum(s.waiting for s in self._segments if s.sender == segment.sender)
        if ahead > self._capacity:
            self.end(segment_id)
            return False
        segment.receive(data)
        return True

    def end(self, segment_id: int) -> None:
        """Mark that nothing more of a segment will come. Unknown ids are cleared ones: ignored."""
        segment = self._find(segment_id)
        if segment is not None:
            segment.ended = True

    def is_open(self, segment_id: int) -> bool:
        """Whether the segment still takes bytes."""
        segment = self._find(segment_id)
        return segment is not None and not segment.ended

    def unfinished(self) -> dict[int, Ticks]:
        """Return how much was heard of every segment that is not over, by its id."""
        return {s.id: Ticks(s.played) for s in self._segments if s.sender}

    @property
    def empty(self) -> bool:
        """Whether no segment is unfinished."""
        return not any(s.sender for s in self._segments)

    def _find(self, segment_id: int) -> Segment | None:
        return next((s for s in self._segments if s.id == segment_id), None)

    # -- what may be read --------------------------------------------------------------------

    def release(self, sender: str) -> None:
        """Let a held sender's speech be played again."""
        self._held.discard(sender)

    def is_held(self, segment_id: int) -> bool:
        """Whether a segment waits for its sender's release."""
        segment = self._find(segment_id)
        return segment is not None and segment.sender in self._held

    def _barrier(self) -> int:
        """The index of the first segment that nobody may read yet."""
        for index, segment in enumerate(self._segments):
            nothing_yet = not segment.ended and not segment.length and not segment.waiting
            if segment.sender in self._held or nothing_yet:
                return index
        return len(self._segments)

    def _audible(self) -> list[Segment]:
        """What may be played now, without the gap behind its last word."""
        readable = self._segments[: self._barrier()]
        last = max((i for i, s in enumerate(readable) if s.sender), default=-1)
        return readable[: last + 1]
