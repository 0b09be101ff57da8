"""A made-up voice: phrases with syllables, accents and pauses, as tones, mouth and sound.

Everything about it is known exactly, the place of each accent above all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from avatar_worker.clock import Ticks
from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES, Features, Tone

TONE_S = 0.02
PHRASE_S, PAUSE_S = 3.2, 0.6
SYLLABLE_S = 0.2
ACCENT_S = 0.24
"""From the foot of an accent's pitch to its other foot; the peak is in the middle."""


@dataclass
class MadeUpVoice:
    """One voice. Times are seconds from its first word.

    Attributes:
        seed: Of the accents and of the small unevenness.
        hz: Usual pitch.
        accent_semitones: How far an accent rises above it.
    """

    seed: int = 0
    hz: float = 120.0
    accent_semitones: float = 5.0
    peaks: list[float] = field(default_factory=list)
    """Where the pitch of each accent is highest."""

    def __post_init__(self) -> None:
        noise = np.random.default_rng(self.seed)
        self._rough = noise.normal(0, 1, 4_096)
        at = 0.0
        while at < 3_600:
            place = at + float(noise.uniform(0.5, 0.9))
            while place < at + PHRASE_S - 0.3:
                # Accents fall on syllables.
                self.peaks.append(at + SYLLABLE_S * round((place - at) / SYLLABLE_S) + 0.1)
                place += float(noise.uniform(0.7, 1.4))
            at += PHRASE_S + PAUSE_S
        self._peaks = np.array(self.peaks)

    def speaks(self, now: float) -> bool:
        """Whether it is inside a phrase."""
        return now >= 0 and now % (PHRASE_S + PAUSE_S) < PHRASE_S

    def accent(self, now: float) -> float:
        """How much of an accent there is now, 0 to 1."""
        near = int(np.searchsorted(self._peaks, now))
        away = min(abs(now - self._peaks[i]) for i in (max(0, near - 1), near))
        return (1 + math.cos(2 * math.pi * away / ACCENT_S)) / 2 if away < ACCENT_S / 2 else 0.0

    def pitch(self, now: float) -> float:
        """Its pitch in Hz, falling by three semitones over a phrase; 0 in a pause."""
        if not self.speaks(now):
            return 0.0
        into = now % (PHRASE_S + PAUSE_S)
        rough = 0.25 * self._rough[int(now / TONE_S) % len(self._rough)]
        semitones = 1.5 - 3 * into / PHRASE_S + rough + self.accent_semitones * self.accent(now)
        return float(self.hz * 2 ** (semitones / 12))

    def level(self, now: float) -> float:
        """Its level in dB: syllables, and accents that are 6 dB louder."""
        if not self.speaks(now):
            return -70.0
        syllable = math.sin(math.pi * (now % SYLLABLE_S) / SYLLABLE_S)
        return -32 + 10 * syllable + 6 * self.accent(now)

    def tones(self, begin: float, end: float) -> list[Tone]:
        """The tones that begin in [begin, end)."""
        first, last = (math.ceil(t / TONE_S - 1e-6) for t in (begin, end))
        return [Tone(self.pitch(i * TONE_S), self.level(i * TONE_S)) for i in range(first, last)]

    def features(self, now: float) -> Features:
        """What the net would say of the mouth."""
        mouth = np.zeros(len(MOUTH_NAMES), np.float32)
        if self.speaks(now):
            mouth[0] = 10 ** ((self.level(now) + 22) / 20) * 0.5
        visemes = np.zeros(len(VISEME_NAMES), np.float32)
        visemes[VISEME_NAMES.index("aa" if self.speaks(now) else "sil")] = 1
        return Features(Ticks(round(now * 48_000)), np.clip(mouth, 0, 1), visemes)

    def sound(self, seconds: float) -> npt.NDArray[np.float32]:
        """The first seconds as a buzz with its pitch and level. float32 at 16 kHz."""
        rate = 16_000
        moments = np.arange(int(seconds * rate)) / rate
        steps = np.arange(0, seconds + TONE_S, TONE_S)
        hz = np.interp(moments, steps, [self.pitch(t) or self.hz for t in steps])
        db = np.interp(moments, steps, [self.level(t) for t in steps])
        phase = 2 * np.pi * np.cumsum(hz) / rate
        buzz = sum(np.sin(k * phase) / k for k in range(1, 12))
        return np.asarray(10 ** (db / 20) * buzz, np.float32)
