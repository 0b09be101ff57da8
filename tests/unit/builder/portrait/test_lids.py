"""The painted closed eye: where it lies, that it is skin with a fold, and where its lashes hang."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars import Layer
from avatar_worker.avatars.builder.portrait.eye_shapes import blink_px, upper_lid
from avatar_worker.avatars.builder.portrait.lashes import DARKEST, LUMA, lashes
from avatar_worker.avatars.builder.portrait.lids import BELOW_U, lid_layer
from avatar_worker.avatars.builder.portrait.measures import EYES
from avatar_worker.avatars.builder.portrait.slit import Array
from avatar_worker.avatars.builder.portrait.textures import pixel_centres
from fakes.portraits import NAMES, built, measured


def on_canvas(layer: Layer) -> Array:
    """The layer on a clear canvas, float."""
    whole = np.zeros((640, 512, 4))
    (x, y), (rows, columns) = layer.origin, layer.pixels.shape[:2]
    whole[y : y + rows, x : x + columns] = layer.pixels
    return whole


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", EYES)
def test_a_lid_covers_neither_brow_nor_cheek_nor_what_lies_beside_the_eye(
    name: str, side: str
) -> None:
    m = measured(name)
    alpha = on_canvas(built(name).layers[f"lid_{side}"])[..., 3]
    s, t = m.eyes[side].local(pixel_centres(512, 640))
    edge, brow = m.eyes[side].upper(s), m.brow_edge_px[side]
    assert alpha[t - m.eyes[side].lower(s) > 0.08 * m.u].max() == 0
    assert alpha[np.abs(s) > 1.76].max() == 0
    height = np.maximum(edge - np.interp(s, brow[:, 0], brow[:, 1]), 0.06 * m.u)
    assert alpha[edge - t > height].max() == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", EYES)
def test_what_meets_when_the_eye_closes_is_covered_and_dark(name: str, side: str) -> None:
    """A rim that the landmarks missed would stay behind as a white sliver."""
    m, avatar = measured(name), built(name)
    lid = on_canvas(avatar.layers[f"lid_{side}"])
    s, t = m.eyes[side].local(pixel_centres(512, 640))
    middle = np.abs(s) < 0.7
    below = t - m.eyes[side].lower(s)
    rim = middle & (below > 0) & (below < 0.25 * BELOW_U * m.u)
    assert lid[rim, 3].min() > 200
    above = m.eyes[side].upper(s) - t
    line = middle & (above > -0.5) & (above < 0.006 * m.u)
    skin = middle & (above > 0.06 * m.u) & (above < 0.10 * m.u)
    assert lid[line, :3].mean() < 0.8 * lid[skin, :3].mean()


@pytest.mark.parametrize("side", EYES)
def test_the_actors_shaded_lid_is_painted_brighter_and_smoother(side: str) -> None:
    m, avatar = measured("actor"), built("actor")
    lid = on_canvas(avatar.layers[f"lid_{side}"])
    skin = avatar.layers["skin"].pixels[..., :3].astype(float).mean(-1)
    s, t = m.eyes[side].local(pixel_centres(512, 640))
    above = m.eyes[side].upper(s) - t
    bulge = (np.abs(s) < 0.6) & (above > 0.045 * m.u) & (above < 0.09 * m.u)
    assert bulge.sum() > 60
    assert lid[bulge, 3].min() > 200
    painted = lid[..., :3].mean(-1)
    assert painted[bulge].mean() > skin[bulge].mean() + 8
    inside = bulge[:, 1:] & bulge[:, :-1]
    across = np.abs(np.diff(painted, axis=1))[inside].mean()
    assert across < 0.8 * np.abs(np.diff(skin, axis=1))[inside].mean()


def test_an_even_face_gets_no_more_than_relief_and_lashes() -> None:
    rgb = np.full((640, 512, 3), (200, 160, 140), np.uint8)
    m = measured("actor")
    for side in EYES:
        layer = lid_layer(rgb, m, side)
        assert layer.role == f"lid_{side}"
        lid = on_canvas(layer)
        s, t = m.eyes[side].local(pixel_centres(512, 640))
        skin = (m.eyes[side].upper(s) - t > 0.05 * m.u) & (lid[..., 3] > 0)
        share = lid[skin, :3] / (200, 160, 140)
        assert share.min() > 0.82
        assert share.max() < 1.06
        assert np.ptp(share, axis=1).max() < 0.02, "the hue is the skin's"


@pytest.mark.parametrize("side", EYES)
def test_a_fold_crosses_the_lid_over_its_bulge(side: str) -> None:
    rgb = np.full((640, 512, 3), (200, 160, 140), np.uint8)
    m = measured("actor")
    lid = on_canvas(lid_layer(rgb, m, side))
    eye = m.eyes[side]
    above = np.arange(0.03, 0.22, 0.005) * m.u
    zero = np.zeros_like(above)
    column = eye.canvas(zero, eye.upper(zero) - above)
    x, y = np.rint(column).astype(int).T
    light = lid[y, x, 0] / 200
    over = above + blink_px(m, side, zero) * (1 - upper_lid(m, side, zero, eye.upper(zero) - above))
    q = over / (over - above + 0.17 * m.u)
    bulge, fold = np.abs(q - 0.40) < 0.15, np.abs(q - 0.82) < 0.10
    assert light[bulge].max() > 1.0
    assert light[fold].min() < 0.95


def test_a_face_at_the_pictures_edge_is_painted_as_far_as_it_goes() -> None:
    rgb = np.zeros((640, 200, 3), np.uint8)
    layer = lid_layer(rgb, measured("actor"), "l")
    (x, y), (rows, columns) = layer.origin, layer.pixels.shape[:2]
    assert 0 <= x <= x + columns <= 200
    assert 0 <= y <= y + rows <= 640


def strip(root: int) -> tuple[Array, Array, Array, Array]:
    """Cover by lashes around a level eye 100 px wide, with the photo's roots as dark as given.

    Returns:
        Cover, x from the temple (-1) to the nose (1), pixels over and under the closed line.
    """
    u = 200.0
    y, x = np.mgrid[-60:60, -60:61]
    along, over, below = x / 50.0, -1.0 * y, 1.0 * y
    part = np.full((*y.shape, 3), 180, np.float32)
    part[(over > 0) & (over < 0.03 * u)] = root
    cover, colour = lashes(part, along, over, below, u)
    assert float(colour @ LUMA) <= DARKEST * 180 + 1
    return cover, along, over, below


def test_lashes_are_thicker_and_longer_towards_the_temple() -> None:
    cover, along, over, below = strip(20)
    temple, nose = (along > -0.7) & (along < -0.4), (along > 0.4) & (along < 0.7)
    assert cover[temple].sum() > 1.5 * cover[nose].sum()
    assert cover[np.abs(along) > 1.1].max() == 0
    assert cover[over > 0.10 * 200].max() < 0.01
    assert cover[below > 0.07 * 200].max() < 0.01
    assert cover[temple & (below > 0.03 * 200)].max() > 0.1, "hairs hang over the cheek"


def test_lashes_are_as_strong_as_the_photos() -> None:
    black, brown, none = (strip(root)[0].sum() for root in (10, 110, 180))
    assert black > brown > none > 0


def test_lashes_without_a_photo_of_them_are_faint() -> None:
    cover, _ = lashes(np.zeros((2, 2, 3), np.float32), *(np.ones((2, 2)),) * 3, 50.0)
    assert cover.max() < 0.4
