"""Pitch and level are measured where there is a voice, and only there."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.hearing import MelStream, log_mel_step
from avatar_worker.features.mel import STEP
from avatar_worker.features.prosody import PITCH_RANGE_HZ, SILENCE_DB, ToneStream
from avatar_worker.frames import Tone
from fakes.voice import TONE_S, MadeUpVoice

Sound = npt.NDArray[np.float32]
RATE = 16_000


def hear(sound: Sound) -> list[Tone]:
    stream = ToneStream()
    steps = range(0, len(sound) - STEP + 1, STEP)
    return [tone for at in steps for tone in stream.step(sound[at : at + STEP])]


def buzz(hz: float, seconds: float = 1.0, *, level: float = 0.2, overtones: int = 12) -> Sound:
    t = np.arange(int(seconds * RATE)) / RATE
    parts = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, overtones + 1))
    return np.asarray(level * parts, np.float32)


def noise(level_db: float, seconds: float = 2.0, seed: int = 0) -> Sound:
    draw = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return np.asarray(10 ** (level_db / 20) * draw, np.float32)


@pytest.mark.parametrize("hz", [75, 100, 130, 180, 220, 300, 380])
@pytest.mark.parametrize("overtones", [1, 12])
def test_the_pitch_of_a_steady_voice_is_within_two_percent(hz: float, overtones: int) -> None:
    pitches = np.array([tone.pitch_hz for tone in hear(buzz(hz, overtones=overtones))[6:]])
    assert np.abs(pitches / hz - 1).max() < 0.02


@pytest.mark.parametrize("hz", [100, 200])
def test_a_voice_without_its_fundamental_has_the_same_pitch(hz: float) -> None:
    t = np.arange(RATE) / RATE
    telephone = np.asarray(0.2 * buzz(hz, overtones=12) - 0.2 * 0.2 * np.sin(2 * np.pi * hz * t))
    pitches = np.array([tone.pitch_hz for tone in hear(telephone.astype(np.float32))[6:]])
    assert np.abs(pitches / hz - 1).max() < 0.02


def test_loudness_does_not_change_the_pitch() -> None:
    loud, soft = (hear(buzz(150, level=level)) for level in (0.3, 0.01))
    assert [t.pitch_hz for t in loud[6:]] == pytest.approx([t.pitch_hz for t in soft[6:]], rel=1e-3)


def test_noise_and_silence_have_no_pitch() -> None:
    assert {tone.pitch_hz for tone in hear(np.zeros(RATE, np.float32))} == {0.0}
    voiced = [tone.pitch_hz > 0 for tone in hear(noise(-20, 10))]
    assert np.mean(voiced) < 0.03


def test_a_hum_below_and_a_whistle_above_a_voice_have_none() -> None:
    low, high = PITCH_RANGE_HZ
    for hz in (low / 1.5, 1.5 * high):
        pitches = [tone.pitch_hz for tone in hear(buzz(hz, overtones=1))[6:]]
        assert not any(low <= p <= high and abs(p / hz - 1) < 0.3 for p in pitches)


def test_the_level_is_that_of_each_20_ms() -> None:
    step = np.concatenate([np.full(320, 0.1), np.full(320, 0.01)]).astype(np.float32)
    first, second = ToneStream().step(step)
    assert first.level_db == pytest.approx(-20, abs=0.01)
    assert second.level_db == pytest.approx(-40, abs=0.01)
    assert hear(np.zeros(STEP, np.float32))[0].level_db == SILENCE_DB
    assert ToneStream().step(np.full(STEP, 4, np.float32))[0].level_db == 0


def test_a_moving_melody_is_followed_with_few_mistakes() -> None:
    voice = MadeUpVoice(seed=1)
    tones = hear(voice.sound(30.0))
    # The window ends with the tone and is 55 ms long, so it speaks of 20 ms before the tone.
    wanted = np.array([voice.pitch(i * TONE_S - 0.02) for i in range(len(tones))])
    found = np.array([tone.pitch_hz for tone in tones])
    both = (found > 0) & (wanted > 0)
    assert both.sum() > 0.8 * (wanted > 0).sum()
    assert (found[wanted == 0] > 0).mean() < 0.25  # the tail of a phrase rings on
    off = np.abs(12 * np.log2(found[both] / wanted[both]))
    assert np.mean(off > 3) < 0.02
    assert np.median(off) < 0.5


def test_what_is_heard_later_changes_nothing_earlier() -> None:
    sound = np.concatenate([buzz(140, 1.0), buzz(210, 1.0)])
    assert hear(sound)[:50] == hear(sound[:RATE])


def test_a_reset_forgets() -> None:
    stream, fresh = ToneStream(), ToneStream()
    stream.step(buzz(140)[:STEP])
    stream.reset()
    sound = buzz(200)[:STEP]
    assert stream.step(sound) == fresh.step(sound)


def test_other_amounts_of_sound_are_refused() -> None:
    with pytest.raises(ValueError, match="640"):
        ToneStream().step(np.zeros(STEP + 1, np.float32))


def test_it_costs_no_more_than_a_few_mel_steps() -> None:
    sound = buzz(140)[:STEP]
    tones, mel = ToneStream(), MelStream()

    def fastest(work: object) -> float:
        assert callable(work)
        times = []
        for _ in range(200):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return min(times)

    assert fastest(lambda: tones.step(sound)) < 6 * fastest(lambda: log_mel_step([mel], [sound]))
