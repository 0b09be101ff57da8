"""The person in I420: textures, covers, and lines against the plain sum in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, WIDTH, tiny_rig

from avatar_worker.render import nodes, planar
from avatar_worker.render.cells import person_cells
from avatar_worker.render.colour import coefficients, rgb_to_i420
from avatar_worker.render.nodes import PAD, UNSEEN
from avatar_worker.render.reference import sample, texture_map
from avatar_worker.render.textures import covers_of, flat, pack_skin, packed, taps_of

SIZE = WIDTH * HEIGHT
TABLE = coefficients("bt601", "full")


def smooth_skin(seed: int) -> np.ndarray:
    """Soft colours, clear at the left, opaque at the right, with a soft edge. (H, W, 4)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    skin = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    for c in range(3):
        a, b, phase = rng.uniform(0.03, 0.2, 3)
        skin[..., c] = 128 + 100 * np.sin(a * x + b * y + 9 * phase)
    skin[..., 3] = np.clip((x - 16) * 40, 0, 255)
    return skin


def textures(skin: np.ndarray) -> tuple[np.ndarray, ...]:
    entries = (HEIGHT + 2 * PAD) * (WIDTH + 2 * PAD)
    luma, chroma = np.zeros(entries, np.uint32), np.zeros(entries + WIDTH + 2 * PAD, np.uint32)
    pack_skin(flat(packed(skin)), TABLE, WIDTH, HEIGHT, (0, 0, WIDTH, HEIGHT), luma, chroma)
    return covers_of(skin[..., 3]), luma, chroma, taps_of(skin[..., 3])


def drawn(skin: np.ndarray, plate: np.ndarray, xy: np.ndarray) -> np.ndarray:
    body = tiny_rig().meshes[0]
    coarse, fine = nodes.coarse_nodes(WIDTH, HEIGHT), nodes.fine_nodes(WIDTH, HEIGHT)
    coarse.fill(UNSEEN)
    owner = np.zeros(coarse.shape[1:], np.uint8)
    nodes.trace(body.tri, body.xy, xy, nodes.COARSE, WIDTH - 1, HEIGHT - 1, coarse, owner, 0)
    nodes.extend(coarse, WIDTH - 1, HEIGHT - 1)
    nodes.refine(coarse, fine)
    return painted(fine, skin, rgb_to_i420(plate, TABLE))


def painted(fine: np.ndarray, skin: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Draw the person as the nodes say over a background. I420."""
    kinds = np.empty((HEIGHT // 8, WIDTH // 8), np.uint8)
    covers, *samples = textures(skin)
    person_cells(fine, covers, WIDTH, HEIGHT, kinds)
    out, rows = background.copy(), (0, HEIGHT // 8)
    planar.draw_person(fine, 0, rows, tuple(samples), WIDTH, HEIGHT, background, kinds, out)
    return out


def expected(skin: np.ndarray, plate: np.ndarray, xy: np.ndarray) -> np.ndarray:
    body = tiny_rig().meshes[0]
    colour, alpha = sample(skin, texture_map(body, xy, (HEIGHT, WIDTH)))
    rgb = np.rint(plate + alpha * (colour - plate)).astype(np.uint8)
    return rgb_to_i420(rgb, TABLE)


def swayed(seed: int) -> np.ndarray:
    """The body's vertices after a smooth motion of a few pixels."""
    x, y = tiny_rig().meshes[0].xy.T
    a, b = np.random.default_rng(seed).uniform(1, 3, 2)
    # The picture's border stays where it is, as a field keeps it.
    inside = np.sin(np.pi * x / WIDTH) * np.sin(np.pi * y / HEIGHT)
    moved = np.stack([x + a * inside * np.sin(y / 25), y + b * inside * np.cos(x / 30)], -1)
    return np.ascontiguousarray(moved, np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_a_swaying_person_is_within_levels_of_the_plain_sum(seed: int) -> None:
    skin, xy = smooth_skin(seed), swayed(seed)
    plate = np.random.default_rng(seed).integers(90, 130, (HEIGHT, WIDTH, 3), np.uint8)
    found, wanted = drawn(skin, plate, xy).astype(int), expected(skin, plate, xy).astype(int)
    off = np.abs(found - wanted)
    assert off[:SIZE].mean() < 0.4
    assert off[SIZE:].mean() < 0.5
    assert np.percentile(off, 99.5) <= 3


def test_at_rest_every_sample_is_its_own_pixel() -> None:
    skin = smooth_skin(1)
    skin[..., 3] = 255
    rest = tiny_rig().meshes[0].xy
    plate = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    off = np.abs(drawn(skin, plate, rest).astype(int) - expected(skin, plate, rest))
    assert off.max() <= 1


def test_where_the_person_is_clear_the_background_stays_bit_for_bit() -> None:
    skin = smooth_skin(2)
    plate = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    out, background = drawn(skin, plate, swayed(2)), rgb_to_i420(plate, TABLE)
    left = slice(0, 12)
    luma, wanted = (data[:SIZE].reshape(HEIGHT, WIDTH) for data in (out, background))
    assert np.array_equal(luma[:, left], wanted[:, left])
    assert not np.array_equal(luma[:, 30:], wanted[:, 30:])
    for start in (SIZE, SIZE * 5 // 4):
        chroma, wanted = (
            data[start : start + SIZE // 4].reshape(HEIGHT // 2, WIDTH // 2)
            for data in (out, background)
        )
        assert np.array_equal(chroma[:, :6], wanted[:, :6])


def test_a_cell_without_a_node_is_left_to_the_background() -> None:
    fine = nodes.fine_nodes(WIDTH, HEIGHT)
    fine.fill(UNSEEN)
    background = np.arange(SIZE * 3 // 2, dtype=np.uint64).astype(np.uint8)
    out = painted(fine, smooth_skin(0), background)
    assert np.array_equal(out, background)


@pytest.mark.parametrize("far", [-(PAD - 1), 0, 1])
def test_samples_at_the_farthest_nodes_stay_inside_the_textures(far: int) -> None:
    """Every entry is tagged by its neighbours: outside there is nothing that could pass."""
    fine = nodes.fine_nodes(WIDTH, HEIGHT)
    limit = np.array([WIDTH - 1, HEIGHT - 1]) + PAD - 1 if far > 0 else np.full(2, far)
    fine[0], fine[1] = limit[0] << 16, limit[1] << 16
    skin = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    skin[..., 3] = 255
    out = painted(fine, skin, np.zeros(SIZE * 3 // 2, np.uint8))
    assert (out[:SIZE] == 200).all()
    assert (out[SIZE:] == 128).all()
