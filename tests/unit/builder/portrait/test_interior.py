from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from avatar_worker.avatars.builder.portrait.interior import (
    LOWER_EDGE_MM,
    UPPER_EDGE_MM,
    interior_numbers,
    mouth_layers,
)
from avatar_worker.avatars.builder.portrait.measures import Measures
from avatar_worker.avatars.builder.portrait.mouth_shapes import JAW_U
from avatar_worker.avatars.builder.portrait.slit import Array
from fakes.portraits import NAMES, built, measured

ROLES = ("cavity", "tongue", "teeth_lower", "teeth_upper")


def column(name: str, role: str, offset: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """mm below the seam and RGBA along the mouth's middle, `offset` px beside the tooth gap."""
    m, layer = measured(name), built(name).layers[role]
    height = layer.pixels.shape[0]
    seam = m.mouth.centre + m.mouth.down * m.seam(np.zeros(1))[0]
    mm = np.arange(-20, 40, 0.25)
    xy = seam + mm[:, None] * m.mm * m.mouth.down + offset * m.mouth.along
    x, y = np.rint(xy - layer.origin).astype(int).T
    inside = (y >= 0) & (y < height)
    return mm[inside], layer.pixels[y[inside], x[inside]]


@pytest.mark.parametrize("name", NAMES)
def test_the_mouth_has_its_four_layers(name: str) -> None:
    layers = built(name).layers
    assert all(layers[role].pixels.dtype == np.uint8 for role in ROLES)
    assert layers["cavity"].pixels.shape[2] == 3
    assert all(layers[role].pixels.shape[2] == 4 for role in ROLES[1:])


@pytest.mark.parametrize("name", NAMES)
def test_the_cavity_covers_the_widest_opening(name: str) -> None:
    m, layer = measured(name), built(name).layers["cavity"]
    left, top = layer.origin
    height, width = layer.pixels.shape[:2]
    corners = m.mouth.canvas(np.array([-1.0, 1.0]), np.zeros(2))
    assert left < corners[:, 0].min() - 5
    assert left + width > corners[:, 0].max() + 5
    assert top < corners[:, 1].min() - 5
    assert top + height > m.mouth.centre[1] + 0.35 * m.u


@pytest.mark.parametrize("name", NAMES)
def test_teeth_bite_just_below_the_seam(name: str) -> None:
    mm, upper = column(name, "teeth_upper")
    assert mm[upper[:, 3] > 127].max() == pytest.approx(UPPER_EDGE_MM, abs=1.0)
    mm, lower = column(name, "teeth_lower")
    assert mm[lower[:, 3] > 127].min() == pytest.approx(LOWER_EDGE_MM, abs=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_teeth_are_modest(name: str) -> None:
    """Hardly brighter than skin in the light: they lie in the mouth's shade."""
    face = built(name).layers["skin"].pixels
    x, y = np.rint(measured(name).points[50, :2]).astype(int)
    skin = face[y - 4 : y + 5, x - 4 : x + 5, :3].mean()
    for role in ("teeth_upper", "teeth_lower"):
        pixels = built(name).layers[role].pixels
        solid = pixels[..., 3] > 250
        # The lips' shadow takes another fifth of it when it is drawn.
        assert np.percentile(pixels[solid][:, :3].mean(-1), 95) < 1.4 * skin


@pytest.mark.parametrize("name", NAMES)
def test_teeth_darken_towards_the_corners(name: str) -> None:
    pixels = built(name).layers["teeth_upper"].pixels
    m = measured(name)
    row = pixels[(pixels[..., 3] > 200).sum(1).argmax()]
    solid = np.nonzero(row[:, 3] > 200)[0]
    middle = solid[np.abs(solid - solid.mean()) < 8 * m.mm]
    ends = solid[np.abs(solid - solid.mean()) > 17 * m.mm]
    # A photo's own teeth bring their light along.
    assert row[middle, :3].mean() > (1.3 if name == "actor" else 1.15) * row[ends, :3].mean()


def upper_teeth() -> tuple[Array, Array, Array]:
    """Millimetres aside (w,) and below the seam (h,) of the actor's upper row, and it. (h, w, 4)."""
    m, layer = measured("actor"), built("actor").layers["teeth_upper"]
    height, width = layer.pixels.shape[:2]
    base = m.mouth.centre + m.mouth.down * float(m.seam(np.zeros(1))[0])
    x = (np.arange(width) + layer.origin[0] - base[0]) / m.mm
    y = (np.arange(height) + layer.origin[1] - base[1]) / m.mm
    return x, y, layer.pixels.astype(np.float64)


def biting_edge() -> tuple[Array, Array]:
    """How far below the seam the upper row ends, mm, at millimetres aside of -18 to 18."""
    x, y, pixels = upper_teeth()
    near = np.abs(x) < 18
    share = pixels[:, near, 3] / 255
    crown = y > UPPER_EDGE_MM - 4
    return x[near], UPPER_EDGE_MM - 4 + share[crown].sum(0) * float(np.diff(y)[0])


def test_the_upper_row_follows_the_lips_arc() -> None:
    x, edge = biting_edge()
    curve = np.polyfit(x, edge, 2)
    assert -0.006 < curve[0] < -0.002


def test_crowns_are_rounder_the_farther_out_they_stand() -> None:
    """The notch where two edges meet is deeper beside the canines than between the front teeth."""
    x, edge = biting_edge()
    bent = edge - np.polyval(np.polyfit(x, edge, 2), x)
    front = bent[np.abs(x) < 1.0].min()
    beside = bent[(np.abs(x) > 7) & (np.abs(x) < 10)].min()
    assert beside < front - 0.15 < 0


def test_the_line_between_two_teeth_is_dark_at_their_edge_and_fades_upwards() -> None:
    x, y, pixels = upper_teeth()
    light = pixels[..., :3].mean(-1)
    gap = np.abs(x) < 0.5
    crown = (np.abs(x) > 2) & (np.abs(x) < 4)

    def share(low: float, high: float) -> float:
        rows = (y > UPPER_EDGE_MM - high) & (y < UPPER_EDGE_MM - low)
        return float(light[np.ix_(rows, gap)].mean() / light[np.ix_(rows, crown)].mean())

    assert share(0.6, 1.6) < 0.93
    assert share(0.6, 1.6) < share(3.5, 5.0) - 0.03


def test_the_cavity_is_dark_and_darker_upwards() -> None:
    mm, colour = column("actor", "cavity")
    assert colour.max() < 105
    assert colour[mm < 2].mean() < colour[mm > 14].mean()


def test_the_tongue_lies_behind_the_lower_teeth_and_is_red() -> None:
    mm, tongue = column("actor", "tongue")
    solid = tongue[tongue[:, 3] > 200]
    assert mm[tongue[:, 3] > 200].min() < LOWER_EDGE_MM + 1
    assert solid[:, 0].mean() > 1.4 * solid[:, 1].mean()


def test_dim_light_dims_the_teeth() -> None:
    m = measured("actor")
    bright, dim = (mouth_layers(np.full((640, 512, 3), v, np.uint8), m)[3] for v in (190, 90))
    assert dim.pixels[..., :3].mean() < 0.8 * bright.pixels[..., :3].mean()
    np.testing.assert_array_equal(dim.pixels[..., 3], bright.pixels[..., 3])


def test_travels_follow_jaw_and_eyes() -> None:
    m, numbers = measured("actor"), interior_numbers(measured("actor"))
    down, jaw = numbers["mouth_down"], numbers["jaw_px"]
    assert np.hypot(*down) == pytest.approx(1)
    assert 0.75 < jaw / (JAW_U * m.u) < 0.95
    assert 0 < numbers["tongue_jaw_px"] < jaw
    assert numbers["gaze_px"] == pytest.approx(0.16 * m.u)


def narrowed(m: Measures, half_width_u: float) -> Measures:
    mouth = dataclasses.replace(m.mouth, half_width=half_width_u * m.u)
    return dataclasses.replace(m, mouth=mouth)


def row_light(m: Measures) -> float:
    """Mean light of the lower row's own pixels."""
    rgb = np.full((640, 512, 3), (190, 150, 130), np.uint8)
    (row,) = [layer for layer in mouth_layers(rgb, m) if layer.role == "teeth_lower"]
    return float(row.pixels[row.pixels[..., 3] > 200][:, :3].mean())


def test_a_narrow_mouth_lets_less_light_in() -> None:
    m = measured("actor")
    usual, wide, narrow, narrowest = (
        row_light(narrowed(m, half_width)) for half_width in (0.40, 0.50, 0.30, 0.20)
    )
    assert wide == pytest.approx(usual, rel=0.06)
    assert narrow < 0.93 * usual
    assert 0.7 * usual < narrowest < narrow
