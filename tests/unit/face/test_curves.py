"""The shapes and random draws that behaviour is made of have the statistics they promise."""

import math

import numpy as np
import pytest

from avatar_worker.face.curves import Drift, Eased, Gesture, log_normal, smoothstep


def test_smoothstep_is_level_at_both_ends() -> None:
    assert [smoothstep(2, 4, x) for x in (0, 2, 3, 4, 9)] == [0, 0, 0.5, 1, 1]
    assert smoothstep(0, 1, 0.01) < 0.001
    assert smoothstep(0, 1, 0.99) > 0.999


@pytest.mark.parametrize("mean", [0.7, 4.0])
def test_log_normal_times_have_their_mean_and_spread(mean: float) -> None:
    noise = np.random.default_rng(0)
    times = np.array([log_normal(noise, mean, 0.65) for _ in range(20_000)])
    assert times.mean() == pytest.approx(mean, rel=0.02)
    assert times.std() / times.mean() == pytest.approx(0.65, rel=0.05)
    assert times.min() > 0


@pytest.mark.parametrize("dt", [0.03, 0.04, 0.07])
@pytest.mark.parametrize("hz", [0.15, 0.3])
def test_drift_has_unit_spread_whatever_the_step(dt: float, hz: float) -> None:
    drift = Drift(np.random.default_rng(1))
    walk = np.array([drift.step(dt, hz) for _ in range(60_000)])
    assert walk.std() == pytest.approx(1, rel=0.08)
    assert walk.mean() == pytest.approx(0, abs=0.15)


def test_drift_is_smooth() -> None:
    drift = Drift(np.random.default_rng(2))
    walk = np.array([drift.step(0.04, 0.25) for _ in range(20_000)])
    speed, jolt = np.diff(walk) / 0.04, np.diff(walk, 2) / 0.04
    # A critically damped process moves at sigma * 2 pi hz.
    assert speed.std() == pytest.approx(2 * math.pi * 0.25, rel=0.1)
    assert jolt.std() < speed.std()


def test_drift_stands_still_when_time_does() -> None:
    drift = Drift(np.random.default_rng(3))
    there = drift.step(0.04, 0.3)
    assert drift.step(0, 0.3) == there


def test_a_gesture_rises_falls_and_is_over() -> None:
    gesture = Gesture()
    assert gesture.at(5) == 0
    assert not gesture.busy(5)
    gesture.begin(10, 2, rise=0.2, fall=0.4)
    assert gesture.at(10) == 0
    assert gesture.at(10.2) == pytest.approx(2)
    assert 0 < gesture.at(10.4) < 2
    assert gesture.busy(10.59)
    assert not gesture.busy(10.61)
    assert gesture.at(10.61) == pytest.approx(0)


def test_numbers_ease_to_new_values_from_wherever_they_are() -> None:
    eased = Eased((0.0, 10.0), 0.4)
    eased.towards((1.0, 0.0), 5.0)
    assert eased.at(5.0).tolist() == [0, 10]
    halfway = eased.at(5.2)
    assert halfway.tolist() == pytest.approx([0.5, 5])
    eased.towards((0.0, 0.0), 5.2)
    assert eased.at(5.2).tolist() == halfway.tolist()
    assert eased.at(5.6).tolist() == [0, 0]


def test_numbers_may_take_another_time_or_none() -> None:
    eased = Eased((0.0,), 0.4)
    eased.towards((1.0,), 0.0, seconds=2.0)
    assert eased.at(1.0).tolist() == pytest.approx([0.5])
    eased.towards((5.0,), 3.0, seconds=0.0)
    assert eased.at(3.04).tolist() == [5]
    eased.towards((6.0,), 4.0)
    assert eased.at(4.2).tolist() == pytest.approx([5.5])
