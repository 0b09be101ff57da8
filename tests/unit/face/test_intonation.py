"""Accents are heard where the voice rises and swells, once each, and early enough."""

import numpy as np
import pytest

from avatar_worker.face.intonation import AROUSAL, Intonation
from avatar_worker.frames import Tone
from fakes.voice import TONE_S, MadeUpVoice

MINUTES = 5


def listen(tones: list[Tone]) -> tuple[list[float], list[float], list[float]]:
    """Times of prominences and of pitch peaks, and arousal with every tone."""
    melody = Intonation()
    prominent, peaks, arousal = [], [], []
    for i, tone in enumerate(tones):
        melody.hear(tone)
        if melody.take_prominence():
            prominent.append(i * TONE_S)
        if melody.take_peak():
            peaks.append(i * TONE_S)
        arousal.append(melody.arousal)
    return prominent, peaks, arousal


def matched(found: list[float], wanted: list[float], early: float, late: float) -> float:
    """Share of `wanted` with something found from `early` before to `late` after."""
    times = np.array(found)
    hits = [((times >= at - early) & (times <= at + late)).any() for at in wanted]
    return float(np.mean(hits))


@pytest.mark.parametrize("hz", [100.0, 210.0])
def test_accents_of_high_and_low_voices_are_found_before_their_peak(hz: float) -> None:
    voice = MadeUpVoice(seed=2, hz=hz)
    prominent, peaks, _ = listen(voice.tones(0, 60 * MINUTES))
    accents = [at for at in voice.peaks if 5 < at < 60 * MINUTES - 1]
    assert matched(prominent, accents, 0.14, 0.04) > 0.85
    assert matched(peaks, accents, 0.14, 0.04) > 0.85
    # And little else is taken for one.
    assert matched(accents, [p for p in prominent if p > 5], 0.16, 0.16) > 0.85


def test_a_voice_without_accents_has_few() -> None:
    flat = MadeUpVoice(seed=3, accent_semitones=0.0)
    prominent, _, _ = listen(flat.tones(0, 60 * MINUTES))
    lively, _, _ = listen(MadeUpVoice(seed=3).tones(0, 60 * MINUTES))
    assert len(prominent) < 0.6 * len(lively)


def test_accents_are_half_a_second_apart_at_least() -> None:
    noise = np.random.default_rng(4)
    tones = [
        Tone(float(hz), float(db))
        for hz, db in zip(
            noise.uniform(80, 300, 5_000), noise.uniform(-60, -10, 5_000), strict=True
        )
    ]
    for found in listen(tones)[:2]:
        assert len(found) > 20
        assert min(np.diff(found)) >= 0.5 - 1e-9


def test_a_voice_that_has_only_begun_has_no_accents_yet() -> None:
    voice = MadeUpVoice(seed=5)
    prominent, peaks, _ = listen(voice.tones(0, 60))
    assert min(prominent) > 0.4
    assert min(peaks) > 0.4


def test_silence_and_noise_without_pitch_have_no_accents() -> None:
    for level in (-90.0, -20.0):
        assert listen([Tone(0.0, level)] * 500)[:2] == ([], [])


def test_each_accent_is_told_once() -> None:
    melody, voice = Intonation(), MadeUpVoice(seed=6)
    for tone in voice.tones(0, 20):
        melody.hear(tone)
    assert melody.take_prominence() > 0
    assert melody.take_prominence() == 0
    assert melody.take_peak() > 0
    assert melody.take_peak() == 0


def test_an_even_voice_is_neither_lively_nor_dull() -> None:
    _, _, arousal = listen(MadeUpVoice(seed=7).tones(0, 120))
    assert np.mean(arousal) == pytest.approx(1, abs=0.03)
    assert np.std(arousal) < 0.08


def test_raising_the_voice_raises_the_arousal_and_dropping_it_lowers_it() -> None:
    voice = MadeUpVoice(seed=8)
    calm = voice.tones(0, 40)
    loud = [Tone(t.pitch_hz * 1.25, t.level_db + 6) for t in voice.tones(40, 43)]
    soft = [Tone(t.pitch_hz / 1.15, t.level_db - 6) for t in voice.tones(40, 43)]
    usual = listen(calm)[2][-1]
    assert listen(calm + loud)[2][-1] > usual + 0.1
    assert listen(calm + soft)[2][-1] < usual - 0.08


def test_arousal_stays_within_its_range_whatever_is_heard() -> None:
    noise = np.random.default_rng(9)
    tones = [
        Tone(float(hz), float(db))
        for hz, db in zip(
            noise.choice([0, 70, 400], 4_000), noise.uniform(-90, 0, 4_000), strict=True
        )
    ]
    _, _, arousal = listen(tones)
    assert min(arousal) >= AROUSAL[0]
    assert max(arousal) <= AROUSAL[1]
    assert max(arousal) - min(arousal) > 0.1
