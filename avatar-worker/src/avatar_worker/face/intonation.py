"""What the melody of the voice tells the head and the brows: accents, and how lively it is.

Nods and raised brows follow prominent syllables, weakly: on 18 filmed speakers head pitch and
brows went with pitch at |r| .36 to .39, yaw and roll with nothing. The voice is heard some tens
of milliseconds before it is seen, so a brow can be on its way up when its syllable comes.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from avatar_worker.frames import Tone

TONE_S: Final = 0.02
"""How much speech one tone covers."""

AROUSAL: Final = (0.85, 1.25)

_WARM: Final = 20  # voiced tones after which the voice is known well enough
_MEMORY: Final = 250.0  # voiced tones, 5 s, over which mean and spread are taken
_CALM_MEMORY: Final = 1_500.0  # 30 s
_LIVELY_MEMORY: Final = 75.0  # 1.5 s
_LEAST_SPREAD: Final = 1.5  # semitones: a monotonous voice has no accents in its noise
_PROMINENT: Final = 1.0
_PEAK: Final = 1.2
_ONSET_DB: Final = 4.0
_ONSET_BACK: Final = 5  # tones: 100 ms from before the rise to its top
_ONSET_LASTS: Final = 12  # tones: the pitch may follow its energy by 240 ms
_APART: Final = 25  # tones: half a second


class _Mean:
    """A mean that forgets, exact until it has heard as much as it remembers."""

    def __init__(self, memory: float) -> None:
        self.value = self.square = 0.0
        self._heard, self._memory = 0.0, memory

    def add(self, x: float) -> None:
        self._heard = min(self._heard + 1, self._memory)
        self.value += (x - self.value) / self._heard
        self.square += (x * x - self.square) / self._heard

    @property
    def spread(self) -> float:
        return math.sqrt(max(0.0, self.square - self.value * self.value))


class Intonation:
    """One voice's melody; it may pause, and is known better the longer it speaks.

    Attributes:
        arousal: How lively the last one and a half seconds were beside the last thirty, by level,
            pitch and its spread; .85 to 1.25.
    """

    def __init__(self) -> None:
        self.arousal = 1.0
        self._pitch = _Mean(_MEMORY)
        self._calm = (_Mean(_CALM_MEMORY), _Mean(_CALM_MEMORY))  # level, pitch
        self._lively = (_Mean(_LIVELY_MEMORY), _Mean(_LIVELY_MEMORY))
        self._levels: deque[float] = deque([-90.0] * _ONSET_BACK, _ONSET_BACK)
        self._voiced = 0
        self._since_onset = self._since_nod = self._since_brow = 10_000
        self._onset_db = 0.0
        self._before = 0.0
        self._prominence = self._peak = 0.0

    def hear(self, tone: Tone) -> None:
        """Take the next 20 ms."""
        self._since_onset += 1
        self._since_nod += 1
        self._since_brow += 1
        rise = tone.level_db - min(self._levels)
        self._levels.append(tone.level_db)
        if rise >= _ONSET_DB and tone.level_db > self._calm[0].value - 6:
            self._onset_db = max(rise, self._onset_db if self._since_onset < _ONSET_BACK else 0)
            self._since_onset = 0
        if tone.pitch_hz <= 0:
            self._before = 0.0
            return
        semitones = 12 * math.log2(tone.pitch_hz / 100)
        z = self._z(semitones)
        self._voiced += 1
        self._pitch.add(semitones)
        for memory in (self._calm, self._lively):
            memory[0].add(tone.level_db)
            memory[1].add(semitones)
        self._liven()
        before, self._before = self._before, z
        if self._voiced < _WARM:
            return
        if z > _PROMINENT and self._since_onset <= _ONSET_LASTS and self._since_nod >= _APART:
            self._since_nod = 0
            self._prominence = min(1.0, max(0.1, (self._onset_db - _ONSET_DB) / 20 + (z - 1) / 3))
        if z > _PEAK >= before and self._since_brow >= _APART:
            self._since_brow = 0
            self._peak = min(1.0, max(0.1, (z - _PEAK) / 2 + 0.3))

    def take_prominence(self) -> float:
        """Return the strength of a prominent syllable since the last call, 0 for none, to 1."""
        strength, self._prominence = self._prominence, 0.0
        return strength

    def take_peak(self) -> float:
        """Return the strength of a pitch peak that began since the last call, 0 for none, to 1."""
        strength, self._peak = self._peak, 0.0
        return strength

    def _z(self, semitones: float) -> float:
        return (semitones - self._pitch.value) / max(_LEAST_SPREAD, self._pitch.spread)

    def _liven(self) -> None:
        louder = self._lively[0].value - self._calm[0].value
        higher = self._lively[1].value - self._calm[1].value
        wider = self._lively[1].spread - self._calm[1].spread
        low, high = AROUSAL
        self.arousal = min(high, max(low, 1 + 0.025 * louder + 0.04 * higher + 0.04 * wider))
