"""The textures behind slits: what is kept of them, and where it lies."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar

from avatar_worker.render.colour import coefficients, rgb_to_i420
from avatar_worker.render.interior import cropped, interior_of
from avatar_worker.render.nodes import PAD
from avatar_worker.render.planes import Opening, Part, openings_of
from avatar_worker.render.textures import taps_of

TABLE = coefficients("bt709", "limited")


def opening(*parts: Part) -> Opening:
    return Opening(openings_of(tiny_avatar())[0].slit, parts, 0.2, 4)


def coloured(height: int, width: int, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def spotted(spot: tuple[slice, slice]) -> Part:
    """Clear but for a spot."""
    pixels = coloured(30, 40)
    pixels[..., 3] = 0
    pixels[(*spot, 3)] = 200
    return Part("iris_l", (100, 50), pixels)


def test_a_part_is_cut_to_what_is_seen_and_a_clear_line_around() -> None:
    part = spotted((slice(7, 12), slice(20, 33)))
    small = cropped(part)
    assert small.origin == (100 + 19, 50 + 6)
    assert np.array_equal(small.pixels, part.pixels[6:13, 19:34])
    assert not small.pixels[[0, -1], :, 3].any()
    assert not small.pixels[:, [0, -1], 3].any()


def test_an_opaque_part_is_kept_whole_and_a_clear_one_becomes_a_point() -> None:
    whole = Part("cavity", (3, 4), coloured(9, 8))
    assert np.array_equal(cropped(whole).pixels, whole.pixels)
    gone = cropped(spotted((slice(0, 0), slice(0, 0))))
    assert gone.pixels.shape == (1, 1, 4)
    assert gone.pixels[0, 0, 3] == 0


def test_the_table_says_where_every_texture_begins_and_which_is_opaque() -> None:
    cavity, iris = Part("cavity", (3, -4), coloured(9, 8)), spotted((slice(7, 12), slice(20, 33)))
    (luma, chroma, alpha), table = interior_of(opening(cavity, iris), TABLE)
    assert len(luma) == len(chroma) == len(alpha)
    assert table[:, 1:3].tolist() == [[8, 9], [15, 7]]
    assert (table[:, 3:5] >> 16).tolist() == [[3, -4], [119, 56]]
    assert table[:, 5].tolist() == [1, 0]
    for (base, width, height, *_), part in zip(table, (cavity, cropped(iris)), strict=True):
        size = (height + 2 * PAD) * (width + 2 * PAD)
        assert np.array_equal(alpha[base : base + size], taps_of(part.pixels[..., 3].copy()))
        even = part.pixels[: height // 2 * 2, : width // 2 * 2, :3]
        grey = rgb_to_i420(even, TABLE)[: even.shape[0] * even.shape[1]].reshape(even.shape[:2])
        stored = (luma[base : base + size] & 255).reshape(height + 2 * PAD, width + 2 * PAD)
        assert np.array_equal(stored[PAD : PAD + len(grey), PAD : PAD + grey.shape[1]], grey)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_textures_never_overlap(count: int) -> None:
    parts = [Part("cavity", (0, 0), coloured(5 + i, 7 - i, i)) for i in range(count)]
    (luma, _, _), table = interior_of(opening(*parts), TABLE)
    ends = [base + (h + 2 * PAD + 1) * (w + 2 * PAD) for base, w, h, *_ in table]
    assert [0, *ends] == [*(int(base) for base in table[:, 0]), len(luma)]
    assert table.shape == (count, 6)
