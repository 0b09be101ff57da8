"""Eyes and mouth at rest: shut and hidden eyes are refused, sleepy ones remarked, open ones pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.expression import (
    EYES,
    HALF_SHUT,
    SHUT,
    check_expression,
    eye_openings,
    lip_gap_u,
)
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.errors import AvatarRefusedError
from fakes.portraits import photo

RENDERED = Path(__file__).parents[2] / "golden" / "actor"

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def face() -> Face:
    """The actor's, with the faint smile taken from its scores."""
    return with_scores(find_faces(photo("actor"))[0], mouthSmileLeft=0.1, mouthSmileRight=0.1)


def with_lids(face: Face, *openings: float) -> Face:
    """The face with its upper lids so far above the lower ones: image left, image right."""
    points = face.landmarks.copy()
    for ((start, end), upper, lower, _), opening in zip(EYES, openings, strict=True):
        width = np.linalg.norm(points[end, :2] - points[start, :2])
        for above, below in zip(upper, lower, strict=True):
            points[above, :2] = points[below, :2] - [0, opening * width]
    return dataclasses.replace(face, landmarks=points)


def with_scores(face: Face, **scores: float) -> Face:
    return dataclasses.replace(face, blendshapes=face.blendshapes | scores)


def refusal(face: Face) -> AvatarRefusedError:
    with pytest.raises(AvatarRefusedError) as caught:
        check_expression(face)
    assert str(caught.value).endswith(".")
    return caught.value


def test_open_eyes_and_a_closed_mouth_pass(face: Face) -> None:
    assert min(eye_openings(face)) > 1.2 * HALF_SHUT
    assert check_expression(face) == []


@pytest.mark.parametrize("openings", [(0.10, 0.30), (0.25, 0.12)])
def test_openings_are_those_of_the_lids(face: Face, openings: tuple[float, float]) -> None:
    assert eye_openings(with_lids(face, *openings)) == pytest.approx(openings, rel=0.02)


@pytest.mark.parametrize("name", ["man_blink", "woman_blink"])
def test_a_rendered_blink_is_refused(name: str) -> None:
    bgr = cv2.imread(str(RENDERED / f"{name}.webp"))
    assert bgr is not None
    (seen,) = find_faces(np.ascontiguousarray(bgr[:, :, ::-1], np.uint8))
    assert max(eye_openings(seen)) < 0.6 * SHUT
    assert refusal(seen).code == "eyes_closed"


@pytest.mark.parametrize("opening", [0.02, 0.10, 0.14])
def test_lids_nearly_shut_are_refused_whatever_the_score_says(face: Face, opening: float) -> None:
    shut = with_scores(with_lids(face, opening, opening), eyeBlinkLeft=0.3, eyeBlinkRight=0.3)
    assert refusal(shut).code == "eyes_closed"


def test_half_shut_eyes_are_remarked(face: Face) -> None:
    (told,) = check_expression(with_lids(face, 0.19, 0.18))
    assert "half closed" in told
    assert told.endswith(".")


def test_narrow_eyes_are_only_remarked(face: Face) -> None:
    narrow = with_scores(with_lids(face, 0.17, 0.16), eyeBlinkLeft=0.45, eyeBlinkRight=0.4)
    assert len(check_expression(narrow)) == 1


def test_one_closed_eye_is_remarked(face: Face) -> None:
    (told,) = check_expression(with_lids(face, 0.08, 0.30))
    assert "One eye" in told


def test_irises_beside_their_eyes_were_guessed(face: Face) -> None:
    points = face.landmarks.copy()
    points[468:478, :2] -= [1.2 * face.iod, 0]
    fault = refusal(dataclasses.replace(face, landmarks=points))
    assert fault.code == "eyes_hidden"
    assert "cannot be made out" in str(fault)


@pytest.mark.parametrize("aside", [-0.25, 0.25])
def test_a_glance_aside_passes(face: Face, aside: float) -> None:
    points = face.landmarks.copy()
    for (start, end), _, _, iris in EYES:
        points[iris, :2] += aside * (points[end, :2] - points[start, :2])
    assert check_expression(dataclasses.replace(face, landmarks=points)) == []


def test_a_wide_open_mouth_is_refused(face: Face) -> None:
    assert refusal(with_scores(face, jawOpen=0.5)).code == "mouth_open"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}, "smiles"),
        ({"mouthLeft": 0.6}, "drawn"),
        ({"jawRight": 0.6}, "drawn"),
        ({"mouthShrugLower": 0.8}, "drawn"),
    ],
)
def test_a_mouth_that_does_something_is_remarked(
    face: Face, scores: dict[str, float], words: str
) -> None:
    (told,) = check_expression(with_scores(face, **scores))
    assert words in told


def test_parted_lips_are_remarked(face: Face) -> None:
    points = face.landmarks.copy()
    points[14, :2] = points[13, :2] + [0, 0.1 * face.iod]
    parted = dataclasses.replace(face, landmarks=points)
    assert lip_gap_u(parted) == pytest.approx(0.1, abs=0.001)
    (told,) = check_expression(parted)
    assert "parted" in told
