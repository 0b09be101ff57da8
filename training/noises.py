"""Sounds that are not speech: to train against, and to measure with. All made here, by seed."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.signal import lfilter

from avatar_worker.frames import ANALYSIS_RATE

from .units import FloatArray

_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)


def coloured(count: int, exponent: float, chance: np.random.Generator) -> FloatArray:
    """Return noise whose power falls by 1/f^(2 exponent), of unit variance. float32, (count,)."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    sound = np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** exponent, count)
    made: FloatArray = (sound / sound.std()).astype(np.float32)
    return made


def speech_level(pcm: FloatArray) -> float:
    """Return the root mean square of what is not silence."""
    loud = pcm[np.abs(pcm) > 0.05 * np.abs(pcm).max()] if len(pcm) else pcm
    return float(np.sqrt(np.mean(loud**2))) if len(loud) else 0.0


def pink(pcm: FloatArray, snr_db: float, *, seed: int) -> FloatArray:
    """Return the speech under pink noise of a signal-to-noise ratio."""
    noise = coloured(len(pcm), 0.5, np.random.default_rng(seed))
    return pcm + np.float32(speech_level(pcm) * 10 ** (-snr_db / 20)) * noise


def breath(seconds: float, chance: np.random.Generator) -> FloatArray:
    """Return one breath: noise in three resonances that swells and goes, of unit peak level."""
    count = int(seconds * ANALYSIS_RATE)
    sound = coloured(count, chance.choice([0.0, 0.5]), chance)
    spectrum, hz = np.fft.rfft(sound), np.fft.rfftfreq(count, 1 / ANALYSIS_RATE)
    for _ in range(3):
        centre, width = chance.uniform(400, 4_500), chance.uniform(150, 500)
        spectrum *= 1 + chance.uniform(0, 4) * np.exp(-(((hz - centre) / width) ** 2))
    spectrum[hz < 200] *= 0.1
    swell = np.interp(np.linspace(0, 1, count), [0, chance.uniform(0.3, 0.8), 1], [0, 1, 0])
    sound = np.fft.irfft(spectrum, count) * swell ** chance.uniform(0.7, 1.8)
    made: FloatArray = (sound / np.abs(sound).max()).astype(np.float32)
    return made


def music(seconds: float, chance: np.random.Generator) -> FloatArray:
    """Return a few instruments that play chords and a tune over a beat. float32, peak 1."""
    count = int(seconds * ANALYSIS_RATE)
    sound = np.zeros(count, np.float32)
    root, beat = chance.uniform(55, 110), chance.uniform(0.25, 0.7)
    start = 0.0
    while start < seconds:
        chord = int(chance.integers(0, 7))
        voices = [(chord + 2 * k, 2, 0.25) for k in range(3)]
        voices.append((int(chance.integers(0, 14)), 4, 0.6))  # the tune
        voices.append((chord, 1, 0.5))  # the bass
        for degree, octave, level in voices:
            tone = _SCALE[degree % 7] + 12 * (degree // 7)
            _add(sound, start, _note(root * octave * 2 ** (tone / 12), beat, chance) * level)
        if chance.random() < 0.7:
            hit = coloured(int(0.08 * ANALYSIS_RATE), 0.0, chance)
            _add(sound, start, hit * np.linspace(0.4, 0, len(hit), dtype=np.float32) ** 2)
        start += beat
    loudest: FloatArray = sound / np.abs(sound).max()
    return loudest


def _note(hz: float, seconds: float, chance: np.random.Generator) -> FloatArray:
    """Return one tone with its overtones, plucked or bowed."""
    t = np.arange(int(seconds * 1.2 * ANALYSIS_RATE)) / ANALYSIS_RATE
    slope, wobble = chance.uniform(0.8, 2.2), chance.uniform(0, 0.004)
    phase = 2 * np.pi * hz * (t + wobble * np.sin(2 * np.pi * 5 * t) / 5)
    tone = sum(
        np.sin(k * phase + chance.uniform(0, 6)) / k**slope
        for k in range(1, 9)
        if k * hz < 0.45 * ANALYSIS_RATE
    )
    plucked = chance.random() < 0.6
    shape = np.exp(-4 * t / seconds) if plucked else np.clip(np.minimum(t / 0.08, (t[-1] - t) / 0.1), 0, 1)  # fmt: skip
    rise = np.clip(t / 0.005, 0, 1)
    made: FloatArray = (tone * shape * rise).astype(np.float32)
    return made


def _add(into: FloatArray, start: float, part: FloatArray) -> None:
    """Mix a part in at a time; what does not fit is cut."""
    first = int(start * ANALYSIS_RATE)
    fits = part[: max(0, len(into) - first)]
    into[first : first + len(fits)] += fits


def room(chance: np.random.Generator) -> FloatArray:
    """Return the response of a room: the sound itself, early echoes, a tail. float32, (n,)."""
    decay = chance.uniform(0.1, 0.5)
    count = int(decay * ANALYSIS_RATE)
    tail = chance.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    tail[: int(chance.uniform(0.002, 0.02) * ANALYSIS_RATE)] = 0
    tail *= 10 ** (-chance.uniform(5, 20) / 20) / np.sqrt((tail**2).sum())
    tail = lfilter([0.5, 0.5], [1.0], tail)
    for _ in range(5):
        tail[int(chance.integers(40, min(count, 640)))] += chance.uniform(-0.25, 0.25)
    tail[0] = 1.0
    response: FloatArray = tail.astype(np.float32)
    return response


def music_and_breath(*, seed: int) -> list[FloatArray]:
    """Return what an evaluation plays to a mouth that must stay shut: 40 s of music, 20 s of breath."""
    chance = np.random.default_rng([seed, 77])
    sounds: list[FloatArray] = [0.3 * music(10, chance) for _ in range(4)]
    for _ in range(2):
        quiet = np.zeros(10 * ANALYSIS_RATE, np.float32)
        for start in (1.0, 4.0, 7.0):
            _add(quiet, start, breath(chance.uniform(0.3, 0.9), chance) * np.float32(chance.uniform(0.01, 0.08)))  # fmt: skip
        sounds.append(quiet)
    return sounds
