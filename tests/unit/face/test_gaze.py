"""The eyes rest on the viewer, leave now and then, jump rather than glide, and never freeze."""

import numpy as np
import pytest

from avatar_worker.face.gaze import Gaze
from avatar_worker.face.manner import MANNERS
from avatar_worker.face.state import Activity


def watch(activity: Activity, seconds: float = 600, seed: int = 0) -> np.ndarray:
    """Degrees at 25 pictures per second, (n, 2)."""
    gaze = Gaze(np.random.default_rng(seed))
    return np.array([gaze.step(i * 0.04, MANNERS[activity]) for i in range(int(seconds * 25))])


@pytest.mark.parametrize(
    ("activity", "low", "high"),
    [
        (Activity.IDLE, 0.72, 0.88),
        (Activity.LISTENING, 0.85, 0.96),
        (Activity.THINKING, 0.0, 0.02),
        (Activity.SPEAKING, 0.66, 0.84),
        (Activity.AWAY, 0.55, 0.75),
    ],
)
def test_the_viewer_gets_the_share_of_looks_that_the_state_asks_for(
    activity: Activity, low: float, high: float
) -> None:
    at_viewer = np.hypot(*watch(activity).T) < 1.8
    assert low <= at_viewer.mean() <= high


def test_thinking_looks_up_and_to_one_side() -> None:
    gaze = watch(Activity.THINKING, 120)[25:]
    assert (gaze[:, 1] < 0).mean() > 0.98
    assert abs(np.sign(gaze[:, 0]).mean()) > 0.98
    reach = np.hypot(*gaze.T)
    assert np.percentile(reach, 5) > 5
    assert np.percentile(reach, 95) < 11.5


def test_large_looks_arrive_within_two_pictures() -> None:
    moved = np.hypot(*np.diff(watch(Activity.SPEAKING), axis=0).T)
    runs, longest = 0, 0
    for step in moved:
        runs = runs + 1 if step > 0.5 else 0
        longest = max(longest, runs)
    assert moved.max() > 3
    assert longest <= 3  # two pictures of one look; a third only if another look follows at once


def test_a_fixating_eye_still_moves() -> None:
    gaze = watch(Activity.LISTENING, 60)
    still = 0
    longest = 0
    for step in np.hypot(*np.diff(gaze, axis=0).T):
        still = still + 1 if step < 1e-9 else 0
        longest = max(longest, still)
    assert longest * 0.04 < 1.6


def test_a_change_of_state_moves_the_eyes_within_a_quarter_of_a_second() -> None:
    gaze = Gaze(np.random.default_rng(1))
    for i in range(100):
        gaze.step(i * 0.04, MANNERS[Activity.LISTENING])
    gaze.manner_changes(4.0)
    after = [gaze.step(4.0 + i * 0.04, MANNERS[Activity.THINKING]) for i in range(8)]
    assert np.hypot(*after[-1]) > 4
    assert np.sign(after[-1][0]) == gaze.side


def test_leaving_thought_the_eyes_come_back_to_the_viewer() -> None:
    gaze = Gaze(np.random.default_rng(2))
    for i in range(100):
        gaze.step(i * 0.04, MANNERS[Activity.THINKING])
    gaze.manner_changes(4.0)
    after = [gaze.step(4.0 + i * 0.04, MANNERS[Activity.SPEAKING]) for i in range(8)]
    assert np.hypot(*after[-1]) < 1.8
    assert gaze.at_viewer


def test_the_size_of_a_look_is_told_when_it_begins() -> None:
    gaze = Gaze(np.random.default_rng(3))
    shifts = []
    for i in range(5_000):
        gaze.step(i * 0.04, MANNERS[Activity.SPEAKING])
        if gaze.shift:
            shifts.append(gaze.shift)
    assert 60 < len(shifts) < 160
    assert min(shifts) > 2.9
    assert max(shifts) < 8.1
