"""Painted folds: where they lie, that they are light and shade and no more, and how large they are."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.avatars import Layer
from avatar_worker.avatars.builder.portrait.folds import (
    BROWS_ENDS,
    CORNER,
    FULL_SMILE,
    GLEAM,
    OUTWARD,
    OWN_FOLDS,
    WING,
    fold_layers,
    fold_line,
)
from avatar_worker.avatars.builder.portrait.mouth_shapes import mouth_fields
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


def smiled(side: str, xy: Array, name: str = "actor") -> Array:
    """Where canvas points of the upper skin lie on the smiling face. (n, 2)."""
    fields = mouth_fields(measured(name), xy)
    moved = xy + fields["close"][0] + FULL_SMILE * fields[f"smile{side.upper()}"][0]
    return np.asarray(moved)


def beside_the_mouth(side: str, along: Array, across: Array) -> Array:
    """Points of the resting face that a smile brings beside its fold. (n, 2).

    Args:
        side: `l` or `r`.
        along: 0 at the wing of the nose, 1 at the end. (n,).
        across: Outwards from the fold, of the eyes' distance. (n,).
    """
    m = measured("actor")
    line = fold_line(m, side)
    at = np.stack([np.interp(along, np.linspace(0, 1, len(line)), line[:, k]) for k in (0, 1)], -1)
    wanted = at + across[:, None] * m.u * OUTWARD[side] * m.mouth.along
    found = wanted.copy()
    for _ in range(40):
        found += 0.7 * (wanted - smiled(side, found))
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", WING)
def test_a_smiles_fold_runs_from_the_nose_straight_outwards_and_past_the_mouth(
    side: str, name: str
) -> None:
    m = measured(name)
    line = fold_line(m, side)
    corner = smiled(side, m.points[[CORNER[side]], :2], name)[0]
    s, t = (line - corner) @ m.mouth.along * OUTWARD[side] / m.u, (line - corner) @ m.mouth.down
    assert (np.diff(s) > 0).all()
    assert (np.diff(t) > 0).all()
    assert 0.05 < s[-2] < 0.25
    assert t[-1] > 0.1 * m.u
    straight = line[2] - line[0]
    off = line[1] - line[0]
    bend = abs(straight[0] * off[1] - straight[1] * off[0]) / np.linalg.norm(straight)
    assert bend < 0.05 * np.linalg.norm(straight)


@pytest.mark.parametrize("side", WING)
def test_a_fold_is_deepest_at_the_nose_and_gone_below_the_corner(side: str) -> None:
    shade = light(even("actor")[f"fold_{side}"])
    along = np.array([0.15, 0.4, 0.66, 0.99])
    depth = 1 - at(shade, beside_the_mouth(side, along, np.zeros(4)))
    assert depth[0] > 0.08
    assert depth[0] > depth[1] > depth[2] > 0.01
    assert depth[3] < 0.01
    assert shade.min() > 0.6


@pytest.mark.parametrize("side", WING)
def test_the_cheek_beside_a_fold_is_lifted_into_the_light(side: str) -> None:
    shade = light(even("actor")[f"fold_{side}"])
    along = np.array([0.25, 0.4, 0.55])
    cheek = at(shade, beside_the_mouth(side, along, np.full(3, 0.15)))
    assert (cheek > 1.015).all()
    assert shade.max() < GLEAM


@pytest.mark.parametrize("side", WING)
def test_a_folds_shade_falls_softly_to_the_lip_and_steeply_from_the_cheek(side: str) -> None:
    shade = light(even("actor")[f"fold_{side}"])
    half = np.array([0.4])
    lip, cheek = (at(shade, beside_the_mouth(side, half, np.array([x])))[0] for x in (-0.06, 0.06))
    assert lip < 0.97 < cheek


def test_a_fold_is_as_warm_as_flesh() -> None:
    shade = light(even("actor")["fold_l"])
    red, green, blue = shade[np.unravel_index(shade.mean(-1).argmin(), shade.shape[:2])]
    assert red > green + 0.05
    assert green >= blue


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
