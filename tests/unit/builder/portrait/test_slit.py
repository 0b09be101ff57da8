from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars.builder.portrait.slit import (
    EYE_L_UPPER,
    EYE_R_UPPER,
    MOUTH_LOWER,
    MOUTH_UPPER,
    bell,
    eye_opening,
    mouth_opening,
    opening,
    smoothstep,
)
from fakes.portraits import built


def tilted() -> np.ndarray:
    """Seven points: corners at (10, 10) and (50, 40), an upper and a lower edge between them."""
    along, down = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
    corner = np.array([10.0, 10.0])

    def at(x: float, y: float) -> np.ndarray:
        return corner + x * along + y * down

    return np.array([at(0, 0), at(15, -4), at(25, -6), at(50, 0), at(15, 5), at(25, 9), at(35, 6)])


def test_corners_are_at_minus_one_and_one() -> None:
    slit = opening(tilted(), (0, 1, 2, 3), (0, 4, 5, 6, 3))
    s, t = slit.local(tilted()[[0, 3]])
    np.testing.assert_allclose(s, [-1, 1], atol=1e-12)
    np.testing.assert_allclose(t, 0, atol=1e-12)
    assert slit.half_width == pytest.approx(25)


def test_edges_go_through_their_landmarks() -> None:
    slit = opening(tilted(), (0, 1, 2, 3), (0, 4, 5, 6, 3))
    s, t = slit.local(tilted())
    np.testing.assert_allclose(slit.upper(s[1:3]), t[1:3], atol=2e-2)
    np.testing.assert_allclose(slit.lower(s[4:]), t[4:], atol=2e-2)


def test_edges_do_not_overshoot_their_landmarks() -> None:
    slit = opening(tilted(), (0, 1, 2, 3), (0, 4, 5, 6, 3))
    s = np.linspace(-1, 1, 201)
    assert slit.upper(s).min() >= -6.001
    assert slit.upper(s).max() <= 0
    assert slit.lower(s).max() <= 9.001


def test_beyond_the_corners_the_edges_are_the_line_through_them() -> None:
    slit = opening(tilted(), (0, 1, 2, 3), (0, 4, 5, 6, 3))
    for edge in (slit.upper, slit.lower):
        np.testing.assert_array_equal(edge(np.array([-3.0, -1.0, 1.0, 1.2])), 0)


def test_local_and_canvas_are_inverse() -> None:
    slit = opening(tilted(), (0, 1, 2, 3), (0, 4, 5, 6, 3))
    xy = np.random.default_rng(1).uniform(0, 60, (50, 2))
    np.testing.assert_allclose(slit.canvas(*slit.local(xy)), xy, atol=1e-9)


def test_a_contour_that_folds_back_still_gives_an_edge() -> None:
    points = tilted()
    points[[1, 2]] = points[[2, 1]]
    slit = opening(points, (0, 1, 2, 3), (0, 4, 5, 6, 3))
    assert np.isfinite(slit.upper(np.linspace(-1, 1, 50))).all()


def test_the_left_eye_is_the_subjects_at_image_right() -> None:
    points = built("actor").rig.landmarks.astype(np.float64)
    left, right = eye_opening(points, "l"), eye_opening(points, "r")
    assert left.centre[0] > mouth_opening(points).centre[0] > right.centre[0]
    assert 386 in EYE_L_UPPER
    assert 159 in EYE_R_UPPER


def test_upper_edges_lie_above_lower_ones_in_a_face() -> None:
    points = built("astronaut").rig.landmarks.astype(np.float64)
    s = np.linspace(-0.8, 0.8, 17)
    for slit in (mouth_opening(points), eye_opening(points, "l"), eye_opening(points, "r")):
        assert (slit.upper(s) < slit.lower(s)).all()
    assert MOUTH_UPPER[0] == MOUTH_LOWER[0]
    assert MOUTH_UPPER[-1] == MOUTH_LOWER[-1]


def test_smoothstep_rises_or_falls_between_its_ends() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smoothstep(0, 1, x), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(1, 0, x), [1, 1, 0.5, 0, 0])


def test_a_bell_has_no_half_in_its_exponent() -> None:
    np.testing.assert_allclose(bell(np.array([0.0, 2.0]), 2.0), [1, np.exp(-1)])
