"""The streaming front end says what the plain one says of the whole recording."""

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.hearing import MelStream, log_mel_step
from avatar_worker.features.mel import BANDS, STEP, log_mel

FloatArray = npt.NDArray[np.float32]


def voice(seconds: float, seed: int) -> FloatArray:
    """Buzzes and hisses with pauses, at changing loudness. float32, (n,)."""
    noise = np.random.default_rng(seed)
    n = int(seconds * 16_000) // STEP * STEP
    t = np.arange(n) / 16_000
    buzz = sum(np.sin(2 * np.pi * 120 * k * t + k) / k for k in range(1, 30))
    hiss = noise.standard_normal(n)
    knots = np.arange(0, seconds + 1, 0.2)
    loudness = np.interp(t, knots, noise.uniform(0, 1, len(knots)) ** 3)
    return (loudness * (0.1 * buzz + 0.05 * hiss)).astype(np.float32)


def streamed(pcm: FloatArray, stream: MelStream) -> FloatArray:
    steps = [log_mel_step([stream], [pcm[i : i + STEP]])[0] for i in range(0, len(pcm), STEP)]
    return np.concatenate(steps)[2:]  # frames -2 and -1 begin before the recording


@pytest.mark.parametrize("dither", [0.0, 10 ** (-65 / 20)])
@pytest.mark.parametrize("level", [1.0, 0.01])
def test_streaming_agrees_with_the_whole_recording(dither: float, level: float) -> None:
    pcm = voice(10, seed=1) * np.float32(level)  # longer than the noise that repeats
    fast = streamed(pcm, MelStream(dither=dither))
    slow = log_mel(pcm, dither=dither)
    common = min(len(fast), len(slow))
    assert common > 990
    assert np.abs(fast[:common] - slow[:common]).max() < 2e-4


def test_a_batch_says_of_each_voice_what_it_says_alone() -> None:
    voices = [voice(1, seed=s) for s in range(3)]
    together = [MelStream() for _ in range(3)]
    batched = [
        log_mel_step(together, [v[i : i + STEP] for v in voices])
        for i in range(0, len(voices[0]), STEP)
    ]
    for row, pcm in enumerate(voices):
        alone = streamed(pcm, MelStream())
        mine = np.concatenate([step[row] for step in batched])[2:]
        assert np.abs(mine - alone).max() < 1e-5


def test_loud_and_very_loud_voices_look_the_same() -> None:
    pcm = voice(4, seed=2)
    pcm *= np.float32(0.3 / np.abs(pcm[:16_000]).max())
    one, three = log_mel(pcm, dither=0), log_mel(pcm * np.float32(3), dither=0)
    # Without gain control they would differ by 20 log10(3) dB, .95 here.
    assert np.abs(one - three)[100:].max() < 0.05


def test_a_quiet_voice_is_raised_within_a_minute() -> None:
    pcm = np.tile(voice(2, seed=2), 30)
    loud, quiet = log_mel(pcm, dither=0), log_mel(pcm * np.float32(0.1), dither=0)
    heard = loud > -3
    difference = np.abs(loud - quiet)
    assert difference[:200][heard[:200]].mean() > 0.9
    assert difference[-200:][heard[-200:]].mean() < 0.1


def test_silence_is_not_digital_silence() -> None:
    still = np.zeros(16_000, np.float32)
    assert log_mel(still).min() > -6
    assert np.allclose(log_mel(still, dither=0), -6)


def test_a_tone_lights_the_band_at_its_pitch() -> None:
    t = np.arange(16_000) / 16_000
    peaks = [
        int(log_mel((0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32)).mean(axis=0).argmax())
        for hz in (200, 1_000, 4_000, 7_000)
    ]
    assert peaks == sorted(set(peaks))
    assert 0 <= peaks[0] < 5
    assert peaks[-1] >= BANDS - 3


def test_the_future_does_not_change_the_past() -> None:
    pcm = voice(2, seed=3)
    louder = pcm.copy()
    louder[16_000:] *= 20
    before, after = log_mel(pcm), log_mel(louder)
    assert np.array_equal(before[:97], after[:97])
    assert not np.allclose(before[110:], after[110:])


def test_reset_forgets_level_tail_and_noise() -> None:
    stream = MelStream()
    pcm = voice(1, seed=4)
    first = streamed(pcm, stream)
    stream.reset()
    assert np.array_equal(first, streamed(pcm, stream))


def test_too_short_a_recording_has_no_frames() -> None:
    assert log_mel(np.zeros(399, np.float32)).shape == (0, BANDS)
    assert log_mel(np.zeros(400, np.float32)).shape == (1, BANDS)
