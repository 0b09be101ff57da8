"""What is done to voices before examples are laid out: tempo and pitch, breaths, and no voice at all.

Rooms, lines and noise come later, in `training.disturb`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from scipy.signal import fftconvolve, resample_poly

from avatar_worker.frames import ANALYSIS_RATE

from .noises import breath, coloured, music, room
from .phones import Segment
from .units import FloatArray

SLOWEST, FASTEST = 0.84, 1.2


def paced(
    pcm: FloatArray, segs: list[Segment], chance: np.random.Generator
) -> tuple[FloatArray, list[Segment]]:
    """Play a voice slower and deeper or faster and higher: another throat, other times."""
    ratio = Fraction(chance.uniform(SLOWEST, FASTEST)).limit_denominator(24)
    played = resample_poly(pcm, ratio.denominator, ratio.numerator).astype(np.float32)
    stretch = ratio.denominator / ratio.numerator
    return played, [Segment(s.start * stretch, s.end * stretch, s.unit) for s in segs]


def coloured_by_a_microphone(pcm: FloatArray, chance: np.random.Generator) -> FloatArray:
    """Bend the spectrum: eight bands within 8 dB and a slope."""
    spectrum = np.fft.rfft(pcm)
    place = np.linspace(0, 1, len(spectrum), dtype=np.float32)
    bands = np.interp(np.sqrt(place), np.linspace(0, 1, 8), chance.uniform(-8, 8, 8))
    gain = 10 ** ((bands + place * chance.uniform(-10, 6)) / 20)
    bent: FloatArray = np.fft.irfft(spectrum * gain, len(pcm)).astype(np.float32)
    return bent


def noise(count: int, chance: np.random.Generator) -> FloatArray:
    """Return noise as rooms have it: coloured, sometimes swelling, sometimes humming."""
    made = coloured_by_a_microphone(coloured(count, chance.choice([0, 0.5, 1.0, 1.5]) / 1.0, chance), chance)  # fmt: skip
    if chance.random() < 0.4:
        knots = max(2, int(count / ANALYSIS_RATE * chance.uniform(0.5, 3)))
        level = 10 ** (chance.uniform(-8, 4, knots) / 20)
        made = made * np.interp(np.arange(count), np.linspace(0, count, knots), level)
    if chance.random() < 0.25:
        t = np.arange(count) / ANALYSIS_RATE
        hum = chance.choice([50, 60, 100, 120])
        for k in range(1, 7):
            made = made + np.sin(2 * np.pi * hum * k * t + chance.uniform(0, 6)) * chance.uniform(
                0, 1.2
            )
    still: FloatArray = (made / (made.std() + 1e-9)).astype(np.float32)
    return still


def breathed(pcm: FloatArray, start: float, seconds: float, chance: np.random.Generator) -> None:
    """Put a breath into a pause, 22 to 46 dB below full scale."""
    length = min(chance.uniform(0.15, 0.6), seconds)
    if length > 0.05:
        part = breath(length, chance) * np.float32(10 ** (-chance.uniform(20, 46) / 20))
        first = int((start + chance.uniform(0, seconds - length)) * ANALYSIS_RATE)
        room_left = pcm[first : first + len(part)]
        room_left += part[: len(room_left)]


NOT_SPEECH: Final = ("music", "noise", "breath", "silence")


def not_speech(count: int, chance: np.random.Generator) -> FloatArray:
    """Return a recording in which nobody speaks."""
    kind = NOT_SPEECH[int(chance.choice(4, p=[0.3, 0.3, 0.25, 0.15]))]
    sound = np.zeros(count, np.float32)
    seconds = count / ANALYSIS_RATE
    if kind == "music":
        sound = music(seconds, chance)[:count] * np.float32(chance.uniform(0.05, 0.7))
    elif kind == "noise":
        sound = noise(count, chance) * np.float32(10 ** (-chance.uniform(20, 55) / 20))
    elif kind == "breath":
        for start in np.arange(0.3, seconds - 1.5, 1.5):
            breathed(sound, float(start), 1.4, chance)
    if kind != "silence" and chance.random() < 0.3:
        sound = fftconvolve(sound, room(chance))[:count].astype(np.float32)
    whole: FloatArray = np.clip(sound, -1, 1)
    return whole
