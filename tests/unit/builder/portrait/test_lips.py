"""The rims of the lips: no light line of teeth around an open mouth, and lips that turn inwards."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars.builder.portrait.fill import Floats
from avatar_worker.avatars.builder.portrait.lips import (
    BEYOND,
    CLOSED_SHARE,
    DARKEST,
    RIM_SHARE,
    RIM_U,
    TURNED_IN,
    TURNS_U,
    grown_over,
    lips,
)
from avatar_worker.avatars.builder.portrait.measures import Measures
from avatar_worker.avatars.builder.portrait.slit import Array
from avatar_worker.avatars.builder.portrait.textures import pixel_centres
from fakes.portraits import NAMES, measured

SKIN = np.array([180.0, 120.0, 100.0], np.float32)
TEETH = np.array([240.0, 235.0, 225.0], np.float32)


def face(m: Measures) -> tuple[Floats, Array, Array, Array]:
    """Even skin, `s`, `t`, and how far each pixel lies outside the gap between the lips."""
    s, t = m.mouth.local(pixel_centres(512, 640))
    outside = np.maximum(m.mouth.upper(s) - t, t - m.mouth.lower(s))
    return np.broadcast_to(SKIN, (640, 512, 3)).copy(), s, t, np.asarray(outside)


def test_a_rim_as_light_as_teeth_becomes_flesh_where_the_photo_shows_parted_lips() -> None:
    m = measured("astronaut")
    person, s, t, outside = face(m)
    thinnest = min(m.upper_lip_px, m.lower_lip_px)
    spoilt = min(RIM_U * m.u, RIM_SHARE * thinnest) - 1.5
    assert spoilt > 0.5
    person[(np.abs(s) < 0.98) & (outside < spoilt)] = TEETH
    assert (lips(person, m, s, t) <= SKIN + 2).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_lip_darkens_and_reddens_towards_its_edge(name: str) -> None:
    m = measured(name)
    person, s, t, outside = face(m)
    found = lips(person, m, s, t)
    column = (np.abs(s) < 0.5) & (t > m.mouth.lower(s))
    rings = [(0.0, 0.01), (0.01, 0.025), (0.025, 0.05)]
    light = [
        (found / SKIN)[column & (outside >= a * m.u) & (outside < b * m.u)].mean(0)
        for a, b in rings
    ]
    assert all((near < far).all() for near, far in zip(light, light[1:], strict=False))
    assert (np.diff(light[0]) < 0.002).all()


@pytest.mark.parametrize("name", NAMES)
def test_skin_away_from_the_lips_edges_stays_as_it_is(name: str) -> None:
    m = measured(name)
    noise = np.random.default_rng(3).uniform(0, 60, (640, 512, 3))
    person, s, t, outside = face(m)
    person = np.asarray(person + noise, np.float32)
    away = (outside > TURNS_U[0] * m.u + 4) | (np.abs(s) > BEYOND[1] + 0.1)
    np.testing.assert_array_equal(lips(person, m, s, t)[away], person[away])


def test_lips_that_the_photo_shows_closed_are_shaded_less_and_keep_their_own_pixels() -> None:
    m = measured("actor")
    person, s, t, outside = face(m)
    person[np.abs(outside) < 1] *= 0.5
    found = lips(person, m, s, t)
    inside = (np.abs(s) < 0.8) & (outside < TURNS_U[1] * m.u)
    least = 1 - CLOSED_SHARE * (1 - np.array(TURNED_IN))
    middle = np.abs(s) < 0.8
    assert (found[middle] >= person[middle] * least - 0.01).all()
    assert not inside.any() or np.allclose(found[inside], person[inside] * least, atol=0.5)


def test_the_black_line_between_closed_lips_is_no_pens_line_around_the_open_mouth() -> None:
    m = measured("actor")
    person, s, t, outside = face(m)
    line = (np.abs(s) < 0.9) & (np.abs(t - m.mouth.upper(s)) < 1.5)
    person[line] = 5.0
    found = lips(person, m, s, t)[line]
    least = 1 - CLOSED_SHARE * (1 - np.array(TURNED_IN))
    assert (found > 0.9 * DARKEST * SKIN * least).all()
    assert (found < 0.7 * SKIN).all(), "it stays a seam"


def test_a_hole_is_filled_from_around_and_nothing_else_changes() -> None:
    person = np.full((60, 80, 3), 100, np.float32)
    hole = np.zeros((60, 80), bool)
    hole[25:35, 30:50] = True
    person[hole] = 250
    found = grown_over(person, hole, 0.5)
    np.testing.assert_allclose(found[27:33, 32:48], 100, atol=0.5)
    np.testing.assert_array_equal(found[:18], person[:18])
    np.testing.assert_array_equal(grown_over(person, np.zeros_like(hole), 0.5), person)
