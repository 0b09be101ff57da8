"""Gestures come, are seen, and leave nothing behind."""

import numpy as np
import pytest

from avatar_worker.face.gestures import GESTURES, MOST_AT_ONCE, Gestures
from avatar_worker.face.head import LIMIT_DEG, LIMIT_DEG_PER_S
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES


def perform(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n, 54) and head (n, 3) from its begin to a second after its end."""
    gestures = Gestures(np.random.default_rng(seed))
    gestures.begin(name, 1.0)
    pictures = range(int((GESTURES[name].seconds * 1.1 + 1) * 25))
    weights, head = zip(*(gestures.at(1 + i * 0.04) for i in pictures), strict=True)
    return np.array(weights), np.array(head)


@pytest.mark.parametrize("name", GESTURES)
def test_every_gesture_is_seen_and_over(name: str) -> None:
    weights, head = perform(name)
    movement = GESTURES[name]
    seen = weights.max() > 0.2 or np.abs(head).max() > 1 or movement.looks_at_deg is not None
    assert seen
    assert not weights[-1].any()
    assert not head[-1].any()
    assert not weights[0].any()
    assert np.abs(head[0]).max() < 1e-9


@pytest.mark.parametrize("name", GESTURES)
def test_no_gesture_is_faster_or_larger_than_a_head_may_be(name: str) -> None:
    _, head = perform(name)
    assert (np.abs(head).max(axis=0) < LIMIT_DEG).all()
    assert np.abs(np.diff(head, axis=0)).max() / 0.04 < LIMIT_DEG_PER_S


@pytest.mark.parametrize("name", GESTURES)
def test_no_gesture_opens_or_closes_the_mouth(name: str) -> None:
    weights, _ = perform(name)
    for control in CONTROL_NAMES:
        if control.startswith(("mouthClose", "jaw", "tongue", "mouthFunnel", "mouthUpperUp")):
            assert not weights[:, CONTROL_INDEX[control]].any(), control


def test_a_nod_bows_twice_the_second_time_less() -> None:
    _, head = perform("nod")
    pitch = head[:, 1]
    tops = [i for i in range(1, len(pitch) - 1) if pitch[i - 1] < pitch[i] >= pitch[i + 1]]
    assert len(tops) == 2
    assert pitch[tops[0]] > 4 > pitch[tops[1]] > 2
    assert pitch.min() >= 0


def test_a_shake_goes_to_both_sides() -> None:
    _, head = perform("shake")
    assert head[:, 0].max() > 3
    assert head[:, 0].min() < -2
    assert not head[:, 1:].any()


def test_a_wink_closes_one_eye_fully_and_briefly() -> None:
    weights, _ = perform("wink")
    left, right = (weights[:, CONTROL_INDEX[f"eyeBlink{side}"]] for side in ("Left", "Right"))
    assert left.max() > 0.98
    assert 3 <= (left > 0.5).sum() <= 10
    assert not right.any()


def test_some_gestures_take_either_side() -> None:
    sides = {np.sign(perform("tilt", seed)[1][20, 2]) for seed in range(12)}
    assert sides == {-1.0, 1.0}


def test_looks_say_where_the_eyes_go() -> None:
    gestures = Gestures(np.random.default_rng(1))
    away, at = gestures.begin("look_away", 0.0), gestures.begin("look_at", 0.0)
    assert away is not None
    assert abs(away[0]) == 7
    assert 1.2 < away[2] < 1.8
    assert at is not None
    assert at[:2] == (0, 0)
    assert gestures.begin("nod", 0.0) is None


def test_a_gesture_under_way_is_not_begun_again() -> None:
    once, twice = (Gestures(np.random.default_rng(2)) for _ in range(2))
    for gestures in (once, twice):
        gestures.begin("nod", 0.0)
    twice.begin("nod", 0.3)
    for i in range(40):
        assert once.at(i * 0.04)[1] == pytest.approx(twice.at(i * 0.04)[1])
    once.begin("nod", 5.0)
    assert once.at(5.2)[1].any()


def test_gestures_add_up_but_only_so_many() -> None:
    gestures = Gestures(np.random.default_rng(3))
    names = ("nod", "smile", "tilt", "raise_brows", "shake")
    assert len(names) == MOST_AT_ONCE + 1
    for name in names:
        gestures.begin(name, 0.0)
    weights, head = gestures.at(0.5)
    assert weights[CONTROL_INDEX["mouthSmileLeft"]] > 0
    assert weights[CONTROL_INDEX["browInnerUp"]] > 0
    assert head[1] != 0
    assert head[2] != 0
    assert head[0] == 0, "the fifth was dropped"
