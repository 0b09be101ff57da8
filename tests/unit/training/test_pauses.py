"""Pauses are found by their sound, and neither soft speech nor another voice is one."""

import math

import numpy as np
import pytest
from training.metrics import Prediction
from training.pauses import levels, pauses, rest_in_pauses

from fakes.evaluation_data import tone

HISS = 1e-3


def hiss(seconds: float, loud: float = HISS) -> np.ndarray:
    return loud * np.random.default_rng(3).standard_normal(int(seconds * 16_000)).astype(np.float32)


def speech(*parts: tuple[float, float]) -> np.ndarray:
    """Return a tone that lasts so many seconds at such a level, one after the other, in hiss."""
    spoken = np.concatenate([level * tone(seconds) for seconds, level in parts]).astype(np.float32)
    return spoken + hiss(len(spoken) / 16_000)


def test_a_pause_is_found_where_it_is() -> None:
    ((start, end),) = pauses(speech((1, 1), (0.8, 0), (1, 1)))
    assert start == pytest.approx(1, abs=0.04)
    assert end == pytest.approx(1.8, abs=0.04)


def test_pauses_at_both_ends_are_found() -> None:
    first, last = pauses(speech((0.5, 0), (1, 1), (0.6, 0)))
    assert first[0] == 0
    assert last[1] == pytest.approx(2.1, abs=0.011)


def test_a_stop_is_too_short_to_be_a_pause() -> None:
    assert pauses(speech((1, 1), (0.25, 0), (1, 1), (0.3, 0.9))) == []


def test_soft_speech_is_none() -> None:
    found = pauses(speech((1, 1), (0.6, 0.15), (1, 1), (0.5, 0)))
    assert [start for start, _ in found] == [pytest.approx(2.6, abs=0.04)]


def test_in_noise_that_is_nearly_as_loud_as_speech_there_are_none() -> None:
    spoken = speech((1, 1), (0.8, 0), (1, 1))
    power = float(np.mean(spoken[:16_000] ** 2))
    assert pauses(spoken + hiss(2.8, np.sqrt(power / 10**1.0))) == []


def test_speech_that_never_pauses_and_no_sound_at_all_have_none() -> None:
    assert pauses(speech((2, 1))) == []
    assert pauses(np.zeros(0, np.float32)) == []


def test_rumble_is_passed_over_and_a_soft_fricative_is_not() -> None:
    rumble = np.sin(2 * np.pi * 30 * np.arange(16_000) / 16_000).astype(np.float32)
    assert levels(rumble).mean() < levels(hiss(1, 0.1)).mean()
    assert len(levels(rumble)) == 100


def test_rest_is_measured_inside_pauses_alone() -> None:
    spoken = speech((1, 1), (0.8, 0), (1, 1))
    aperture = np.ones(70, np.float32)
    aperture[29:42] = 0  # 1.16 to 1.64 s
    share, count = rest_in_pauses([spoken], [Prediction(aperture, aperture)])
    assert count in (13, 14)
    assert share == pytest.approx(13 / count)
    shut = np.zeros(70, np.float32)
    assert rest_in_pauses([spoken, spoken], [Prediction(shut, shut)] * 2) == (1.0, 2 * count)


def test_without_pauses_there_is_no_share() -> None:
    shut = np.zeros(50, np.float32)
    share, count = rest_in_pauses([speech((2, 1))], [Prediction(shut, shut)])
    assert math.isnan(share)
    assert count == 0
