"""Vertices go where shapes and the head take them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, SHAPES, WIDTH, tiny_avatar

from avatar_worker.frames import HeadPose
from avatar_worker.render.vertices import FARTHEST, Sheet, VertexField


def weights(**given: float) -> np.ndarray:
    return np.array([given.get(name, 0.0) for name in SHAPES], np.float32)


def sheet(field: VertexField, mesh: str, layer: str) -> Sheet:
    return next(s for s in field.sheets if (s.mesh.name, s.layer) == (mesh, layer))


@pytest.fixture
def field() -> VertexField:
    return VertexField(tiny_avatar())


def test_every_slit_mesh_has_three_sheets_and_the_body_one(field: VertexField) -> None:
    names = [(s.mesh.name, s.layer) for s in field.sheets]
    assert names[0] == ("body", "skin")
    assert names[1:4] == [("mouth", "upper"), ("mouth", "lower"), ("mouth", "inner")]
    assert len(names) == 10
    assert all(s.stop - s.start == len(s.mesh.xy) for s in field.sheets)


def test_at_rest_a_vertex_lies_at_its_texture_coordinate(field: VertexField) -> None:
    placed = field.place(weights(), HeadPose())
    for part in field.sheets:
        assert np.array_equal(field.of(placed, part), part.mesh.xy)


def test_a_shape_moves_its_layer_by_its_weight(field: VertexField) -> None:
    placed = field.place(weights(jawOpen=0.5), HeadPose())
    lower = sheet(field, "mouth", "lower")
    moved = field.of(placed, lower) - lower.mesh.xy
    delta = lower.mesh.delta[1, SHAPES.index("jawOpen")].astype(np.float32)
    assert np.allclose(moved, 0.5 * delta, atol=1e-5)
    assert np.abs(moved).max() > 1


def test_the_interior_never_follows_a_shape(field: VertexField) -> None:
    placed = field.place(weights(jawOpen=1.0, blinkL=1.0), HeadPose())
    inner = sheet(field, "mouth", "inner")
    assert np.array_equal(field.of(placed, inner), inner.mesh.xy)


def test_the_left_lid_is_at_image_right(field: VertexField) -> None:
    moved = field.place(weights(blinkL=1.0), HeadPose()) - field.place(weights(), HeadPose())
    changed = np.concatenate([s.mesh.xy for s in field.sheets])[np.abs(moved).max(1) > 0.5]
    assert len(changed)
    assert (changed[:, 0] > WIDTH / 2).all()


@pytest.mark.parametrize(
    ("pose", "axis", "sign"),
    [
        (HeadPose(yaw=8.0), 0, 1),
        (HeadPose(yaw=-8.0), 0, -1),
        (HeadPose(pitch=6.0), 1, 1),
        (HeadPose(pitch=-6.0), 1, -1),
    ],
)
def test_the_nose_leads_the_turn(field: VertexField, pose: HeadPose, axis: int, sign: int) -> None:
    placed = field.place(weights(), pose)
    nearest = int(np.argmin(field.sheets[0].mesh.depth))
    moved = placed[nearest] - field.sheets[0].mesh.xy[nearest]
    assert sign * moved[axis] > 0.5


def test_positive_roll_tilts_clockwise(field: VertexField) -> None:
    body = field.sheets[0].mesh
    top = int(np.argmin(np.abs(body.xy - [32, 16]).sum(1)))
    assert field.place(weights(), HeadPose(roll=6.0))[top, 0] > body.xy[top, 0] + 1


def test_shifts_count_in_distances_between_the_eyes(field: VertexField) -> None:
    body = field.sheets[0].mesh
    brow = int(np.argmin(np.abs(body.xy - [32, 24]).sum(1)))
    moved = field.place(weights(), HeadPose(x=0.25, y=-0.125))[brow] - body.xy[brow]
    assert moved == pytest.approx([4.0, -2.0], abs=1e-4)


def test_the_torso_stays_when_the_head_turns(field: VertexField) -> None:
    body = field.sheets[0].mesh
    placed = field.place(weights(), HeadPose(8.0, 6.0, 5.0, 0.1, 0.1))[: len(body.xy)]
    torso = body.pose_weight == 0
    assert torso.any()
    assert np.array_equal(placed[torso], body.xy[torso])


def test_small_turns_to_either_side_mirror_each_other(field: VertexField) -> None:
    x, y = field.sheets[0].mesh.xy.T
    inside = np.flatnonzero((x > 0) & (x < WIDTH) & (y > 0) & (y < HEIGHT))
    rest = field.place(weights(), HeadPose())[inside]
    right = field.place(weights(), HeadPose(yaw=2.0))[inside] - rest
    left = field.place(weights(), HeadPose(yaw=-2.0))[inside] - rest
    assert np.abs(right + left).max() < 0.1 * np.abs(right).max()


def test_the_picture_never_ends_inside_the_frame(field: VertexField) -> None:
    body = field.sheets[0].mesh
    for pose in (HeadPose(x=0.5, y=0.5), HeadPose(x=-0.5, y=-0.5), HeadPose(roll=8.0)):
        placed = field.place(weights(breath=1.0), pose)[: len(body.xy)]
        assert placed[body.xy[:, 0] == 0, 0].max() <= 0
        assert placed[body.xy[:, 1] == 0, 1].max() <= 0
        assert placed[body.xy[:, 0] == WIDTH, 0].min() >= WIDTH - 1
        assert placed[body.xy[:, 1] == HEIGHT, 1].min() >= HEIGHT - 1


def test_vertices_stay_where_a_raster_can_count() -> None:
    avatar = tiny_avatar()
    body = avatar.rig.meshes[0]
    delta = body.delta.copy()
    delta[0, SHAPES.index("breath")] = 60_000
    wild = replace(body, delta=delta)
    rig = replace(avatar.rig, meshes=(wild, *avatar.rig.meshes[1:]))
    placed = VertexField(replace(avatar, rig=rig)).place(weights(breath=1.0), HeadPose())
    assert np.abs(placed).max() <= FARTHEST


def test_placing_leaves_the_rest_positions_alone(field: VertexField) -> None:
    first = field.place(weights(), HeadPose())
    field.place(weights(jawOpen=1.0), HeadPose(yaw=5.0))
    assert np.array_equal(first, field.place(weights(), HeadPose()))


def test_a_triangle_without_a_vertex_is_refused() -> None:
    avatar = tiny_avatar()
    body = avatar.rig.meshes[0]
    tri = body.tri.copy()
    tri[3, 1] = len(body.xy)
    rig = replace(avatar.rig, meshes=(replace(body, tri=tri), *avatar.rig.meshes[1:]))
    with pytest.raises(ValueError, match="'body' lacks a vertex"):
        VertexField(replace(avatar, rig=rig))
