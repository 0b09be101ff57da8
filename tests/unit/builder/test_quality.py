from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Canvas
from avatar_worker.avatars.builder import quality
from avatar_worker.avatars.builder.crop import crop_to_canvas
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.scores import described, scores
from avatar_worker.errors import AvatarRefusedError

Image = npt.NDArray[np.uint8]


def turned(face: Face, *, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Face:
    """The face with its landmarks turned in space: nose to image right, bowed, clockwise."""
    y, p, r = (math.radians(a) for a in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    middle = face.landmarks.mean(0)
    points = (face.landmarks - middle) @ (about_z @ about_x @ about_y).T + middle
    return dataclasses.replace(face, landmarks=points.astype(np.float32))


def refusal(picture: Image, face: Face) -> AvatarRefusedError:
    with pytest.raises(AvatarRefusedError) as caught:
        quality.check_photo(picture, face)
    assert str(caught.value).endswith(".")
    return caught.value


def test_a_frontal_portrait_passes_with_remarks(near: Image, near_face: Face) -> None:
    remarks = quality.check_photo(near, near_face)
    assert any("lips are parted" in remark for remark in remarks)
    assert any("smiles" in remark for remark in remarks)
    assert len(remarks) == 2


def test_a_small_face_is_only_remarked(astronaut: Image, astronaut_face: Face) -> None:
    remarks = quality.check_photo(astronaut, astronaut_face)
    assert any("92 pixels wide" in remark for remark in remarks)


def test_a_tiny_face_is_refused(astronaut: Image) -> None:
    tiny = np.asarray(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    fault = refusal(tiny, find_faces(tiny)[0])
    assert fault.code == "too_small"
    assert "46 pixels" in str(fault)


def test_a_photo_without_a_face_is_refused() -> None:
    with pytest.raises(AvatarRefusedError, match="No face was found") as caught:
        quality.choose_face([])
    assert caught.value.code == "no_face"


def test_two_people_are_refused_but_a_face_on_a_poster_is_not(near_face: Face) -> None:
    half, poster = (
        dataclasses.replace(near_face, landmarks=near_face.landmarks * np.float32(k))
        for k in (0.5, 0.2)
    )
    with pytest.raises(AvatarRefusedError, match="shows 2 faces") as caught:
        quality.choose_face([half, near_face])
    assert caught.value.code == "two_faces"
    assert quality.choose_face([poster, near_face]) is near_face


@pytest.mark.parametrize("angle", [-30, -10, 5, 20])
def test_yaw_is_measured(near_face: Face, angle: int) -> None:
    yaw, _, _ = quality.head_pose_deg(turned(near_face, yaw=angle))
    assert abs(yaw - quality.head_pose_deg(near_face)[0] - angle) < 3


@pytest.mark.parametrize("angle", [-20, -8, 10])
def test_pitch_is_measured(near_face: Face, angle: int) -> None:
    _, pitch, _ = quality.head_pose_deg(turned(near_face, pitch=angle))
    assert abs(pitch - quality.head_pose_deg(near_face)[1] - angle) < 3


@pytest.mark.parametrize("angle", [-40, 15])
def test_roll_is_measured(near_face: Face, angle: int) -> None:
    _, _, roll = quality.head_pose_deg(turned(near_face, roll=angle))
    assert abs(roll - quality.head_pose_deg(near_face)[2] - angle) < 3


@pytest.mark.parametrize("yaw", [-20, 20])
def test_a_head_that_looks_away_is_refused(near: Image, near_face: Face, yaw: int) -> None:
    fault = refusal(near, turned(near_face, yaw=yaw))
    assert fault.code == "not_frontal"
    assert "turned by" in str(fault)


@pytest.mark.parametrize(("pitch", "word"), [(-35, "raised"), (25, "bowed")])
def test_a_head_that_looks_up_or_down_is_refused(
    near: Image, near_face: Face, pitch: int, word: str
) -> None:
    fault = refusal(near, turned(near_face, pitch=pitch))
    assert fault.code == "not_frontal"
    assert word in str(fault)


@pytest.mark.parametrize(("roll", "word"), [(35, "tilted by"), (-90, "tilted by"), (180, "head")])
def test_a_head_that_is_not_upright_is_refused(
    near: Image, near_face: Face, roll: int, word: str
) -> None:
    fault = refusal(near, turned(near_face, roll=roll))
    assert fault.code == "not_upright"
    assert word in str(fault)


def test_a_dark_photo_is_called_dark_and_not_blurred(near: Image) -> None:
    dark = (near * 0.08).astype(np.uint8)
    assert refusal(dark, find_faces(dark)[0]).code == "lighting"


def test_a_blurred_photo_is_refused(near: Image) -> None:
    blurred = np.asarray(cv2.GaussianBlur(near, (0, 0), 3), np.uint8)
    assert refusal(blurred, find_faces(blurred)[0]).code == "blurred"


@pytest.mark.parametrize(("light", "word"), [(0.08, "dark"), (3.0, "bright")])
def test_bad_light_is_refused(near: Image, near_face: Face, light: float, word: str) -> None:
    noise = np.random.default_rng(0).normal(0, 6, near.shape)
    picture = np.clip(near * light + (60 if light > 1 else 0) + noise, 0, 255).astype(np.uint8)
    fault = refusal(picture, near_face)
    assert fault.code == "lighting"
    assert word in str(fault)


def test_a_face_at_the_edge_is_refused(near: Image, near_face: Face) -> None:
    x = int(near_face.landmarks[:468, 0].min() + 0.3 * near_face.width)
    moved = near_face.landmarks - np.array([x, 0, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    assert refusal(np.ascontiguousarray(near[:, x:]), face).code == "cut_off"


@pytest.mark.parametrize(
    ("scores", "code"),
    [
        ({"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8}, "eyes_closed"),
        ({"jawOpen": 0.5}, "mouth_open"),
    ],
)
def test_closed_eyes_and_an_open_mouth_are_refused(
    near: Image, near_face: Face, scores: dict[str, float], code: str
) -> None:
    face = dataclasses.replace(near_face, blendshapes=near_face.blendshapes | scores)
    assert refusal(near, face).code == code


def test_one_closed_eye_is_a_wink_and_passes(near: Image, near_face: Face) -> None:
    scores = near_face.blendshapes | {"eyeBlinkLeft": 0.9}
    assert quality.check_photo(near, dataclasses.replace(near_face, blendshapes=scores))


@pytest.mark.parametrize(("pitch", "word"), [(-17, "raised"), (17, "bowed")])
def test_a_head_that_looks_a_little_up_or_down_is_remarked(
    near: Image, near_face: Face, pitch: int, word: str
) -> None:
    tilt = pitch - quality.head_pose_deg(near_face)[1]
    remarks = quality.check_photo(near, turned(near_face, pitch=tilt))
    assert any(f"The head is {word}" in remark for remark in remarks)


def test_what_the_canvas_lacks_is_remarked(
    astronaut: Image, astronaut_face: Face, canvas: Canvas
) -> None:
    whole = crop_to_canvas(astronaut, astronaut_face, canvas)
    assert quality.check_crop(whole) == []
    low = astronaut[30:]
    moved = astronaut_face.landmarks - np.array([0, 30, 0], np.float32)
    face = dataclasses.replace(astronaut_face, landmarks=moved)
    assert "above the hair" in quality.check_crop(crop_to_canvas(low, face, canvas))[0]


def test_a_photo_that_ends_below_the_chin_is_said_to_be_made_up_there(
    astronaut: Image, astronaut_face: Face, canvas: Canvas
) -> None:
    short = crop_to_canvas(astronaut[:200], astronaut_face, canvas)
    (remark,) = quality.check_crop(short)
    assert f"{100 * short.missing:.0f} percent" in remark
    assert "made up" in remark
    square = crop_to_canvas(
        astronaut[:200], astronaut_face, Canvas(512, 512, 25, "bt709", "limited")
    )
    assert square.missing < short.missing


def test_a_photo_that_ends_beside_the_head_is_remarked(
    near: Image, near_face: Face, canvas: Canvas
) -> None:
    wide = crop_to_canvas(near, near_face, canvas)
    assert not any("beside the head" in remark for remark in quality.check_crop(wide))
    left, right = (int(v) for v in np.percentile(near_face.landmarks[:468, 0], [0, 100]))
    moved = near_face.landmarks - np.array([left - 30, 0, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    narrow = crop_to_canvas(np.ascontiguousarray(near[:, left - 30 : right + 30]), face, canvas)
    assert any("beside the head" in remark for remark in quality.check_crop(narrow))


def test_a_head_that_the_photo_cuts_off_is_remarked(
    near: Image, near_face: Face, canvas: Canvas
) -> None:
    top = int(near_face.landmarks[:468, 1].min()) - 5
    moved = near_face.landmarks - np.array([0, top, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    cut = crop_to_canvas(np.ascontiguousarray(near[top:]), face, canvas)
    assert any("cuts the head off" in remark for remark in quality.check_crop(cut))


def test_an_accepted_photos_scores_are_told_in_sentences(near: Image, near_face: Face) -> None:
    score = scores(near, near_face)
    told = described(score)
    assert all(line.endswith((".", ").")) and line[0].isupper() for line in told)
    assert any(f"{score['face_px']:.0f} pixels wide" in line for line in told)
    assert any("Glasses are not seen" in line for line in told)
    assert any("straight enough" in line for line in told)
    assert any("not noticed" in line and "look at the preview" in line for line in told)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("glasses", 2.0, "seem to be worn"),
        ("yaw_deg", -9.0, "0 would be best"),
        ("lip_gap_u", 0.1, "10 percent"),
    ],
)
def test_what_a_score_means_is_said(
    near: Image, near_face: Face, name: str, value: float, words: str
) -> None:
    score = scores(near, near_face)
    assert not any(words in line for line in described(score))
    assert any(words in line for line in described(score | {name: value}))
