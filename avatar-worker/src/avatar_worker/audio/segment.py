"""One utterance between its arrival and its last played sample."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from avatar_worker.clock import TICKS_PER_SECOND, Ticks
from avatar_worker.frames import ANALYSIS_RATE, OUTPUT_RATE

from .resample import SpeechDoor

TICKS_PER_ANALYSIS_SAMPLE = OUTPUT_RATE // ANALYSIS_RATE  # 3
DECODE_AT_ONCE = 9_600
"""Bytes resampled in one go: 200 ms of 24 kHz mono, well under a millisecond of work."""


class Segment:
    """Raw bytes in, two aligned rates out, and how far each reader has come.

    Bytes are resampled only when a reader needs them, so that minutes of speech
    that arrive in a second neither block the event loop nor triple in size.
    Samples are kept until they are played: a clear takes back what was pushed.

    Attributes:
        id: Grows by one per utterance of a session.
        sender: The identity that is told how it ended.
        ended: Nothing more will be received.
        pushed: Ticks handed to the sound track.
        fed: Ticks handed to the voice-to-face net.
        played: Ticks heard.
    """

    def __init__(self, id: int, sender: str, door: SpeechDoor, *, bytes_per_second: int) -> None:
        self.id = id
        self.sender = sender
        self.ended = False
        self.pushed = 0
        self.fed = 0
        self.played = 0
        self._door = door
        self._bytes_per_second = bytes_per_second
        self._raw: deque[bytes] = deque()
        self._raw_bytes = 0
        self._flushed = False
        self._sound = _Window(np.dtype(np.int16))
        self._analysis = _Window(np.dtype(np.float32))

    @property
    def waiting(self) -> Ticks:
        """Speech received and not yet played."""
        raw = self._raw_bytes * TICKS_PER_SECOND // self._bytes_per_second
        return Ticks(raw + self._sound.end - self.played)

    @property
    def complete(self) -> bool:
        """Whether every sample that there will ever be has been resampled."""
        return self._flushed

    @property
    def length(self) -> Ticks:
        """How much has been resampled so far; the whole segment once `complete`."""
        return Ticks(self._sound.end)

    def receive(self, data: bytes) -> None:
        """Append raw bytes, cut anywhere."""
        self._raw.append(data)
        self._raw_bytes += len(data)

    def decode_to(self, position: int) -> None:
        """Resample until `position` ticks are there, or all that was received."""
        while self._sound.end < position and self._raw:
            batch = bytearray()
            while self._raw and len(batch) < DECODE_AT_ONCE:
                batch += self._raw.popleft()
            self._raw_bytes -= len(batch)
            if len(batch) > DECODE_AT_ONCE:
                self._raw.appendleft(bytes(batch[DECODE_AT_ONCE:]))
                self._raw_bytes += len(batch) - DECODE_AT_ONCE
                del batch[DECODE_AT_ONCE:]
            self._keep(*self._door.push(bytes(batch)))
        if self.ended and not self._raw and not self._flushed:
            self._flushed = True
            self._keep(*self._door.finish())

    def _keep(self, pcm: npt.NDArray[np.int16], analysis: npt.NDArray[np.float32]) -> None:
        self._sound.append(pcm)
        self._analysis.append(analysis)

    def take_sound(self, ticks: int) -> npt.NDArray[np.int16]:
        """Return up to `ticks` samples at 48 kHz and move `pushed`."""
        self.decode_to(self.pushed + ticks)
        taken = self._sound.read(self.pushed, ticks)
        self.pushed += len(taken)
        return taken

    def take_analysis(self, samples: int) -> npt.NDArray[np.float32]:
        """Return up to `samples` at 16 kHz and move `fed`."""
        self.decode_to(self.fed + samples * TICKS_PER_ANALYSIS_SAMPLE)
        taken = self._analysis.read(self.fed // TICKS_PER_ANALYSIS_SAMPLE, samples)
        self.fed += len(taken) * TICKS_PER_ANALYSIS_SAMPLE
        return taken

    def rewind(self) -> None:
        """Take back what was handed out but not heard."""
        # The net reads whole 16 kHz samples, so both readers restart on one.
        self.played -= self.played % TICKS_PER_ANALYSIS_SAMPLE
        self.pushed = self.played
        self.fed = self.played

    def forget_played(self) -> None:
        """Free what no reader can ask for again."""
        keep = min(self.played, self.fed)
        self._sound.drop_before(keep)
        self._analysis.drop_before(keep // TICKS_PER_ANALYSIS_SAMPLE)


class _Window:
    """The end of a growing array; what lies before it has been given back."""

    def __init__(self, dtype: np.dtype[np.int16] | np.dtype[np.float32]) -> None:
        self._data = np.empty(0, dtype)
        self._start = 0

    @property
    def end(self) -> int:
        return self._start + len(self._data)

    def append(self, more: npt.NDArray[np.int16] | npt.NDArray[np.float32]) -> None:
        self._data = np.concatenate([self._data, more])

    def read(self, position: int, count: int) -> npt.NDArray:  # type: ignore[type-arg]
        first = position - self._start
        return self._data[first : first + count].copy()

    def drop_before(self, position: int) -> None:
        if position - self._start >= OUTPUT_RATE // 4:
            self._data = self._data[position - self._start :].copy()
            self._start = position
