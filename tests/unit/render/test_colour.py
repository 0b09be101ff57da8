"""RGB becomes I420 exactly: known colours, the standard's formula, and the compiled twin."""

import numpy as np
import pytest

from avatar_worker.render.colour import coefficients, pack_i420, rgb_to_i420
from avatar_worker.render.textures import packed

CODINGS = [(m, r) for m in ("bt601", "bt709") for r in ("limited", "full")]
LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}


def plain(colour: tuple[int, int, int], matrix: str, value_range: str) -> tuple[int, int, int]:
    rgb = np.full((4, 6, 3), colour, np.uint8)
    data = rgb_to_i420(rgb, coefficients(matrix, value_range))
    assert (data[:24] == data[0]).all()
    assert (data[24:30] == data[24]).all()
    return int(data[0]), int(data[24]), int(data[30])


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_black_and_white_fill_the_range(matrix: str) -> None:
    assert plain((0, 0, 0), matrix, "limited") == (16, 128, 128)
    assert plain((255, 255, 255), matrix, "limited") == (235, 128, 128)
    assert plain((0, 0, 0), matrix, "full") == (0, 128, 128)
    assert plain((255, 255, 255), matrix, "full") == (255, 128, 128)


@pytest.mark.parametrize(("matrix", "value_range"), CODINGS)
def test_grey_has_no_colour(matrix: str, value_range: str) -> None:
    for level in range(256):
        assert plain((level, level, level), matrix, value_range)[1:] == (128, 128)


def test_the_primaries_are_the_published_ones() -> None:
    assert plain((255, 0, 0), "bt601", "limited") == (81, 90, 240)
    assert plain((0, 255, 0), "bt601", "limited") == (145, 54, 34)
    assert plain((0, 0, 255), "bt601", "limited") == (41, 240, 110)
    assert plain((255, 0, 0), "bt709", "limited") == (63, 102, 240)
    assert plain((0, 255, 0), "bt709", "limited") == (173, 42, 26)
    assert plain((0, 0, 255), "bt709", "limited") == (32, 240, 118)


@pytest.mark.parametrize(("matrix", "value_range"), CODINGS)
def test_every_pixel_is_within_a_rounding_of_the_formula(matrix: str, value_range: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
    data = rgb_to_i420(rgb, coefficients(matrix, value_range)).astype(float)
    red, green, blue = LUMA[matrix]
    wide = rgb.astype(float)
    y = wide @ [red, green, blue]
    u, v = (wide[..., 2] - y) / (2 - 2 * blue), (wide[..., 0] - y) / (2 - 2 * red)
    means = [c.reshape(8, 2, 16, 2).mean((1, 3)).ravel() for c in (u, v)]
    scale, chroma, black = (219 / 255, 224 / 255, 16) if value_range == "limited" else (1, 1, 0)
    expected = np.concatenate([y.ravel() * scale + black, *(m * chroma + 128 for m in means)])
    assert np.abs(data - np.clip(expected, 0, 255)).max() < 0.51


@pytest.mark.parametrize(("matrix", "value_range"), CODINGS)
def test_the_compiled_conversion_is_the_same_bit_for_bit(matrix: str, value_range: str) -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (30, 44, 3), np.uint8)
    rgb[:8] = np.repeat(np.repeat([[0, 255] * 11], 4, 0), 2, axis=0).repeat(2, 1)[..., None]
    rgb[8:12], rgb[12:16, :, 2] = (255, 0, 0), 255
    table = coefficients(matrix, value_range)
    alpha = np.full((30, 44, 1), 200, np.uint8)
    out = np.empty(30 * 44 * 3 // 2, np.uint8)
    pack_i420(packed(np.concatenate([rgb, alpha], axis=2)), table, out)
    assert np.array_equal(out, rgb_to_i420(rgb, table))


@pytest.mark.parametrize("coding", [("bt2020", "limited"), ("bt601", "studio")])
def test_other_codings_are_refused(coding: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="no conversion"):
        coefficients(*coding)
