"""The pitch that is found as sound streams is that of the whole recording, measured plainly."""

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.features.prosody import PITCH_RANGE_HZ, ToneStream

Sound = npt.NDArray[np.float32]
LAGS = range(9, 60)


def melody(seconds: float, seed: int, noise: float) -> Sound:
    """A voice that glides and pauses, in noise. float32, (n,)."""
    draw = np.random.default_rng(seed)
    t = np.arange(int(seconds * 25) * 640) / 16_000
    hz = draw.uniform(90, 250) * 2 ** (0.5 * np.sin(2 * np.pi * 0.4 * t))
    phase = 2 * np.pi * np.cumsum(hz) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 10)) * (np.sin(2 * np.pi * 0.8 * t) > -0.3)
    return np.asarray(0.1 * voice + noise * draw.standard_normal(len(t)), np.float32)


def pitches(pcm: Sound) -> list[float]:
    """Hz at the end of every 20 ms by the definition: 0 without a voice, or without a neighbour."""
    t = np.arange(33) - 16
    taps = np.sinc(2 * 900 / 16_000 * t) * np.hamming(33)
    before = np.zeros(32 + 4 * 219)
    low = np.convolve(np.concatenate([before, pcm]), taps / taps.sum(), "valid")[::4]
    found = [0.0]
    for end in range(219 + 80, len(low) + 1, 80):
        now = low[end - 160 : end]
        past = [low[end - 160 - lag : end - lag] for lag in LAGS]
        alike = np.array([(now @ p) / np.sqrt((now @ now) * (p @ p) + 1e-9) for p in past])
        inner = range(1, len(alike) - 1)
        best = max(alike[i] for i in inner)
        tops = [i for i in inner if alike[i] >= alike[i - 1] and alike[i] > alike[i + 1]]
        good = [i for i in tops if alike[i] > 0.88 * best] if best >= 0.55 else []
        found.append(_between(alike, good[0]) if good else 0.0)
    return [
        now if was > 0 and 1 / 1.3 < now / was < 1.3 else 0.0
        for was, now in zip(found, found[1:], strict=False)
    ]


def _between(alike: npt.NDArray[np.float64], at: int) -> float:
    """The top of the parabola through three likenesses, as Hz; 0 outside the range."""
    bend = alike[at - 1] - 2 * alike[at] + alike[at + 1]
    hz = 4_000 / (LAGS[at] + 0.5 * (alike[at - 1] - alike[at + 1]) / bend)
    return float(hz) if PITCH_RANGE_HZ[0] <= hz <= PITCH_RANGE_HZ[1] else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_streaming_finds_the_pitches_of_the_whole_recording(seed: int) -> None:
    pcm = melody(6, seed, noise=0.005)
    stream = ToneStream()
    streamed = [
        tone.pitch_hz for at in range(0, len(pcm), 640) for tone in stream.step(pcm[at : at + 640])
    ]
    plain = pitches(pcm)
    assert len(streamed) == len(plain)
    assert streamed == pytest.approx(plain, rel=1e-4, abs=1e-3)
    assert 0.3 < np.mean(np.array(plain) > 0) < 0.95


def test_in_noise_they_are_of_one_mind_but_for_what_lies_on_an_edge() -> None:
    pcm = melody(12, 9, noise=0.06)
    stream = ToneStream()
    streamed = np.array(
        [t.pitch_hz for at in range(0, len(pcm), 640) for t in stream.step(pcm[at : at + 640])]
    )
    apart = np.abs(streamed - pitches(pcm)) > 0.01
    assert apart.mean() < 0.01
    assert 0.05 < (streamed > 0).mean() < 0.9


@pytest.mark.parametrize("level", [1e-6, 1e-3, 1.0, 30.0])
def test_levels_are_those_of_every_20_ms_by_the_definition(level: float) -> None:
    pcm = melody(3, 5, noise=0.005) * np.float32(level)
    stream = ToneStream()
    streamed = [
        t.level_db for at in range(0, len(pcm), 640) for t in stream.step(pcm[at : at + 640])
    ]
    power = (pcm.astype(np.float64).reshape(-1, 320) ** 2).mean(axis=1)
    plain = np.clip(10 * np.log10(power + 1e-9), -90, 0)
    assert streamed == pytest.approx(plain.tolist(), abs=1e-6)


def test_what_one_stream_hears_another_does_not() -> None:
    pcm = melody(2, 3, noise=0.005)
    alone, beside, other = ToneStream(), ToneStream(), ToneStream()
    for at in range(0, len(pcm), 640):
        wanted = alone.step(pcm[at : at + 640])
        other.step(pcm[::-1][at : at + 640])
        assert beside.step(pcm[at : at + 640]) == wanted
