"""Painted folds: where they lie, that they are light and shade and no more, and how large they are."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars import Layer
from avatar_worker.avatars.builder.portrait.folds import (
    BROWS_ENDS,
    CORNER,
    FOLD,
    GLEAM,
    OWN_FOLDS,
    fold_layers,
)
from avatar_worker.avatars.builder.portrait.slit import Array
from avatar_worker.avatars.format.images import encode
from avatar_worker.avatars.format.writer import PNG
from avatar_worker.render.shape_weights import FOLDS
from fakes.portraits import NAMES, built, measured, photo

SKIN = np.array([200.0, 160.0, 140.0])


def even(name: str) -> dict[str, Layer]:
    """The folds of a face whose skin is one colour."""
    rgb = np.broadcast_to(SKIN.astype(np.uint8), (640, 512, 3)).copy()
    return {layer.role: layer for layer in fold_layers(rgb, measured(name))}


def light(layer: Layer) -> Array:
    """What a layer at full share leaves of even skin's light, on the canvas. (640, 512, 3)."""
    whole = np.ones((640, 512, 3))
    (x, y), (rows, columns) = layer.origin, layer.pixels.shape[:2]
    alpha = layer.pixels[..., 3:] / 255
    painted = SKIN + alpha * (layer.pixels[..., :3] - SKIN)
    whole[y : y + rows, x : x + columns] = painted / SKIN
    return whole


def at(picture: Array, xy: Array) -> Array:
    x, y = np.rint(xy).astype(int).T
    return np.asarray(picture[y, x].mean(-1))


@pytest.mark.parametrize("name", NAMES)
def test_an_avatar_has_the_folds_that_renderers_know(name: str) -> None:
    layers = built(name).layers
    for role in FOLDS:
        assert layers[role].pixels.shape[2] == 4
        assert layers[role].pixels.dtype == np.uint8


@pytest.mark.parametrize("side", FOLD)
def test_the_fold_lies_from_the_nose_around_the_corner_and_is_deepest_there(side: str) -> None:
    m = measured("actor")
    shade = light(even("actor")[f"fold_{side}"])
    curve = m.points[list(FOLD[side][:4]), :2]
    outward = np.sign(m.points[CORNER[side], 0] - m.points[13, 0])
    beyond = curve + [outward * 0.14 * m.u, 0]
    assert (at(shade, curve)[1:] < 0.95).all()
    assert (at(shade, beyond)[1:] > 1.0).all()
    assert shade.min() > 0.6
    assert shade.max() < GLEAM


def test_a_frown_draws_two_lines_between_the_brows() -> None:
    m = measured("actor")
    shade = light(even("actor")["furrow"])
    ends = m.points[list(BROWS_ENDS), :2]
    line = ends[0] + np.linspace(0, 1, 41)[:, None] * (ends[1] - ends[0])
    across = at(shade, line)
    left, right = across[:20].argmin(), 21 + across[21:].argmin()
    assert across[left] < 0.9
    assert across[right] < 0.9
    assert across[20] > max(across[left], across[right]) + 0.04
    assert left + right == pytest.approx(40, abs=4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", FOLDS)
def test_a_fold_ends_softly_inside_its_box(name: str, role: str) -> None:
    alpha = built(name).layers[role].pixels[..., 3].astype(int)
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert rim.max() == 0
    assert np.abs(np.diff(alpha, axis=0)).max() < 40
    assert np.abs(np.diff(alpha, axis=1)).max() < 40
    assert max(alpha[1].max(), alpha[-2].max(), alpha[:, 1].max(), alpha[:, -2].max()) < 24


def test_a_face_that_smiles_on_the_photo_gets_less() -> None:
    """Its own folds are there already, and deepen only a little more."""
    depths = {name: 1 - light(even(name)["fold_l"]).min() for name in NAMES}
    assert depths["astronaut"] < (1.1 - OWN_FOLDS / 2) * depths["actor"]
    assert depths["astronaut"] > 0.02


@pytest.mark.parametrize("name", NAMES)
def test_folds_are_a_small_part_of_the_file(name: str) -> None:
    layers = fold_layers(np.asarray(built(name).layers["skin"].pixels[..., :3]), measured(name))
    assert sum(len(encode(layer.pixels, PNG)) for layer in layers) < 40_000
    assert photo(name).dtype == np.uint8


def test_a_face_at_the_edge_of_the_picture_has_small_boxes_inside_it() -> None:
    m = measured("actor")
    for layer in fold_layers(np.full((250, 200, 3), 90, np.uint8), m):
        rows, columns = layer.pixels.shape[:2]
        x, y = layer.origin
        assert x >= 0
        assert y >= 0
        assert x + columns <= 200
        assert y + rows <= 250
