"""The head sways within its limits, nods when asked, and never jumps."""

import numpy as np
import pytest

from avatar_worker.face.head import LIMIT_DEG, LIMIT_DEG_PER_S, Head
from avatar_worker.frames import HeadPose

STILL = (0.0, 0.0, 0.0)


def step(
    head: Head,
    now: float,
    dt: float = 0.04,
    sway: tuple[float, float, float] = STILL,
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0),
    beat: float = 0.0,
) -> HeadPose:
    return head.step(now, dt, sway_deg=sway, sway_hz=0.28, lean_deg=lean, beat_deg=beat)


def test_a_head_without_sway_is_still() -> None:
    head = Head(np.random.default_rng(0))
    assert {step(head, i * 0.04) for i in range(50)} == {HeadPose()}


def test_even_a_violent_sway_stays_within_limits_and_speed() -> None:
    head = Head(np.random.default_rng(1))
    poses = [step(head, i * 0.04, sway=(30, 30, 30), lean=(20, -20, 20)) for i in range(5_000)]
    angles = np.array([(p.yaw, p.pitch, p.roll) for p in poses])
    assert (np.abs(angles) <= LIMIT_DEG).all()
    assert np.abs(np.diff(angles, axis=0)).max() / 0.04 <= LIMIT_DEG_PER_S + 1e-6


def test_it_sways_about_where_it_leans() -> None:
    head = Head(np.random.default_rng(2))
    poses = [step(head, i * 0.04, sway=(0.5, 0.5, 0.5), lean=(3, -2, 1)) for i in range(15_000)]
    assert np.mean([p.yaw for p in poses]) == pytest.approx(3, abs=0.2)
    assert np.mean([p.pitch for p in poses]) == pytest.approx(-2, abs=0.2)
    assert np.mean([p.roll for p in poses]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("strength", "height"), [(0.0, 1.5), (1.0, 3.7)])
def test_an_accent_bows_the_head_and_lets_it_come_back(strength: float, height: float) -> None:
    head = Head(np.random.default_rng(3))
    step(head, 0)
    head.nod_with_accent(1.0, strength)
    pitch = [step(head, 1 + i * 0.04).pitch for i in range(25)]
    assert max(pitch) == pytest.approx(height, abs=0.35)
    assert np.argmax(pitch) * 0.04 == pytest.approx(0.2, abs=0.041)
    assert pitch[-1] == pytest.approx(0, abs=1e-6)


def test_a_second_accent_does_not_break_a_nod() -> None:
    head, alone = Head(np.random.default_rng(4)), Head(np.random.default_rng(4))
    for one in (head, alone):
        step(one, 0)
        one.nod_with_accent(1.0, 0.5)
    head.nod_with_accent(1.3, 1.0)
    for i in range(30):
        assert step(head, 1 + i * 0.04) == step(alone, 1 + i * 0.04)


def test_a_listener_nods_small_and_at_most_once_in_four_seconds() -> None:
    head = Head(np.random.default_rng(5))
    step(head, 0)
    head.nod_in_assent(1.0)
    head.nod_in_assent(2.9)
    pitch = np.array([step(head, 1 + i * 0.04).pitch for i in range(100)])
    assert 1.2 < pitch.max() < 2.6
    assert pitch.min() == 0
    assert np.flatnonzero(pitch > 0.01).max() * 0.04 <= 2 / 1.2
    head.nod_in_assent(5.0)
    assert max(step(head, 5 + i * 0.04).pitch for i in range(30)) > 1.2


def test_it_shifts_by_a_pixel_or_two() -> None:
    head = Head(np.random.default_rng(6))
    poses = [step(head, i * 0.04, sway=(1, 1, 1)) for i in range(15_000)]
    assert np.std([p.x for p in poses]) == pytest.approx(0.010, rel=0.2)
    assert np.std([p.y for p in poses]) == pytest.approx(0.006, rel=0.2)
