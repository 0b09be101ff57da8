from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatar_worker.avatars.builder.portrait.depth import EARS, estimate_depth
from avatar_worker.avatars.builder.portrait.eyeball import iris_measure
from avatar_worker.avatars.builder.portrait.fill import push_pull, to_bytes
from avatar_worker.avatars.builder.portrait.textures import masks, pixel_centres, plate, skin
from fakes.portraits import NAMES, built, measured


def test_filling_keeps_what_is_known() -> None:
    rng = np.random.default_rng(3)
    picture = rng.uniform(0, 255, (37, 52, 3)).astype(np.float32)
    known = rng.uniform(size=(37, 52)) > 0.4
    filled = push_pull(picture, known)
    np.testing.assert_allclose(filled[known], picture[known], atol=1e-3)


def test_filling_a_flat_picture_gives_the_flat_picture() -> None:
    known = np.zeros((64, 48), bool)
    known[:5, :7] = True
    filled = push_pull(np.full((64, 48, 3), 77.0), known)
    np.testing.assert_allclose(filled, 77, atol=0.01)


def test_a_hole_takes_colours_between_those_around_it() -> None:
    picture = np.zeros((40, 40, 3))
    picture[:, 20:] = 200
    known = np.ones((40, 40), bool)
    known[10:30, 10:30] = False
    filled = push_pull(picture, known)
    assert filled.min() >= -0.01
    assert filled.max() <= 200.01
    assert filled[20, 12, 0] < filled[20, 27, 0]


def test_rounding_clips() -> None:
    assert to_bytes(np.array([-3.0, 0.5, 254.6, 300.0])).tolist() == [0, 0, 255, 255]


def test_outside_the_widened_matte_the_plate_is_the_photo() -> None:
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (120, 90, 3), np.uint8)
    alpha = np.zeros((120, 90), np.float32)
    alpha[40:110, 30:60] = 1
    layer = plate(rgb, alpha, 100.0)
    outside = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    np.testing.assert_array_equal(layer.pixels[outside], rgb[outside])
    assert np.abs(layer.pixels[70, 45].astype(int) - rgb[70, 45]).max() > 0


def test_a_person_who_fills_the_picture_leaves_the_photo_as_plate() -> None:
    rgb = np.full((40, 40, 3), 9, np.uint8)
    np.testing.assert_array_equal(plate(rgb, np.ones((40, 40), np.float32), 20.0).pixels, rgb)


@pytest.mark.parametrize("name", NAMES)
def test_closed_lids_hide_no_white_under_the_skin(name: str) -> None:
    """Where the eye was, the skin's texture is as even as lids are."""
    m = measured(name)
    texture = built(name).layers["skin"].pixels[..., :3].astype(float).mean(-1)
    xy = pixel_centres(512, 640)
    for eye in m.eyes.values():
        s, t = eye.local(xy)
        middle = (np.abs(s) < 0.6) & (t > eye.upper(s) + 2) & (t < eye.lower(s) - 2)
        assert middle.sum() > 40
        assert texture[middle].std() < 22


def test_the_skin_is_the_photo_away_from_slits_and_edges() -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (640, 512, 3), np.uint8)
    alpha = np.ones((640, 512), np.float32)
    m = measured("actor")
    layer = skin(rgb, alpha, np.zeros_like(rgb), m)
    cheek = m.points[50, :2].astype(int)
    rows, columns = slice(cheek[1] - 5, cheek[1] + 5), slice(cheek[0] - 5, cheek[0] + 5)
    np.testing.assert_array_equal(layer.pixels[rows, columns, :3], rgb[rows, columns])
    assert layer.pixels[..., 3].min() == 255


@pytest.mark.parametrize("name", NAMES)
def test_the_lips_masks_overlap_along_the_seam_so_no_line_shows(name: str) -> None:
    m = measured(name)
    upper, lower = (layer.pixels[..., 0] / 255 for layer in masks(m, 512, 640))
    s = np.linspace(-0.9, 0.9, 31)
    for edge, mask in ((m.mouth.upper(s), upper), (m.mouth.lower(s), lower)):
        x, y = np.rint(m.mouth.canvas(s, edge)).astype(int).T
        assert mask[y, x].mean() > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_open_in_the_eyes_and_solid_on_the_cheeks(name: str) -> None:
    m = measured(name)
    upper, lower = (layer.pixels[..., 0] for layer in masks(m, 512, 640))
    for eye in m.eyes.values():
        middle = (eye.upper(np.zeros(1)) + eye.lower(np.zeros(1))) / 2
        x, y = np.rint(eye.canvas(np.zeros(1), middle)[0]).astype(int)
        assert upper[y, x] == 0
        assert lower[y, x] == 0
    for cheek in (50, 280):
        x, y = np.rint(m.points[cheek, :2]).astype(int)
        assert upper[y, x] > 250
        assert lower[y, x] > 250


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["l", "r"])
def test_an_iris_is_a_whole_disc_at_its_place(name: str, side: str) -> None:
    layer, m = built(name).layers[f"iris_{side}"], measured(name)
    centre, radius = iris_measure(m, side)
    solid = layer.pixels[..., 3] > 127
    y, x = np.nonzero(solid)
    np.testing.assert_allclose(
        [x.mean() + layer.origin[0], y.mean() + layer.origin[1]], centre, atol=0.6
    )
    assert solid.sum() == pytest.approx(np.pi * radius**2, rel=0.12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["l", "r"])
def test_the_white_of_the_eye_is_lighter_than_the_iris_it_replaces(name: str, side: str) -> None:
    layers, (centre, radius) = built(name).layers, iris_measure(measured(name), side)
    origin = np.array(layers[f"eye_{side}"].origin)
    y, x = np.mgrid[
        0 : layers[f"eye_{side}"].pixels.shape[0], 0 : layers[f"eye_{side}"].pixels.shape[1]
    ]
    disc = np.hypot(x + origin[0] - centre[0], y + origin[1] - centre[1]) < 0.7 * radius
    white = layers[f"eye_{side}"].pixels[disc].mean()
    assert white > 1.4 * layers[f"iris_{side}"].pixels[disc][:, :3].mean()


def test_the_nose_is_nearer_than_the_ears_and_the_background_farther() -> None:
    m = measured("actor")
    alpha = built("actor").layers["skin"].pixels[..., 3].astype(np.float32) / 255
    depth = estimate_depth(m, alpha)
    nose, ear = depth.at(m.points[[4], :2])[0], depth.at(m.points[list(EARS), :2]).mean()
    behind = depth.at(np.array([[8.0, 8.0]]))[0]
    assert nose < ear - 0.3 * m.u
    assert behind > ear


def test_the_head_turns_and_the_shoulders_stay() -> None:
    m = measured("actor")
    depth = estimate_depth(m, np.ones((640, 512), np.float32))
    low = np.array([[256.0, m.chin[1] + 1.05 * m.u]])
    assert depth.pose_weight(m.points[[4], :2])[0] == 1
    assert depth.pose_weight(low)[0] == 0
    assert depth.pivot[1] > m.chin[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_upper_skin_is_solid_where_no_shape_parts_the_two(name: str) -> None:
    avatar, m = built(name), measured(name)
    tight = avatar.layers["mask_upper"].pixels[..., 0]
    loose = masks(m, 512, 640)[0].pixels[..., 0]
    assert (tight >= loose).all()
    assert (tight < 255).mean() < 0.1 < (loose < 255).mean()
    for mesh in avatar.rig.meshes[1:]:
        across = np.linalg.norm(mesh.delta[0].astype(float) - mesh.delta[1], axis=-1).max(axis=0)
        x, y = np.rint(mesh.xy[across > 0.3]).astype(int).T
        inside = (x < 512) & (y < 640)
        np.testing.assert_array_equal(tight[y[inside], x[inside]], loose[y[inside], x[inside]])
