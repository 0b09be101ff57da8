"""The judge passes a sound portrait and notices every fault that it is there to notice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Avatar, Layer, Mesh
from avatar_worker.avatars.judge import Finding, criteria, eyes, judge, mouth, still
from avatar_worker.avatars.judge.poses import CLOSED, EXPRESSIONS, VISEMES, blend, face
from avatar_worker.cli.avatars_stage import RenderStage, between, rgb_of, texture_map
from avatar_worker.errors import AvatarRefusedError
from avatar_worker.frames import CONTROL_INDEX, FaceControls
from avatar_worker.render import reference
from avatar_worker.render.colour import coefficients, rgb_to_i420
from fakes.avatars import tiny_avatar
from fakes.portraits import built

Bytes = npt.NDArray[np.uint8]


def with_layers(avatar: Avatar, **pixels: Bytes) -> Avatar:
    layers = {
        role: Layer(role, layer.origin, pixels.get(role, layer.pixels))
        for role, layer in avatar.layers.items()
    }
    return dataclasses.replace(avatar, layers=layers)


def with_deltas(avatar: Avatar, change: Callable[[Mesh], npt.NDArray[np.float64]]) -> Avatar:
    meshes = tuple(
        dataclasses.replace(mesh, delta=change(mesh).astype(np.float16))
        for mesh in avatar.rig.meshes
    )
    return dataclasses.replace(avatar, rig=dataclasses.replace(avatar.rig, meshes=meshes))


def scaled(avatar: Avatar, factors: Mapping[str, float]) -> Avatar:
    """The avatar with some shapes made larger or smaller."""

    def change(mesh: Mesh) -> npt.NDArray[np.float64]:
        delta = mesh.delta.astype(np.float64)
        for shape, factor in factors.items():
            delta[:, avatar.rig.shapes.index(shape)] *= factor
        return delta

    return with_deltas(avatar, change)


def missed(findings: list[Finding]) -> set[str]:
    return {finding.what for finding in findings if not finding.ok}


@pytest.fixture(scope="module")
def actor() -> Avatar:
    return built("actor")


def test_the_actor_meets_every_goal(actor: Avatar) -> None:
    shares: list[float] = []
    found = judge(RenderStage(actor), shares.append)
    assert missed(found) == set()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert {finding.criterion for finding in found} == set(range(1, 11))
    assert not any(math.isnan(finding.value) for finding in found)


def test_lips_that_do_not_meet_are_noticed(actor: Avatar) -> None:
    bad = scaled(actor, {"seal": 0.6})
    assert len(missed(mouth.lips_close(RenderStage(bad)))) == 2


def test_a_blink_that_stays_open_or_closes_one_eye_is_noticed(actor: Avatar) -> None:
    found = eyes.blinks_are_complete(RenderStage(scaled(actor, {"blinkL": 0.6})))
    assert {"blink: eyeball that still shows", "blink: left and right differ"} <= missed(found)


@pytest.mark.parametrize("shade", [0.3, 1.6])
def test_lids_of_another_light_than_the_skin_are_noticed(actor: Avatar, shade: float) -> None:
    lids = {}
    for role in ("lid_l", "lid_r"):
        pixels = actor.layers[role].pixels.copy()
        pixels[..., :3] = np.clip(pixels[..., :3] * shade, 0, 255)
        pixels[..., 3] = 255
        lids[role] = pixels
    found = eyes.blinks_are_complete(RenderStage(with_layers(actor, **lids)))
    assert any("light of lid" in what for what in missed(found))


def test_an_iris_that_stays_is_noticed(actor: Avatar) -> None:
    painted = {}
    for side in "lr":
        eye, iris = (actor.layers[f"{part}_{side}"].pixels.copy() for part in ("eye", "iris"))
        share = iris[..., 3:] / 255
        eye[:] = np.rint(eye * (1 - share) + iris[..., :3] * share)
        iris[..., 3] = 0
        painted |= {f"eye_{side}": eye, f"iris_{side}": iris}
    found = eyes.gaze_arrives(RenderStage(with_layers(actor, **painted)))
    assert len(missed(found)) == 2


def test_a_ghost_in_the_background_is_noticed(actor: Avatar) -> None:
    skin = actor.layers["skin"].pixels.copy()
    ghost = np.indices(skin.shape[:2]).sum(0) % 64 < 32
    clear = skin[..., 3] == 0
    skin[clear & ghost] = (255, 255, 255, 5)
    assert missed(still.background_stays(RenderStage(with_layers(actor, skin=skin))))


def test_a_background_that_is_not_there_passes(actor: Avatar) -> None:
    skin = actor.layers["skin"].pixels.copy()
    skin[..., 3] = 255
    (found,) = still.background_stays(RenderStage(with_layers(actor, skin=skin)))
    assert found.ok
    assert math.isnan(found.value)


def test_a_body_that_speaks_along_is_noticed(actor: Avatar) -> None:
    jaw, breath = (actor.rig.shapes.index(name) for name in ("jawOpen", "breath"))

    def change(mesh: Mesh) -> npt.NDArray[np.float64]:
        delta = mesh.delta.astype(np.float64)
        delta[:, jaw] += 3 * delta[:, breath]
        return delta

    found = still.body_stays(RenderStage(with_deltas(actor, change)))
    assert "speech: motion of the bottom quarter" in missed(found)


def with_chin(avatar: Avatar, share: float) -> Avatar:
    """The avatar with its chin's landmark at a share of the canvas's height."""
    points = avatar.rig.landmarks.copy()
    points[still.CHIN, 1] = share * avatar.canvas.height
    return dataclasses.replace(avatar, rig=dataclasses.replace(avatar.rig, landmarks=points))


def test_the_neck_of_a_tight_portrait_is_not_its_body(actor: Avatar) -> None:
    rows = [still.body_from(with_chin(actor, share)) for share in (0.5, 0.7, 0.8, 1.2)]
    height, u = actor.canvas.height, actor.subject.iod_px
    assert rows[0] == round(0.75 * height)
    assert rows[1] == round(0.7 * height + still.NECK_U * u)
    assert rows == sorted(rows)
    assert rows[-1] == height


def test_a_portrait_that_ends_at_the_chin_has_no_body_to_move(actor: Avatar) -> None:
    bottom, hottest = still.body_stays(RenderStage(with_chin(actor, 1.0)))
    assert math.isnan(bottom.value)
    assert bottom.ok
    assert math.isfinite(hottest.value)


def test_an_upper_face_that_is_not_the_photo_is_noticed(actor: Avatar) -> None:
    shifted = actor.rig.shapes.index("close")

    def change(mesh: Mesh) -> npt.NDArray[np.float64]:
        delta = mesh.delta.astype(np.float64)
        delta[:, shifted, :, 0] += 2.0
        return delta

    assert missed(still.upper_face_is_the_photo(RenderStage(with_deltas(actor, change))))


def test_a_lamp_and_a_hole_in_the_mouth_are_noticed(actor: Avatar) -> None:
    bright = {
        role: np.concatenate([np.full_like(layer.pixels[..., :3], 250), layer.pixels[..., 3:]], 2)
        for role, layer in actor.layers.items()
        if role in ("cavity", "tongue", "teeth_upper", "teeth_lower")
    }
    assert missed(mouth.light_in_the_mouth(RenderStage(with_layers(actor, **bright))))
    dark = {role: pixels * np.uint8(0) for role, pixels in bright.items()}
    found = mouth.light_in_the_mouth(RenderStage(with_layers(actor, **dark)))
    assert "light in the mouth: darkest" in missed(found)


def test_shapes_in_the_wrong_order_are_noticed(actor: Avatar) -> None:
    bad = scaled(actor, {"pucker": -1.0})
    assert mouth.shapes_keep_their_order(RenderStage(actor))[1].value > 0
    found = mouth.shapes_keep_their_order(RenderStage(bad))
    assert "widths U < O < A < I: smallest step" in missed(found)


def test_a_mouth_that_opens_askew_is_noticed(actor: Avatar) -> None:
    lower = actor.rig.shapes.index("jawOpen")

    def change(mesh: Mesh) -> npt.NDArray[np.float64]:
        delta = mesh.delta.astype(np.float64)
        middle = float(actor.rig.landmarks[[78, 308], 0].mean())
        side = 1 + 0.5 * np.tanh((mesh.xy[:, 0] - middle) / 20)
        delta[:, lower] *= side[:, None]
        return delta

    found = mouth.shapes_keep_their_order(RenderStage(with_deltas(actor, change)))
    assert "A: heights left and right differ, of the larger" in missed(found)


def test_folds_are_noticed_and_named(actor: Avatar) -> None:
    found = still.nothing_folds(RenderStage(scaled(actor, {"funnel": 6.0})))
    assert not any(finding.ok for finding in found)
    assert "poses" in found[0].note


def test_a_mouth_that_jumps_open_is_noticed(actor: Avatar) -> None:
    rest = face({})

    class Jumping(RenderStage):
        def picture(self, face: FaceControls) -> Bytes:
            wide = face.weights[CONTROL_INDEX["jawOpen"]] > 0.4
            return super().picture(face if wide else rest)

    assert missed(still.motion_is_even(Jumping(actor)))


def test_a_head_that_turns_to_one_side_only_is_noticed(actor: Avatar) -> None:
    limit = (0.0, 0.0, 0.0)
    stiff = dataclasses.replace(
        actor, subject=dataclasses.replace(actor.subject, pose_limit_deg=limit)
    )
    assert "yaw: smallest step of the nose" in missed(still.head_turns(RenderStage(stiff)))


def test_teeth_that_go_with_the_jaw_are_noticed(actor: Avatar) -> None:
    """The lower row drawn as the upper one moves with the jaw; the upper one must not."""
    found = mouth.teeth_are_rigid(RenderStage(actor))
    assert {finding.ok for finding in found} == {True}
    teeth = actor.layers["teeth_upper"].pixels.copy()
    teeth[..., 3] = 0
    (slide, light, _) = mouth.teeth_are_rigid(RenderStage(with_layers(actor, teeth_upper=teeth)))
    assert math.isnan(slide.value)
    assert math.isnan(light.value)


def test_the_shift_of_a_texture_is_found() -> None:
    rng = np.random.default_rng(3)
    picture = cv2.GaussianBlur(rng.normal(100, 40, (60, 80)), (0, 0), 2.0)
    moved = cv2.warpAffine(picture, np.array([[1, 0, 1.0], [0, 1, -0.5]]), (80, 60))
    area = np.zeros((60, 80), bool)
    area[20:40, 20:60] = True
    assert mouth._shift(picture, moved, area) == pytest.approx(math.hypot(1.0, 0.5), abs=0.3)
    assert mouth._shift(picture, picture, area) == 0.0


def test_an_avatar_without_openings_is_refused_with_a_sentence() -> None:
    bare = tiny_avatar()
    bare = dataclasses.replace(bare, rig=dataclasses.replace(bare.rig, slits=()))
    with pytest.raises(AvatarRefusedError, match="no opening") as caught:
        judge(RenderStage(bare))
    assert caught.value.code == "E_RIG"


def test_every_criterion_is_asked_once() -> None:
    assert len(criteria.CRITERIA) == len(set(criteria.CRITERIA))


def test_a_goal_is_met_at_its_ends_and_nan_is_nothing_to_measure() -> None:
    inside = Finding(1, "x", 0.5, 0.5, 1.0)
    assert inside.ok
    assert inside.goal == "0.5 .. 1"
    assert not Finding(1, "x", 0.49, 0.5, 1.0).ok
    assert not Finding(1, "x", 1.01, None, 1.0).ok
    assert Finding(1, "x", float("nan"), 0.5).ok
    assert Finding(1, "x", float("nan"), 0.5).as_json()["value"] is None


def test_poses_name_controls_and_blend() -> None:
    for pose in (*VISEMES.values(), *CLOSED.values(), *EXPRESSIONS.values()):
        assert np.isfinite(face(pose).weights).all()
    half = blend({"jawOpen": 1.0}, {"mouthPucker": 0.5}, 0.5)
    assert half == {"jawOpen": 0.5, "mouthPucker": 0.25}
    with pytest.raises(KeyError):
        face({"mouthOpen": 1.0})


# The stage


def test_the_fast_texture_map_is_the_reference_renderers() -> None:
    avatar = tiny_avatar()
    rng = np.random.default_rng(5)
    for mesh in avatar.rig.meshes:
        for reach in (0.0, 1.5, 6.0):
            xy = mesh.xy + rng.normal(0, reach, mesh.xy.shape)
            ours = texture_map(mesh, xy.astype(np.float64), (80, 64))
            theirs = reference.texture_map(mesh, xy.astype(np.float64), (80, 64))
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_masks_are_sampled_between_pixels() -> None:
    mask = np.array([[0, 100], [200, 255]], np.uint8)
    where = np.array([[[0.5, 0.0], [0.0, 0.5], [np.nan, np.nan], [9.0, 9.0]]])
    np.testing.assert_allclose(between(mask, where), [[50, 100, 0, 255]])


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("value_range", ["limited", "full"])
def test_pictures_are_decoded_as_they_were_coded(matrix: str, value_range: str) -> None:
    y, x = np.mgrid[0:64, 0:48]
    rgb = np.stack([3 * x + 40, 2 * y + 60, 200 - x - y], -1).astype(np.uint8)
    data = rgb_to_i420(rgb, coefficients(matrix, value_range))
    away = rgb_of(data, (48, 64), matrix, value_range).astype(int) - rgb
    assert np.abs(away)[2:-2, 2:-2].max() <= 4
    assert abs(away.mean()) < 0.5


def test_the_stage_knows_what_the_renderer_shows(actor: Avatar) -> None:
    """Where the inside is told to show wholly, the picture changes with the inside's colour."""
    pose = face(VISEMES["A"])
    green = {
        role: np.concatenate(
            [np.full_like(layer.pixels[..., :3], (0, 255, 0)), layer.pixels[..., 3:]], 2
        )
        for role, layer in actor.layers.items()
        if role in ("cavity", "tongue", "teeth_upper", "teeth_lower")
    }
    shows = RenderStage(actor).opened("mouth", pose)
    before = RenderStage(actor).picture(pose).astype(int)
    after = RenderStage(with_layers(actor, **green)).picture(pose).astype(int)
    changed = np.abs(after - before).max(-1)
    assert shows.sum() > 300
    assert changed[shows > 0.9].min() > 30
    assert changed[cv2.dilate(shows, np.ones((5, 5))) < 0.01].max() <= 2
