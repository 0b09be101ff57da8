"""Detail, light, grain and blocks are measured on a face, each without the others' doing."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.clarity import clarity, sharpness
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.quality import (
    BLOCKY,
    BURNT,
    DIM_LUMA,
    GRAINY,
    MIN_DETAIL,
    PARTLY_BURNT,
    SOFT_DETAIL,
    check_photo,
)
from avatar_worker.errors import AvatarRefusedError

Image = npt.NDArray[np.uint8]


def compressed(picture: Image, quality: int) -> Image:
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def grainy(picture: Image, strength: float) -> Image:
    noise = np.random.default_rng(0).normal(0, strength, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def lit(picture: Image, factor: float) -> Image:
    return np.clip(picture * factor, 0, 255).astype(np.uint8)


def test_sharpness_falls_with_blur(near: Image, near_face: Face) -> None:
    values = [sharpness(near, near_face)]
    for sigma in (1, 2, 4):
        values.append(sharpness(cv2.GaussianBlur(near, (0, 0), sigma), near_face))
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("factor", [0.3, 0.6, 1.2])
def test_detail_does_not_depend_on_light(actor: Image, actors_face: Face, factor: float) -> None:
    whole = clarity(actor, actors_face).detail
    assert clarity(lit(actor, factor), actors_face).detail == pytest.approx(whole, rel=0.15)


def test_detail_falls_with_blur(actor: Image, actors_face: Face) -> None:
    values = [clarity(actor, actors_face).detail]
    for sigma in (1.0, 2.0, 4.0):
        blurred = np.asarray(cv2.GaussianBlur(actor, (0, 0), sigma), np.uint8)
        values.append(clarity(blurred, actors_face).detail)
    assert values == sorted(values, reverse=True)
    assert values[0] > SOFT_DETAIL
    assert values[-1] < MIN_DETAIL


def test_a_plain_photo_has_none_of_the_faults(actor: Image, actors_face: Face) -> None:
    seen = clarity(actor, actors_face)
    assert seen.burnt < 0.2 * PARTLY_BURNT
    assert seen.grain < 0.5 * GRAINY
    assert abs(seen.blocks) < 0.3 * BLOCKY
    assert seen.luma > 1.5 * DIM_LUMA


def test_burnt_light_grows_with_exposure(actor: Image, actors_face: Face) -> None:
    burnt = [clarity(lit(actor, factor), actors_face).burnt for factor in (1.0, 1.5, 2.0, 3.0)]
    assert burnt == sorted(burnt)
    assert burnt[0] == 0
    assert burnt[-1] > BURNT


@pytest.mark.parametrize("strength", [5.0, 15.0])
def test_grain_is_measured_in_luma_steps(actor: Image, actors_face: Face, strength: float) -> None:
    """Noise that is independent in three channels reaches luma by their weights."""
    of_luma = strength * float(np.linalg.norm([0.299, 0.587, 0.114]))
    found = clarity(grainy(actor, strength), actors_face).grain
    assert 0.6 * of_luma < found < 1.3 * of_luma + 1.5


@pytest.mark.parametrize("shift", [(0, 0), (3, 5)])
def test_blocks_are_found_wherever_the_face_lies(
    actor: Image, actors_face: Face, shift: tuple[int, int]
) -> None:
    down, right = shift
    picture = np.ascontiguousarray(actor[down:, right:])
    (face,) = find_faces(picture)
    assert clarity(compressed(picture, 90), face).blocks < 0.5 * BLOCKY
    assert clarity(compressed(picture, 6), face).blocks > BLOCKY


def test_stripes_of_another_width_are_no_blocks(actor: Image, actors_face: Face) -> None:
    striped = actor.copy()
    striped[:, ::7] = 40
    assert clarity(striped, actors_face).blocks < BLOCKY


def test_a_face_at_the_very_edge_can_be_measured(actor: Image, actors_face: Face) -> None:
    x, y = (int(v) for v in actors_face.landmarks[4, :2])
    corner = np.ascontiguousarray(actor[:y, :x])
    assert np.isfinite(clarity(corner, actors_face).detail)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda picture: grainy(picture, 30.0), "grainy"),
        (lambda picture: compressed(picture, 6), "compressed"),
        (lambda picture: lit(picture, 0.3), "dark"),
        (lambda picture: lit(picture, 1.38), "burnt out"),
    ],
)
def test_what_spoils_a_face_is_remarked(
    actor: Image, actors_face: Face, spoil: object, words: str
) -> None:
    assert callable(spoil)
    assert not any(words in line for line in check_photo(actor, actors_face))
    told = [line for line in check_photo(spoil(actor), actors_face) if words in line]
    assert len(told) == 1
    assert told[0].endswith(".")


def test_a_face_burnt_to_white_is_refused(actor: Image, actors_face: Face) -> None:
    with pytest.raises(AvatarRefusedError, match="burnt out") as caught:
        check_photo(lit(actor, 1.8), actors_face)
    assert caught.value.code == "lighting"


def test_a_dark_photo_in_focus_is_not_called_blurred(actor: Image, actors_face: Face) -> None:
    told = check_photo(lit(actor, 0.25), actors_face)
    assert not any("focus" in line for line in told)
