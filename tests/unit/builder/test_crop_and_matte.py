from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Canvas
from avatar_worker.avatars.builder.crop import CroppedPortrait, crop_to_canvas
from avatar_worker.avatars.builder.landmarks import Face, find_faces
from avatar_worker.avatars.builder.matte import person_matte, person_probability

Image = npt.NDArray[np.uint8]


def test_the_face_stands_where_the_rig_wants_it(portrait: CroppedPortrait) -> None:
    assert portrait.rgb.shape == (640, 512, 3)
    face = find_faces(portrait.rgb)[0]
    assert face.width >= 200
    assert abs(face.centre[0] - 0.5 * 512) < 4
    assert abs(face.centre[1] - 0.42 * 640) < 4


def test_points_move_with_the_picture(portrait: CroppedPortrait, astronaut_face: Face) -> None:
    moved = portrait.to_canvas(astronaut_face.landmarks)
    again = find_faces(portrait.rgb)[0].landmarks
    assert moved.dtype == np.float32
    assert (
        np.median(np.abs(moved[:, :2] - again[:, :2]))
        < 0.01 * astronaut_face.width * portrait.scale
    )


def test_scale_and_shift_are_exact(astronaut_face: Face, canvas: Canvas) -> None:
    """A picture whose colours are its coordinates tells where every canvas pixel came from."""
    y, x = np.mgrid[:512, :512]
    ramp = np.stack([x // 2, y // 2, np.zeros_like(x)], -1).astype(np.uint8)
    cut = crop_to_canvas(ramp, astronaut_face, canvas)
    for cx, cy in ((100, 200), (256, 320), (400, 500)):
        photo_x = (cx + 0.5 - cut.shift[0]) / cut.scale
        photo_y = (cy + 0.5 - cut.shift[1]) / cut.scale
        assert np.abs(cut.rgb[cy, cx, :2] - (np.array([photo_x, photo_y]) - 0.5) / 2).max() < 1


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_canvas_is_the_same_from_any_resolution(
    astronaut: Image, portrait: CroppedPortrait, canvas: Canvas, factor: float
) -> None:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(
        cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=how), np.uint8
    )
    cut = crop_to_canvas(scaled, find_faces(scaled)[0], canvas)
    assert cut.scale * factor == pytest.approx(portrait.scale, rel=0.03)
    blurred = [cv2.GaussianBlur(p.rgb, (0, 0), 4).astype(int) for p in (cut, portrait)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 6


def test_there_is_air_above_the_hair_and_body_below_the_chin(portrait: CroppedPortrait) -> None:
    assert portrait.air_u >= 0.35
    assert portrait.body_u >= 1.2
    assert portrait.valid.all()


def test_a_photo_that_ends_too_early_is_continued_without_streaks(
    astronaut: Image, astronaut_face: Face, canvas: Canvas
) -> None:
    short = astronaut[:200]  # ends half a head below the chin
    cut = crop_to_canvas(short, astronaut_face, canvas)
    assert cut.body_u < 1.2
    ends = int(np.flatnonzero(cut.valid[:, 256] == 0)[0])
    assert ends < 640
    assert not cut.valid[ends:].any()
    assert cut.valid[:ends].all()
    rows = cut.rgb.astype(int)
    assert np.abs(rows[ends] - rows[ends - 1]).mean() < 12  # no seam
    assert np.abs(np.diff(rows[-1], axis=0)).mean() < 3  # the last row is soft
    whole = crop_to_canvas(astronaut, astronaut_face, canvas)
    assert cut.scale > whole.scale  # it grew towards the end


def test_what_goes_on_below_the_photo_is_the_chest_and_not_the_neck(
    astronaut: Image, astronaut_face: Face, canvas: Canvas
) -> None:
    """Nothing from farther inside the photo than a strip comes back below its end."""
    ends = 200
    marked = astronaut[:ends].copy()
    marked[: ends - round(0.25 * astronaut_face.iod)] = (0, 255, 0)
    cut = crop_to_canvas(marked, astronaut_face, canvas)
    below = cut.rgb[cut.valid[:, 256] == 0].astype(int)
    assert len(below) > 40
    assert (below[..., 1] - below[..., [0, 2]].max(-1)).max() < 90


def test_the_face_never_gets_too_small_or_too_large(
    astronaut_face: Face, near: Image, near_face: Face
) -> None:
    for width, height in ((512, 640), (512, 512), (640, 360), (360, 640), (256, 320)):
        cut = crop_to_canvas(near, near_face, Canvas(width, height, 25, "bt709", "limited"))
        assert cut.rgb.shape == (height, width, 3)
        assert 0.25 * width < near_face.width * cut.scale <= 0.57 * width


def test_a_photo_that_covers_the_canvas_leaves_the_face_in_its_place(
    portrait: CroppedPortrait,
) -> None:
    assert portrait.missing == 0
    assert portrait.valid.all()


def test_a_square_photo_that_fills_with_the_face_covers_the_canvas(
    near: Image, near_face: Face, canvas: Canvas
) -> None:
    """The face moves down and grows before anything below it is made up."""
    x, y = near_face.centre
    half = int(1.13 * near_face.width)
    left, top = int(x) - half, int(y) - half
    square = np.ascontiguousarray(near[top : top + 2 * half, left : left + 2 * half])
    moved = near_face.landmarks - np.array([left, top, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    cut = crop_to_canvas(square, face, canvas)
    middle = cut.scale * face.centre[1] + cut.shift[1]
    assert cut.valid.all()
    assert 0.42 * 640 < middle <= 0.52 * 640
    assert 0.5 * 512 < face.width * cut.scale <= 0.56 * 512


def test_a_cut_head_moves_up_before_hair_is_made_up(
    near: Image, near_face: Face, canvas: Canvas
) -> None:
    top = int(near_face.landmarks[:468, 1].min())
    moved = near_face.landmarks - np.array([0, top, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    cut = crop_to_canvas(np.ascontiguousarray(near[top:]), face, canvas)
    middle = cut.scale * face.centre[1] + cut.shift[1]
    assert 0.34 * 640 <= middle + 1e-3 < 0.40 * 640
    assert (~cut.valid.any(1)[:320]).sum() < 0.12 * 640


def test_a_face_at_the_photos_side_moves_towards_that_side(
    near: Image, near_face: Face, canvas: Canvas
) -> None:
    left = int(near_face.landmarks[:468, 0].min())
    moved = near_face.landmarks - np.array([left, 0, 0], np.float32)
    face = dataclasses.replace(near_face, landmarks=moved)
    cut = crop_to_canvas(np.ascontiguousarray(near[:, left:]), face, canvas)
    middle = cut.scale * face.centre[0] + cut.shift[0]
    assert middle == pytest.approx(0.44 * 512, abs=1)


def test_the_net_finds_the_person(portrait: CroppedPortrait) -> None:
    probability = person_probability(portrait.rgb)
    assert probability.shape == (640, 512)
    assert probability[270, 256] > 0.95
    assert probability[20, 20] < 0.05


@pytest.fixture(scope="module")
def matte(portrait: CroppedPortrait) -> tuple[npt.NDArray[np.float32], Image]:
    return person_matte(portrait.rgb, find_faces(portrait.rgb)[0].landmarks)


def test_the_matte_keeps_the_person_and_drops_the_room(
    matte: tuple[npt.NDArray[np.float32], Image], portrait: CroppedPortrait
) -> None:
    alpha, _ = matte
    assert alpha.dtype == np.float32
    assert alpha.shape == (640, 512)
    assert 0 <= alpha.min() <= alpha.max() <= 1
    face = find_faces(portrait.rgb)[0]
    oval = face.landmarks[:468, :2]
    middle = oval.mean(0)
    hull = cv2.convexHull(np.rint(middle + 0.9 * (oval - middle)).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros((640, 512), np.uint8), hull, 1) > 0
    assert alpha[inside].min() > 0.95
    assert alpha[10:60, [10, 500]].max() < 0.02
    assert alpha[600:, 200:300].min() > 0.95  # the suit
    assert 0.5 < alpha.mean() < 0.8


def test_hair_is_soft_but_most_pixels_are_decided(
    matte: tuple[npt.NDArray[np.float32], Image],
) -> None:
    alpha, _ = matte
    unsure = (alpha > 0.05) & (alpha < 0.95)
    assert 0.003 < unsure.mean() < 0.08


def test_there_are_no_islands(matte: tuple[npt.NDArray[np.float32], Image]) -> None:
    alpha, _ = matte
    count, _ = cv2.connectedComponents((alpha > 0.05).astype(np.uint8))
    assert count == 2  # the background and one person


def test_foreground_and_alpha_make_the_photo_again(
    matte: tuple[npt.NDArray[np.float32], Image], portrait: CroppedPortrait
) -> None:
    alpha, foreground = matte
    assert foreground.dtype == np.uint8
    solid = alpha > 0.999
    assert np.abs(foreground[solid].astype(int) - portrait.rgb[solid]).mean() < 2


def test_the_old_background_does_not_shine_through_the_edge(canvas: Canvas) -> None:
    """A dark head over a bright green wall: its soft edge stays dark."""
    y, x = np.mgrid[:640, :512].astype(np.float32)
    head = np.hypot((x - 256) / 120, (y - 270) / 160)
    true_alpha = np.clip((1.1 - head) * 12, 0, 1)
    dark, wall = np.array([60, 40, 30]), np.array([40, 220, 60])
    picture = true_alpha[..., None] * dark + (1 - true_alpha[..., None]) * wall
    spread = np.random.default_rng(1).uniform(-0.8, 0.8, (478, 3)).astype(np.float32)
    points = np.array([256, 270, 0], np.float32) + spread * np.array([100, 130, 0], np.float32)
    points[468, :2], points[473, :2] = (210, 250), (302, 250)
    alpha, foreground = person_matte(picture.astype(np.uint8), points)
    edge = (alpha > 0.3) & (alpha < 0.7)
    if edge.any():
        assert foreground[edge][:, 1].mean() < 130  # half way would be 130
    assert alpha[270, 256] > 0.95
