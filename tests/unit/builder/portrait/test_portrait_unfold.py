"""Shapes are smoothed where a pose would fold the skin, and only there."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars import Mesh
from avatar_worker.avatars.builder.portrait.arkit import OF_A_SMILE, arkit_to_shape, box_weights
from avatar_worker.avatars.builder.portrait.depth import estimate_depth
from avatar_worker.avatars.builder.portrait.mesh import RING_CELLS, build_meshes
from avatar_worker.avatars.builder.portrait.shapes import SHAPES
from avatar_worker.avatars.builder.portrait.textures import masks
from avatar_worker.avatars.builder.portrait.unfold import unfolded
from avatar_worker.frames import CONTROL_INDEX
from fakes.portraits import NAMES, built, measured

JAW, CLOSE, BREATH = (SHAPES.index(name) for name in ("jawOpen", "close", "breath"))


def sheet(columns: int = 24, rows: int = 20, layers: tuple[str, ...] = ("skin",)) -> Mesh:
    """A grid whose `jawOpen` pushes the middle down onto the rows below, turning some over."""
    cell = 8
    y, x = np.mgrid[0:rows, 0:columns]
    xy = np.stack([x, y], -1).reshape(-1, 2) * float(cell)
    a = (y[:-1, :-1] * columns + x[:-1, :-1]).ravel()
    b, c, d = a + 1, a + columns + 1, a + columns
    tri = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3).astype(np.int32)
    delta = np.zeros((len(layers), len(SHAPES), len(xy), 2))
    bump = np.exp(-(((xy - xy.mean(0)) / 14) ** 2).sum(1))
    delta[:, JAW, :, 1] = 30 * bump
    delta[:, BREATH, :, 0] = 0.01 * xy[:, 0]
    return Mesh(
        "body", cell, (0, 0), layers, xy.astype(np.float32), np.zeros(len(xy), np.float32), tri,
        delta.astype(np.float16), np.ones(len(xy), np.float32),
    )  # fmt: skip


def weights(**shapes: float) -> npt.NDArray[np.float64]:
    found = np.zeros(len(SHAPES))
    for name, value in shapes.items():
        found[SHAPES.index(name)] = value
    return found


def turned_over(mesh: Mesh, pose: npt.NDArray[np.float64]) -> int:
    count = 0
    for layer in mesh.delta.astype(np.float64):
        moved = mesh.xy + np.tensordot(pose, layer, 1)
        a, b, c = np.moveaxis(moved[mesh.tri], 1, 0)
        count += int(((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] <= 0).sum())
    return count


def test_a_fold_is_smoothed_away() -> None:
    mesh = sheet()
    pose = weights(jawOpen=1.0)
    assert turned_over(mesh, pose) > 0
    (mended,) = unfolded([mesh], [], [pose])
    assert turned_over(mended, pose) == 0
    before, after = (np.abs(m.delta[0, JAW].astype(float)).max() for m in (mesh, mended))
    assert 0.4 * before < after < before


def test_what_a_later_mesh_covers_may_fold() -> None:
    """A tilted face's mouth reaches under an eye, whose own mesh is drawn over it."""
    mouth = dataclasses.replace(sheet(layers=("upper", "lower")), name="mouth")
    still = np.zeros_like(mouth.delta)
    eye = dataclasses.replace(mouth, name="eye_l", delta=still)
    pose = weights(jawOpen=1.0)
    assert turned_over(mouth, pose) > 0
    body = dataclasses.replace(sheet(), delta=np.zeros_like(sheet().delta))
    _, kept, _ = unfolded([body, mouth, eye], [], [pose])
    assert kept is mouth
    _, _, mended = unfolded([body, eye, mouth], [], [pose])
    assert turned_over(mended, pose) < turned_over(mouth, pose)


def test_what_does_not_fold_stays_byte_for_byte() -> None:
    mesh = sheet()
    (mended,) = unfolded([mesh], [], [weights(jawOpen=0.2), weights(breath=1.0)])
    np.testing.assert_array_equal(mended.delta, mesh.delta)


def test_other_shapes_and_far_vertices_stay() -> None:
    mesh = sheet()
    (mended,) = unfolded([mesh], [], [weights(jawOpen=1.0)])
    np.testing.assert_array_equal(mended.delta[:, BREATH], mesh.delta[:, BREATH])
    corner = (mesh.xy < 16).all(1)
    np.testing.assert_array_equal(mended.delta[:, :, corner], mesh.delta[:, :, corner])


def test_close_is_never_touched() -> None:
    mesh = sheet()
    delta = mesh.delta.copy()
    delta[:, CLOSE] = delta[:, JAW]
    (mended,) = unfolded(
        [dataclasses.replace(mesh, delta=delta)], [], [weights(close=1.0, jawOpen=0.2)]
    )
    np.testing.assert_array_equal(mended.delta[:, CLOSE], delta[:, CLOSE])


def test_a_slits_mesh_keeps_agreeing_with_the_body_on_its_ring() -> None:
    mesh = sheet(layers=("upper", "lower"))
    delta = mesh.delta.copy()
    delta[:, JAW, :, 1] = 40 * np.exp(-(((mesh.xy - mesh.xy.mean(0)) / 12) ** 2).sum(1))
    mesh = dataclasses.replace(mesh, delta=delta)
    (mended,) = unfolded([mesh], [], [weights(jawOpen=1.0)])
    high = mesh.xy.max(0) - RING_CELLS * mesh.cell_px
    ring = (mesh.xy <= RING_CELLS * mesh.cell_px).any(1) | (mesh.xy >= high).any(1)
    np.testing.assert_array_equal(mended.delta[:, :, ring], mesh.delta[:, :, ring])
    # Where both skins agreed they still do.
    np.testing.assert_array_equal(mended.delta[0], mended.delta[1])


@pytest.mark.parametrize("name", NAMES)
def test_no_corner_of_the_box_folds_a_built_portrait(name: str) -> None:
    avatar = built(name)
    poses = box_weights(avatar.rig.arkit_to_shape)
    cuts = [avatar.layers[role] for role in ("mask_upper", "mask_lower")]
    again = unfolded(avatar.rig.meshes, cuts, poses)
    for ours, mended in zip(avatar.rig.meshes, again, strict=True):
        np.testing.assert_array_equal(ours.delta, mended.delta)


def test_a_smile_needed_it() -> None:
    m = measured("astronaut")
    skin = built("astronaut").layers["skin"].pixels
    depth = estimate_depth(m, skin[..., 3].astype(np.float32) / 255)
    meshes = build_meshes(m, depth, 512, 640)
    mended = unfolded(meshes, masks(m, 512, 640, meshes), box_weights(arkit_to_shape(m)))
    moved = [
        np.abs(a.delta.astype(float) - b.delta.astype(float)).max()
        for a, b in zip(meshes, mended, strict=True)
    ]
    assert max(moved) > 0.5


def test_a_smiling_mouth_rounds_less() -> None:
    plain, smiling = (arkit_to_shape(measured(name)) for name in NAMES)
    pucker, stretch = SHAPES.index("pucker"), SHAPES.index("stretch")
    rounding = [
        m[CONTROL_INDEX["mouthPucker"], pucker] / m[CONTROL_INDEX["mouthStretchLeft"], stretch]
        for m in (plain, smiling)
    ]
    assert rounding[1] == pytest.approx(OF_A_SMILE * rounding[0], rel=1e-4)


def test_the_box_has_every_sound_and_every_pair_but_no_closed_lips() -> None:
    matrix = built("actor").rig.arkit_to_shape
    poses = box_weights(matrix)
    assert len(poses) > 300
    assert all(pose[CLOSE] == 1.0 for pose in poses)
    assert all(((pose >= 0) & (pose <= 1)).all() for pose in poses)
    assert max(pose[JAW] for pose in poses) > 0.3
