"""Breath comes and goes about fourteen times a minute; brows live, and rise for a reason."""

import numpy as np
import pytest

from avatar_worker.face.breath import Breath
from avatar_worker.face.brows import Brows
from avatar_worker.face.state import Activity


def breathe(seconds: float, *, rate: float = 1.0, speaking: bool = False) -> np.ndarray:
    breath = Breath(np.random.default_rng(0))
    return np.array(
        [
            breath.step(0.04, rate=rate, speaking=speaking, pause=False)
            for _ in range(int(seconds * 25))
        ]
    )


def fillings(level: np.ndarray) -> np.ndarray:
    rising = np.diff(level) > 0
    return np.flatnonzero(rising[1:] & ~rising[:-1])


def test_fourteen_breaths_a_minute_none_like_the_last() -> None:
    starts = fillings(breathe(600))
    assert 12 <= len(starts) / 10 <= 16
    cycles = np.diff(starts) * 0.04
    assert 0.05 < cycles.std() / cycles.mean() < 0.16


def test_in_is_shorter_than_out() -> None:
    rising = np.diff(breathe(600)) > 0
    assert rising.mean() == pytest.approx(0.4, abs=0.04)
    assert (np.diff(breathe(600, speaking=True)) > 0).mean() < 0.2


def test_breath_is_shallow_and_never_jumps() -> None:
    level = breathe(600)
    assert -0.41 < level.min() < -0.25
    assert 0.25 < level.max() < 0.41
    assert np.abs(np.diff(level)).max() < 0.05


def test_without_a_rate_nobody_breathes() -> None:
    assert set(breathe(10, rate=0).tolist()) == {0.0}


def test_a_pause_is_used_to_breathe_in_when_air_is_short() -> None:
    breath = Breath(np.random.default_rng(1))
    level = [breath.step(0.04, rate=1, speaking=True, pause=False) for _ in range(25)]
    while not (level[-1] < -0.2 and level[-1] < level[-2]):
        level.append(breath.step(0.04, rate=1, speaking=True, pause=False))
    level.append(breath.step(0.04, rate=1, speaking=True, pause=True))
    after = [breath.step(0.04, rate=1, speaking=True, pause=False) for _ in range(10)]
    assert after[-1] > level[-1] + 0.2
    assert abs(after[0] - level[-1]) < 0.05


def test_brows_at_rest_live_a_little() -> None:
    brows = Brows(np.random.default_rng(0))
    seen = np.array([brows.step(i * 0.04, 0.04, Activity.IDLE, 0.0) for i in range(5_000)])
    assert seen.min() >= 0
    assert 0.02 < seen.max() < 0.05
    assert seen.std(axis=0).min() > 0.002


def test_some_accents_raise_the_brows_and_they_come_down() -> None:
    raised = 0
    for seed in range(200):
        brows = Brows(np.random.default_rng(seed))
        brows.accent(1.0, 1.0)
        heights = [brows.step(1 + i * 0.04, 0.04, Activity.SPEAKING, 0.0)[0] for i in range(20)]
        raised += max(heights) > 0.3
        assert max(heights) < 0.45
        assert heights[-1] < 0.05
    assert 0.2 < raised / 200 < 0.4


def test_a_listener_raises_the_brows_when_the_user_begins() -> None:
    brows = Brows(np.random.default_rng(2))
    brows.manner_changes(1.0, Activity.LISTENING)
    heights = [brows.step(1 + i * 0.04, 0.04, Activity.LISTENING, 0.0)[0] for i in range(40)]
    assert 0.08 < max(heights) < 0.15


def test_left_and_right_are_not_quite_equal() -> None:
    brows = Brows(np.random.default_rng(3))
    brows.manner_changes(1.0, Activity.LISTENING)
    _, left, right = brows.step(1.3, 0.04, Activity.LISTENING, 0.0)
    assert left != right
    assert left == pytest.approx(right, rel=0.07)
