"""In a photo without colours nothing that is painted in addition has one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.portrait.build import build_portrait
from avatar_worker.avatars.builder.portrait.tone import photo_tone
from fakes.portraits import NAMES, built, measured, photo

Image = npt.NDArray[np.uint8]

SEPIA = np.array([1.1, 0.95, 0.72])


def skin(name: str) -> Image:
    return np.ascontiguousarray(built(name).layers["skin"].pixels[..., :3])


def grey(picture: Image) -> Image:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)


def sepia(picture: Image) -> Image:
    return np.clip(grey(picture) * SEPIA, 0, 255).astype(np.uint8)


def hue(pixels: Image) -> npt.NDArray[np.float64]:
    """Red and blue beside green. (n, 2)."""
    rgb = pixels.reshape(-1, pixels.shape[-1])[:, :3].astype(np.float64)
    return np.asarray(rgb[:, [0, 2]] - rgb[:, 1:2])


@pytest.mark.parametrize("name", NAMES)
def test_a_coloured_photo_leaves_colours_alone(name: str) -> None:
    tone = photo_tone(skin(name), measured(name))
    assert tone.share == 0
    painted = np.array([[[172, 84, 80, 120]]], np.uint8)
    np.testing.assert_array_equal(tone.shown(painted), painted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("light", [0.3, 1.0])
def test_dim_light_is_no_lack_of_colour(name: str, light: float) -> None:
    dim = (skin(name) * light).astype(np.uint8)
    assert photo_tone(dim, measured(name)).share == 0


def test_a_grey_photo_makes_a_grey_avatar() -> None:
    """Mouth, lids and folds are painted; of the photo itself nothing may change."""
    avatar = build_portrait(
        grey(photo("actor")), avatar_id="g", name="G", consent={"subject": "synthetic"}
    )
    coloured = [layer for layer in avatar.layers.values() if layer.pixels.shape[-1] >= 3]
    assert {"cavity", "tongue", "lid_l", "fold_l"} <= {layer.role for layer in coloured}
    for layer in coloured:
        assert np.abs(hue(layer.pixels)).max() <= 3, layer.role


def test_masks_have_no_tone() -> None:
    mask = built("actor").layers["mask_upper"]
    assert photo_tone(grey(skin("actor")), measured("actor")).over(mask) is mask


def test_a_toned_photo_has_a_mouth_of_its_tone() -> None:
    """Every painted pixel has the hue that the photo has at the same light."""
    toned = sepia(skin("actor"))
    tone = photo_tone(toned, measured("actor"))
    assert tone.share == 1
    painted = np.array([[[172, 84, 80], [60, 20, 20], [200, 190, 180]]], np.uint8)
    for shown in tone.shown(painted)[0].astype(float):
        np.testing.assert_allclose(shown / shown[1], SEPIA / SEPIA[1], atol=0.05)


def test_light_and_alpha_stay_where_hue_goes() -> None:
    tone = photo_tone(grey(skin("actor")), measured("actor"))
    painted = np.array([[[172, 84, 80, 77]]], np.uint8)
    (((r, g, b, a),),) = tone.shown(painted).astype(float)
    assert a == 77
    assert r == pytest.approx(g, abs=2)
    assert b == pytest.approx(0.299 * 172 + 0.587 * 84 + 0.114 * 80, abs=3)


def test_grains_of_colour_in_a_grey_photo_are_no_colours() -> None:
    picture = grey(skin("actor"))
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])
    coded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    noise = np.random.default_rng(0).normal(0, 4, coded.shape)
    grainy = np.clip(coded + noise, 0, 255).astype(np.uint8)
    assert photo_tone(grainy, measured("actor")).share > 0.9


def test_a_flat_picture_has_no_tone() -> None:
    flat = np.full((640, 512, 3), 90, np.uint8)
    assert photo_tone(flat, measured("actor")).share == 0
