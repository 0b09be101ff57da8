"""The person in I420: textures, covers, and lines against the plain sum in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, WIDTH, tiny_rig

from avatar_worker.render import nodes, planar
from avatar_worker.render.cells import CLEAR, MIXED, REACH, SOLID, person_cells
from avatar_worker.render.colour import coefficients, rgb_to_i420
from avatar_worker.render.nodes import PAD, UNSEEN
from avatar_worker.render.planar import covers_of, pack_skin, taps_of
from avatar_worker.render.prepared import flat, packed
from avatar_worker.render.reference import sample, texture_map

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
    nodes.trace(body.tri, body.xy, xy, nodes.COARSE, WIDTH - 1, HEIGHT - 1, coarse, owner, 1)
    nodes.extend(coarse, WIDTH - 1, HEIGHT - 1)
    nodes.refine(coarse, fine)
    return painted(fine, skin, rgb_to_i420(plate, TABLE))


def painted(fine: np.ndarray, skin: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Draw the person as the nodes say over a background. I420."""
    kinds = np.empty((HEIGHT // 8, WIDTH // 8), np.uint8)
    covers, *samples = textures(skin)
    person_cells(fine, covers, WIDTH, HEIGHT, kinds)
    lines = tuple(np.empty(WIDTH + 16, np.int32) for _ in range(planar.LINES))
    out, rows = background.copy(), (0, HEIGHT // 8)
    planar.draw_person(fine, 0, rows, tuple(samples), WIDTH, HEIGHT, background, kinds, lines, out)
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
