from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder import detector, landmarks
from avatar_worker.avatars.builder.landmarks import SCORE_NAMES, Face, find_faces, track_face
from avatar_worker.avatars.builder.net import Net
from avatar_worker.frames import ARKIT_NAMES

Image = npt.NDArray[np.uint8]


def test_one_face_is_found_where_it_is(astronaut_face: Face) -> None:
    points = astronaut_face.landmarks
    assert points.shape == (478, 3)
    assert points.dtype == np.float32
    # Read off the picture by eye: irises, tip of the nose, mouth corners, chin.
    for index, x, y in (
        (468, 204, 101),
        (473, 247, 103),
        (1, 223, 131),
        (61, 203, 139),
        (291, 245, 141),
        (152, 221, 178),
    ):
        assert np.hypot(*(points[index, :2] - (x, y))) < 4
    assert 85 < astronaut_face.width < 100
    assert 38 < astronaut_face.iod < 48
    assert astronaut_face.presence > 0.9
    left, top, right, bottom = astronaut_face.box
    assert left < astronaut_face.centre[0] < right
    assert top < astronaut_face.centre[1] < bottom


def test_depth_grows_away_from_the_camera(astronaut_face: Face) -> None:
    z = astronaut_face.landmarks[:, 2]
    assert z[1] < z[168] < z[234]  # tip of the nose, its bridge, a cheek at the ear
    assert z[1] < z[454]


def test_scores_carry_the_names_of_arkit(astronaut_face: Face) -> None:
    assert set(astronaut_face.blendshapes) == set(ARKIT_NAMES) - {"tongueOut"}
    assert len(SCORE_NAMES) == 52
    scores = astronaut_face.blendshapes
    assert all(0 <= score <= 1 for score in scores.values())
    assert min(scores["mouthSmileLeft"], scores["mouthSmileRight"]) > 0.7  # she smiles
    assert max(scores["eyeBlinkLeft"], scores["eyeBlinkRight"]) < 0.3
    assert scores["jawOpen"] < 0.2


@pytest.mark.parametrize("scale", [0.6, 2.0, 4.0])
def test_landmarks_grow_with_the_picture(
    astronaut: Image, astronaut_face: Face, scale: float
) -> None:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(
        cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=how), np.uint8
    )
    face = find_faces(scaled)[0]
    error = np.abs(face.landmarks[:, :2] / scale - astronaut_face.landmarks[:, :2])
    assert np.median(error) < 0.005 * astronaut_face.width
    assert error.max() < 0.03 * astronaut_face.width


@pytest.mark.parametrize("angle", [-35, 20, 50])
def test_landmarks_turn_with_the_picture(
    astronaut: Image, astronaut_face: Face, angle: int
) -> None:
    turn = cv2.getRotationMatrix2D((223, 110), angle, 1)
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    face = find_faces(np.asarray(turned, np.uint8))[0]
    expected = astronaut_face.landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    assert np.median(np.abs(face.landmarks[:, :2] - expected)) < 0.005 * astronaut_face.width


def test_sides_are_those_of_the_subject(near: Image, near_face: Face) -> None:
    """Landmark 386 lies on the subject's left lid, at image right, and belongs to `...Left`."""
    assert near_face.landmarks[386, 0] > near_face.landmarks[159, 0]
    squeezed = _with_eye_squeezed(near, near_face, upper=386, lower=374)
    before, after = near_face.blendshapes, find_faces(squeezed)[0].blendshapes
    left = after["eyeBlinkLeft"] - before["eyeBlinkLeft"]
    right = after["eyeBlinkRight"] - before["eyeBlinkRight"]
    assert left > 0.2
    assert left > 2 * right


def _with_eye_squeezed(picture: Image, face: Face, *, upper: int, lower: int) -> Image:
    """The picture with one eye pressed together in height, by a smooth warp."""
    x0, y0 = (face.landmarks[upper, :2] + face.landmarks[lower, :2]) / 2
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    reach = face.iod * np.array([0.45, 0.30])
    near = np.exp(-(((x - x0) / reach[0]) ** 4) - ((y - y0) / reach[1]) ** 4)
    from_y = (y0 + (y - y0) * (1 + 6.0 * near)).astype(np.float32)
    return np.asarray(cv2.remap(picture, x, from_y, cv2.INTER_LINEAR), np.uint8)


def test_landmarks_have_no_bias_to_one_side(near: Image, near_face: Face) -> None:
    """What the net errs on one side it errs on the other of the mirrored picture; a shift stays."""
    mirrored = find_faces(np.ascontiguousarray(near[:, ::-1]))[0].landmarks
    pairs = ((33, 263), (133, 362), (61, 291), (78, 308), (468, 473), (159, 386), (234, 454),
             (82, 312), (87, 317), (70, 300), (105, 334), (37, 267))  # fmt: skip
    both = np.array(pairs + tuple((b, a) for a, b in pairs))
    sums = near_face.landmarks[both[:, 0], 0] + mirrored[both[:, 1], 0]
    assert abs(sums.mean() - (near.shape[1] - 1)) / 2 < 0.0015 * near_face.width


def test_a_mirrored_picture_mirrors_the_landmarks(astronaut: Image, astronaut_face: Face) -> None:
    face = find_faces(np.ascontiguousarray(astronaut[:, ::-1]))[0]
    for left, right in ((33, 263), (61, 291), (468, 473), (234, 454)):
        x, y = astronaut_face.landmarks[right, :2]
        assert np.hypot(*(face.landmarks[left, :2] - (511 - x, y))) < 3


@pytest.mark.parametrize("size", [(1, 1), (50, 100), (400, 300)])
def test_there_is_no_face_in_noise_or_nothing(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert find_faces(noise) == []
    assert find_faces(np.zeros((*size, 3), np.uint8)) == []


def test_two_faces_are_found_and_the_larger_comes_first(near: Image) -> None:
    small = cv2.resize(near, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    both = np.zeros((900, 900 + small.shape[1], 3), np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = near
    first, second = find_faces(both)
    assert first.width > second.width
    assert first.centre[0] > small.shape[1] > second.centre[0]


def test_a_face_too_small_for_a_first_look_is_found_by_a_closer_one(astronaut: Image) -> None:
    wide = np.full((512, 1400, 3), 128, np.uint8)
    wide[:, 888:] = astronaut
    (face,) = find_faces(wide)
    assert abs(face.landmarks[1, 0] - (888 + 223)) < 4


def test_a_face_of_a_thirtieth_of_the_picture_is_found(astronaut: Image) -> None:
    wide = np.full((1200, 2800, 3), 128, np.uint8)
    wide[600:1112, 2200:2712] = astronaut
    (face,) = find_faces(wide)
    assert np.hypot(*(face.landmarks[1, :2] - (2200 + 223, 600 + 131))) < 4


def test_what_only_looks_like_a_face_from_afar_does_not_hide_the_face(
    astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector may find a cloud; the landmark net denies it, and a closer look is taken."""
    cloud = detector.Detection(
        np.array([0, 0, 90, 90], np.float32), np.zeros((6, 2), np.float32) + 40, 0.7
    )

    def search(net: Net, rgb: Image, closeness: int = 1) -> list[detector.Detection]:
        return [cloud] if closeness == 1 else detector.search(net, rgb, closeness)

    monkeypatch.setattr(landmarks, "search", search)
    (face,) = find_faces(astronaut)
    assert abs(face.landmarks[1, 0] - 223) < 4


@pytest.mark.parametrize(("length", "side"), [(100, 100), (300, 100), (310, 100), (1000, 300)])
def test_tiles_cover_a_picture_and_overlap_by_half(length: int, side: int) -> None:
    starts = detector._starts(length, side)
    assert starts[0] == 0
    assert starts[-1] == length - side
    assert all(step <= -(-side // 2) for step in np.diff(starts))


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    assert detector._starts(80, 100) == [0]


def test_a_face_is_followed_from_picture_to_picture(astronaut: Image, astronaut_face: Face) -> None:
    moved = np.roll(astronaut, (3, 5), (0, 1))
    face = track_face(moved, astronaut_face)
    assert face is not None
    shift = np.median(face.landmarks[:, :2] - astronaut_face.landmarks[:, :2], axis=0)
    assert np.abs(shift - (5, 3)).max() < 0.5


def test_a_face_that_has_gone_is_not_followed(astronaut: Image, astronaut_face: Face) -> None:
    assert track_face(np.full_like(astronaut, 90), astronaut_face) is None
