"""Glasses are noticed by their frame; a bare face is not taken for one with glasses."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder import quality
from avatar_worker.avatars.builder.glasses import EYES_AT, UNIT_PX, WEARS, glasses_score, upright
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.portrait.arkit import UNDER_GLASSES, arkit_to_shape
from avatar_worker.avatars.builder.portrait.shapes import SHAPES
from avatar_worker.avatars.builder.scores import scores
from avatar_worker.frames import CONTROL_INDEX
from fakes.portraits import measured, photo

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def actor() -> tuple[Image, Face]:
    picture = photo("actor")
    return picture, find_faces(picture)[0]


def with_frame(picture: Image, face: Face, thick_u: float, colour: tuple[int, int, int]) -> Image:
    """Two round rims and a bridge."""
    worn, u = picture.copy(), face.iod
    line = max(1, round(thick_u * u))
    for eye in (468, 473):
        x, y = (float(v) for v in face.landmarks[eye, :2] + [0, 0.08 * u])
        cv2.ellipse(worn, ((x, y), (0.82 * u, 0.62 * u), 0.0), colour, line, cv2.LINE_AA)
    x, y = (float(v) for v in face.landmarks[[468, 473], :2].mean(0))
    ends = ((round(x - 0.1 * u), round(y)), (round(x + 0.1 * u), round(y)))
    cv2.line(worn, *ends, colour, line, cv2.LINE_AA)
    return worn


def test_a_bare_face_scores_low(actor: tuple[Image, Face], near: Image, near_face: Face) -> None:
    assert glasses_score(*actor) < 0.8 * WEARS
    assert glasses_score(near, near_face) < 0.8 * WEARS


@pytest.mark.parametrize(("thick", "colour"), [(0.05, (30, 25, 25)), (0.03, (70, 60, 55))])
def test_a_frame_scores_high_and_is_remarked(
    actor: tuple[Image, Face], thick: float, colour: tuple[int, int, int]
) -> None:
    picture, face = actor
    worn = with_frame(picture, face, thick, colour)
    assert glasses_score(worn, face) > 1.2 * WEARS
    assert any("glasses" in remark for remark in quality.check_photo(worn, face))
    assert not any("glasses" in remark for remark in quality.check_photo(picture, face))


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_the_score_does_not_depend_on_the_photos_size(
    actor: tuple[Image, Face], scale: float
) -> None:
    picture, face = actor
    worn = with_frame(picture, face, 0.05, (30, 25, 25))
    small = np.asarray(cv2.resize(worn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    found = Face(face.landmarks * np.float32(scale), face.blendshapes, face.box, 1.0, 1.0)
    assert glasses_score(small, found) == pytest.approx(glasses_score(worn, face), rel=0.35)


@pytest.mark.parametrize("angle", [0, 25])
def test_a_face_is_turned_upright(actor: tuple[Image, Face], angle: float) -> None:
    picture, face = actor
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.7)
    turned = np.asarray(cv2.warpAffine(picture, turn, (width, height)), np.uint8)
    points = face.landmarks.copy()
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    straight, marks = upright(turned, Face(points, face.blendshapes, face.box, 1.0, 1.0))
    assert straight.shape == (256, 192, 3)
    np.testing.assert_allclose(marks[[468, 473]].mean(0), EYES_AT, atol=0.01)
    np.testing.assert_allclose(marks[473] - marks[468], [UNIT_PX, 0], atol=0.01)


def test_brows_move_less_under_glasses() -> None:
    bare, worn = (arkit_to_shape(measured("actor"), brows=b) for b in (1.0, UNDER_GLASSES))
    brow, blink = SHAPES.index("browUpL"), SHAPES.index("blinkL")
    control = CONTROL_INDEX["browOuterUpLeft"]
    assert worn[control, brow] == pytest.approx(UNDER_GLASSES * bare[control, brow])
    np.testing.assert_array_equal(worn[:, blink], bare[:, blink])


def test_the_scores_name_what_a_photo_is_judged_by(actor: tuple[Image, Face]) -> None:
    found = scores(*actor)
    assert set(found) >= {"face_px", "detail", "yaw_deg", "lip_gap_u", "smile", "glasses"}
    assert abs(found["yaw_deg"]) < 5
    assert all(np.isfinite(value) for value in found.values())
