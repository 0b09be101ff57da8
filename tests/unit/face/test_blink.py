"""Blinks fall fast, rise slowly, come log-normally, and no picture rate loses one."""

import math

import numpy as np
import pytest

from avatar_worker.face.blink import Blinks, lid_closure

Eyes = np.ndarray


def watch(blinks: Blinks, seconds: float, dt: float = 0.04, mean: float = 4.0) -> Eyes:
    """Closure of both eyes at each picture, (n, 2)."""
    pictures = range(1, int(seconds / dt))
    return np.array([blinks.step((i - 1) * dt, i * dt, mean) for i in pictures])


def starts(closed: Eyes) -> np.ndarray:
    left = closed[:, 0]
    return np.flatnonzero((left[1:] > 0) & (left[:-1] == 0)) + 1


def test_the_lid_falls_faster_than_it_rises() -> None:
    age = np.arange(0, 0.3, 0.001)
    closed = np.array([lid_closure(a, 0.0) for a in age])
    half = np.flatnonzero(closed >= 0.5)
    peak = closed.argmax()
    assert age[peak] - age[half[0]] < age[half[-1]] - age[peak]
    assert closed[0] == closed[-1] == 0
    assert (np.diff(closed[: peak + 1]) >= 0).all()
    assert (np.diff(closed[peak:]) <= 0).all()


def test_a_held_lid_stays_down() -> None:
    assert lid_closure(0.07 + 0.02, 0.04) == 1
    assert lid_closure(0.07 + 0.02, 0.0) < 1


@pytest.mark.parametrize("dt", [0.03, 0.04, 0.07])
def test_full_blinks_close_the_eye_and_partial_ones_do_not(dt: float) -> None:
    closed = watch(Blinks(np.random.default_rng(0)), 1_200, dt)
    depth = np.array([closed[s : s + int(0.3 / dt), 0].max() for s in starts(closed)])
    assert len(depth) > 200
    full = depth >= 0.98
    assert 0.6 < full.mean() < 0.8
    assert depth[~full].max() < 0.85
    assert depth.min() > 0.45


def test_a_blink_lasts_160_to_320_ms() -> None:
    closed = watch(Blinks(np.random.default_rng(1)), 1_200)
    lengths = [np.argmax(closed[s:, 0] == 0) * 40 for s in starts(closed)[:-1]]
    assert min(lengths) >= 160
    assert max(lengths) <= 320


def test_both_eyes_close_together_but_not_equally() -> None:
    closed = watch(Blinks(np.random.default_rng(2)), 600)
    assert ((closed[:, 0] > 0) == (closed[:, 1] > 0)).all()
    shut = closed[closed[:, 0] > 0]
    assert 0 < np.abs(shut[:, 0] - shut[:, 1]).max() <= 0.1


def test_intervals_are_log_normal() -> None:
    closed = watch(Blinks(np.random.default_rng(3)), 3_600)
    intervals = np.sort(np.diff(starts(closed)) * 0.04)
    assert intervals.mean() == pytest.approx(4.0, rel=0.08)
    variance = math.log1p(0.65**2)
    z = (np.log(intervals) - math.log(4.0) + variance / 2) / math.sqrt(variance)
    wanted = np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in z])
    found = np.arange(1, len(z) + 1) / len(z)
    # Kolmogorov-Smirnov: the 5 % point is 1.36 / sqrt(n).
    assert np.abs(wanted - found).max() < 1.36 / math.sqrt(len(z))


def test_a_shorter_mean_brings_the_next_blink_sooner() -> None:
    calm = watch(Blinks(np.random.default_rng(4)), 600, mean=4.0)
    brisk = watch(Blinks(np.random.default_rng(4)), 600, mean=2.0)
    assert len(starts(brisk)) > 1.7 * len(starts(calm))


def test_without_a_rate_the_eyes_stay_open() -> None:
    assert watch(Blinks(np.random.default_rng(5)), 600, mean=math.inf).max() == 0


def test_a_forced_blink_comes_at_once_but_not_into_another() -> None:
    blinks = Blinks(np.random.default_rng(6))
    blinks.force(1.0)
    assert blinks.started_at() == 1.0
    assert blinks.step(1.0, 1.04, math.inf)[0] > 0
    blinks.force(1.2)
    assert blinks.started_at() == 1.0
    blinks.force(1.5)
    assert blinks.started_at() == 1.5
