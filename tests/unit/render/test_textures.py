"""Textures in the forms that are sampled: padded, packed, and what is known about them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, WIDTH
from tests.unit.render.test_planar import SIZE, TABLE, smooth_skin, textures

from avatar_worker.render.cells import CLEAR, MIXED, REACH, SOLID
from avatar_worker.render.colour import rgb_to_i420
from avatar_worker.render.nodes import COARSE, PAD, coarse_nodes
from avatar_worker.render.textures import (
    RINGS,
    away_of,
    covers_of,
    flat,
    pack_skin,
    packed,
    taps_of,
)


def test_covers_know_the_clear_the_solid_and_the_edge_between() -> None:
    alpha = np.zeros((60, 80), np.uint8)
    alpha[:, 30:] = 255
    kinds = covers_of(alpha).reshape(60 + 2 * PAD, 80 + 2 * PAD)[PAD:-PAD, PAD:-PAD]
    assert (kinds[:, : 30 - REACH] == CLEAR).all()
    assert (kinds[:, 30 - REACH : 30 + REACH] == MIXED).all()
    assert (kinds[:, 30 + REACH :] == SOLID).all()


def test_one_half_clear_pixel_makes_its_surroundings_mixed() -> None:
    alpha = np.full((60, 60), 255, np.uint8)
    alpha[30, 20] = 254
    kinds = covers_of(alpha).reshape(60 + 2 * PAD, 60 + 2 * PAD)[PAD:-PAD, PAD:-PAD]
    y, x = np.mgrid[:60, :60]
    near = (np.abs(y - 30) <= REACH) & (np.abs(x - 20) <= REACH)
    assert np.array_equal(kinds == MIXED, near)


def test_taps_hold_a_pixel_and_its_three_neighbours() -> None:
    plane = np.random.default_rng(3).integers(0, 256, (9, 7), np.uint8)
    taps = taps_of(plane).reshape(9 + 2 * PAD, 7 + 2 * PAD)
    wide = np.pad(plane, PAD + 1, mode="edge").astype(np.uint32)[1:, 1:]
    assert np.array_equal(taps & 255, wide[:-1, :-1])
    assert np.array_equal((taps >> 8) & 255, wide[:-1, 1:])
    assert np.array_equal((taps >> 16) & 255, wide[1:, :-1])
    assert np.array_equal(taps >> 24, wide[1:, 1:])


def test_luma_is_packed_as_taps_are() -> None:
    skin = smooth_skin(4)
    y = rgb_to_i420(skin[..., :3], TABLE)[:SIZE].reshape(HEIGHT, WIDTH)
    assert np.array_equal(textures(skin)[1], taps_of(y))


def test_a_packed_chroma_value_is_the_mean_of_the_colours_that_count() -> None:
    rng = np.random.default_rng(6)
    skin = rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    skin[::2, ::2, 3] = 0
    skin[:4, :4, 3] = 0
    chroma = textures(skin)[2][: (HEIGHT + 2 * PAD) * (WIDTH + 2 * PAD)]
    chroma = chroma.reshape(HEIGHT + 2 * PAD, WIDTH + 2 * PAD)[PAD:-PAD, PAD:-PAD]
    for y, x in ((0, 0), (1, 2), (10, 21), (33, 40), (HEIGHT - 2, WIDTH - 2)):
        part = skin[y : y + 2, x : x + 2].reshape(4, 4).astype(float)
        share = part[:, 3] if part[:, 3].any() else np.ones(4)
        rgb = (part[:, :3] * share[:, None]).sum(0) / share.sum()
        for row, shift in ((1, 0), (2, 16)):
            wanted = min((rgb @ TABLE[row, :3] + TABLE[row, 3]) / 65536, 255.99)
            assert (chroma[y, x] >> shift) & 255 == pytest.approx(np.floor(wanted), abs=1)


@pytest.mark.parametrize(
    "box", [(20, 30, 41, 47), (0, 0, 9, 5), (50, 70, WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT)]
)
def test_packing_a_part_again_is_as_good_as_packing_everything(
    box: tuple[int, int, int, int],
) -> None:
    before, after = smooth_skin(7), smooth_skin(7)
    x0, y0, x1, y1 = box
    after[y0:y1, x0:x1, :3] = np.random.default_rng(8).integers(0, 256, (y1 - y0, x1 - x0, 3))
    _, luma, chroma, _ = textures(before)
    pack_skin(flat(packed(after)), TABLE, WIDTH, HEIGHT, box, luma, chroma)
    _, wanted_luma, wanted_chroma, _ = textures(after)
    assert np.array_equal(luma, wanted_luma)
    assert np.array_equal(chroma, wanted_chroma)


@pytest.mark.parametrize("size", [(80, 64), (77, 59), (24, 130)])
@pytest.mark.parametrize("seed", range(3))
def test_no_node_lies_nearer_to_the_person_than_is_said(seed: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    alpha = np.zeros(size, np.uint8)
    for _ in range(1 + 2 * seed):
        alpha[rng.integers(size[0]), rng.integers(size[1])] = rng.integers(1, 256)
    away = away_of(alpha)
    assert away.shape == coarse_nodes(size[1], size[0]).shape[1:]
    points = np.argwhere(alpha)
    for (row, column), least in np.ndenumerate(away):
        nearest = np.abs(points - np.array([row, column]) * COARSE).max(1).min()
        assert least <= nearest
        assert least >= min(nearest - 2 * COARSE, COARSE * RINGS)


def test_where_nobody_is_every_node_is_far_away() -> None:
    assert (away_of(np.zeros((40, 48), np.uint8)) == COARSE * RINGS).all()
    assert (away_of(np.full((40, 48), 9, np.uint8)) == 0).all()
