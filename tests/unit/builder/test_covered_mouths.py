"""A mouth that something covers is remarked; lips in any light and without colour are seen."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.covered import lips_score
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.quality import LIPS_SEEN, check_photo

Image = npt.NDArray[np.uint8]


def with_microphone(rgb: Image, face: Face) -> Image:
    """A dark ball before lips and chin."""
    covered = rgb.copy()
    x, y = face.landmarks[[13, 14], :2].mean(0)
    axes = (round(0.42 * face.iod), round(0.50 * face.iod))
    cv2.ellipse(covered, (round(x), round(y + 0.25 * face.iod)), axes, 0, 0, 360, (36, 36, 38), -1)
    return covered


def with_hand(rgb: Image, face: Face) -> Image:
    """Four fingers of the forehead's colour across the mouth, shaded at their sides."""
    covered, u = rgb.astype(np.float64), face.iod
    x, y = face.landmarks[[13, 14], :2].mean(0)
    brow = np.rint(face.landmarks[151, :2]).astype(int)
    skin = rgb[brow[1] - 5 : brow[1] + 6, brow[0] - 5 : brow[0] + 6].reshape(-1, 3).mean(0)
    for finger in range(4):
        drawn = np.zeros(rgb.shape[:2], np.float32)
        level = y + (0.19 * finger - 0.22) * u
        ends = [(round(x - 0.9 * u), round(level + 0.15 * u)), (round(x + 0.55 * u), round(level))]
        cv2.line(drawn, *ends, 1.0, round(0.2 * u))
        shade = cv2.GaussianBlur(drawn, (0, 0), 0.035 * u)[..., None] ** 2
        share = cv2.GaussianBlur(drawn, (0, 0), 1.2)[..., None]
        covered += share * (skin * (0.72 + 0.30 * shade) - covered)
    return np.clip(covered, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", [0.4, 1.0, 1.3])
def test_bare_lips_are_seen_in_any_light(actor: Image, actors_face: Face, light: float) -> None:
    lit = np.clip(actor * light, 0, 255).astype(np.uint8)
    assert lips_score(lit, actors_face) > 1.5 * LIPS_SEEN


def test_lips_are_seen_without_colour_by_the_line_between_them(
    actor: Image, actors_face: Face
) -> None:
    grey = np.repeat(cv2.cvtColor(actor, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    assert lips_score(np.ascontiguousarray(grey), actors_face) > LIPS_SEEN


def test_lips_that_show_teeth_are_seen_by_their_red(near: Image, near_face: Face) -> None:
    assert lips_score(near, near_face) > LIPS_SEEN


@pytest.mark.parametrize("cover", [with_microphone, with_hand])
@pytest.mark.parametrize("blind", [False, True])
def test_a_covered_mouth_is_noticed_wherever_the_net_sees_lips(
    actor: Image, actors_face: Face, cover: object, blind: bool
) -> None:
    assert callable(cover)
    covered = cover(actor, actors_face)
    face = actors_face if blind else find_faces(covered)[0]
    assert lips_score(covered, face) < LIPS_SEEN


def test_a_covered_mouth_is_remarked_and_not_refused(actor: Image, actors_face: Face) -> None:
    assert not any("lips are hard to see" in line for line in check_photo(actor, actors_face))
    covered = with_hand(actor, actors_face)
    remarks = check_photo(covered, actors_face)
    assert any("lips are hard to see" in line and line.endswith(".") for line in remarks)
