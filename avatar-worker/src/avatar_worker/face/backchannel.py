"""When a listener's nod is welcome: shortly after the other's voice has dropped for a moment.

The rule is Ward & Tsukahara's (2000) for English: a region of low pitch of at least 110 ms, after
at least 700 ms of speech, answered 700 ms later, and not within 800 ms of the last answer. It
needs pitch and nothing else of what is said.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from avatar_worker.frames import Tone

_LOW_SHARE: Final = 0.26
_LOW: Final = 6  # tones of 20 ms: 120 ms
_SPEECH: Final = 35  # 700 ms
_GAP: Final = 15  # 300 ms without a voice end a stretch of speech
_WAIT: Final = 35  # 700 ms
_APART: Final = 40  # 800 ms
_MEMORY: Final = 1_500  # 30 s of voice
_KNOWN: Final = 100  # 2 s of voice, before which nothing is low
_LEARN_EVERY: Final = 25


class Backchannel:
    """One speaker, heard 20 ms at a time."""

    def __init__(self) -> None:
        self._pitches: deque[float] = deque(maxlen=_MEMORY)
        self._low_hz = 0.0
        self._heard = 0
        self._low = 0
        self._speech = 0
        self._silence = 0
        self._due: int | None = None
        self._last = -_APART

    def hear(self, tone: Tone) -> bool:
        """Take the next 20 ms and return whether now is the moment for a nod."""
        self._heard += 1
        if tone.pitch_hz > 0:
            self._voiced(tone.pitch_hz)
        else:
            self._low = 0
            self._silence += 1
            if self._silence > _GAP:
                self._speech = 0
        if self._due is None or self._heard < self._due:
            return False
        self._due = None
        if self._heard - self._last < _APART:
            return False
        self._last = self._heard
        return True

    def _voiced(self, hz: float) -> None:
        self._speech += 1 + min(self._silence, _GAP)  # short gaps are part of speech
        self._silence = 0
        self._pitches.append(hz)
        if len(self._pitches) >= _KNOWN and self._heard % _LEARN_EVERY == 0:
            self._low_hz = float(np.quantile(np.array(self._pitches), _LOW_SHARE))
        self._low = self._low + 1 if hz < self._low_hz else 0
        if self._low == _LOW and self._speech >= _SPEECH and self._due is None:
            self._due = self._heard + _WAIT
