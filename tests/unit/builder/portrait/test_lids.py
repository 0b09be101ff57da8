"""The painted upper lid: where it lies, and that it is skin."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars import Layer
from avatar_worker.avatars.builder.portrait.lids import LASHES_U, lid_layer
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
def test_a_lid_covers_neither_lashes_nor_brow_nor_what_lies_beside_the_eye(
    name: str, side: str
) -> None:
    m = measured(name)
    alpha = on_canvas(built(name).layers[f"lid_{side}"])[..., 3]
    s, t = m.eyes[side].local(pixel_centres(512, 640))
    edge, brow = m.eyes[side].upper(s), m.brow_edge_px[side]
    assert alpha[t > edge - LASHES_U[0] * m.u].max() == 0
    assert alpha[np.abs(s) > 1.41].max() == 0
    height = np.maximum(edge - np.interp(s, brow[:, 0], brow[:, 1]), 0.06 * m.u)
    assert alpha[edge - t > height].max() == 0


@pytest.mark.parametrize("side", EYES)
def test_the_actors_shaded_lid_is_painted_brighter_and_smoother(side: str) -> None:
    m, avatar = measured("actor"), built("actor")
    lid = on_canvas(avatar.layers[f"lid_{side}"])
    skin = avatar.layers["skin"].pixels[..., :3].astype(float).mean(-1)
    solid = lid[..., 3] > 180
    assert solid.sum() > 60
    painted = lid[..., :3].mean(-1)
    assert painted[solid].mean() > skin[solid].mean() + 8
    s, t = m.eyes[side].local(pixel_centres(512, 640))
    streaks = solid[:, 1:] & solid[:, :-1] & (t < m.eyes[side].upper(s))[:, 1:]
    across = np.abs(np.diff(painted, axis=1))[streaks].mean()
    assert across < 0.8 * np.abs(np.diff(skin, axis=1))[streaks].mean()


def test_an_even_face_needs_no_paint() -> None:
    rgb = np.full((640, 512, 3), (200, 160, 140), np.uint8)
    for side in EYES:
        layer = lid_layer(rgb, measured("actor"), side)
        assert layer.role == f"lid_{side}"
        assert layer.pixels.shape[2] == 4
        assert layer.pixels[..., 3].max() == 0


def test_a_face_at_the_pictures_edge_is_painted_as_far_as_it_goes() -> None:
    rgb = np.zeros((640, 200, 3), np.uint8)
    layer = lid_layer(rgb, measured("actor"), "l")
    (x, y), (rows, columns) = layer.origin, layer.pixels.shape[:2]
    assert 0 <= x <= x + columns <= 200
    assert 0 <= y <= y + rows <= 640
