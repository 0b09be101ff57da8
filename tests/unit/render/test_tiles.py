"""Cells laid aside: blended by shares and put into the shade as the plain sums say, and copied."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from avatar_worker.render.tiles import (
    LIGHT_BITS,
    TILE,
    blend,
    copy_cell,
    darken,
    own_place,
    take_quarters,
)

WIDE, HIGH = 24, 16
PLACE = (8 * WIDE + 8, WIDE, WIDE * HIGH + 4 * WIDE // 2 + 4, WIDE * HIGH // 4)
"""The cell in the second row and column of an I420 picture."""


@numba.njit
def blended(back, front, place, share, start, step, out):
    at, pitch, blue, to_red = place
    there = np.uintp(at), np.uintp(pitch), np.uintp(blue), np.uintp(to_red)
    blend(back, own_place(), front, there, share, start, step, out)


@numba.njit
def darkened(tile, black, shade, start, pitch, per_cover):
    darken(tile, black, shade, start, pitch, per_cover)


@numba.njit
def copied(picture, place, tile, wide, high):
    at, pitch, blue, to_red = place
    copy_cell(picture, at, pitch, blue, to_red, tile, 0, 8, 64, 16, wide, high)


@numba.njit
def quartered(source, which, tile):
    take_quarters(source, which, tile)


def cell_of(picture: np.ndarray) -> np.ndarray:
    """The cell at `PLACE`, as it lies for itself."""
    luma = picture[: WIDE * HIGH].reshape(HIGH, WIDE)[8:16, 8:16]
    chroma = picture[WIDE * HIGH :].reshape(2, HIGH // 2, WIDE // 2)[:, 4:8, 4:8]
    return np.concatenate([luma.ravel(), chroma.ravel()])


def quarters_of_chroma(share: np.ndarray) -> np.ndarray:
    """Means over 2 x 2 of what is said of 8 x 8 pixels, for U and for V."""
    means = share.reshape(4, 2, 4, 2).mean((1, 3)).ravel()
    return np.concatenate([means, means])


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_is_blended_by_the_share_of_every_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tile = rng.integers(0, 256, TILE, np.uint8)
    picture = rng.integers(0, 256, WIDE * HIGH * 3 // 2, np.uint8)
    share = rng.integers(0, 256, (10, 30)).astype(np.int32)
    own = share[1:9, 5:13]
    weights = np.concatenate([own.ravel(), quarters_of_chroma(own)]) / 255
    before = picture.copy()
    wanted = tile + weights * (cell_of(picture).astype(float) - tile)
    blended(tile, picture, PLACE, share.ravel(), 35, 30, picture)
    off = np.abs(cell_of(picture) - wanted)
    assert off[:64].max() <= 0.51
    assert off[64:].max() <= 1.01
    others = np.flatnonzero(before != picture)
    assert len(others) <= TILE
    restored = picture.copy()
    restored[others] = before[others]
    assert np.array_equal(restored, before)


@pytest.mark.parametrize("black", [0, 16])
def test_the_shade_darkens_towards_black_and_takes_colour_away(black: int) -> None:
    rng = np.random.default_rng(black)
    tile = rng.integers(black, 236, TILE, np.uint8)
    reach, shadow = 7, 60
    shade = rng.integers(0, 255 * reach + 1, (8, 8)).astype(np.int32)
    light = 1 - shade / (255 * reach) * shadow / 256
    wanted = np.concatenate(
        [
            black + (tile[:64] - float(black)) * light.ravel(),
            128 + (tile[64:] - 128.0) * quarters_of_chroma(light),
        ]
    )
    darkened(tile, black, shade.ravel(), 0, 8, (shadow << (LIGHT_BITS + 8)) // (255 * reach))
    assert np.abs(tile - wanted).max() <= 0.6


@pytest.mark.parametrize(("wide", "high"), [(8, 8), (2, 8), (6, 4)])
def test_a_cell_is_copied_as_far_as_the_picture_reaches(wide: int, high: int) -> None:
    picture = np.random.default_rng(wide).integers(1, 256, WIDE * HIGH * 3 // 2, np.uint8)
    tile = np.zeros(TILE, np.uint8)
    copied(picture, PLACE, tile, wide, high)
    y, x = np.mgrid[:8, :8]
    inside = (x < wide) & (y < high)
    known = np.concatenate([inside.ravel(), np.tile(inside[::2, ::2].ravel(), 2)])
    assert np.array_equal(tile, np.where(known, cell_of(picture), 0))


@pytest.mark.parametrize("which", [0, 1, 6, 15])
def test_quarters_are_taken_by_their_bits(which: int) -> None:
    source = np.full(TILE, 9, np.uint8)
    tile = np.zeros(TILE, np.uint8)
    quartered(source, which, tile)
    y, x = np.mgrid[:8, :8]
    taken = (which >> (2 * (y // 4) + x // 4)) & 1
    expected = np.concatenate([taken.ravel(), np.tile(taken[::2, ::2].ravel(), 2)])
    assert np.array_equal(tile, 9 * expected)
