"""Walking through a grid leads to the triangle over a point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar_worker.render.nodes import PAD
from avatar_worker.render.walk import NO_GRID, find, find_node, fixed, grid_of
from fakes.avatars import tiny_avatar, tiny_rig
from fakes.grids import grid, shaken, sheet


@pytest.mark.parametrize("start", [(0, 0), (7, 0), (3, 9), (7, 9)])
def test_the_place_does_not_depend_on_where_the_walk_begins(start: tuple[int, int]) -> None:
    mesh = tiny_rig().meshes[0]
    xy = shaken(mesh, 1, 1.5)
    i, j, u, v = find(grid(mesh), xy, 33.3, 41.7, *start)
    assert (i, j, u, v) == find(grid(mesh), xy, 33.3, 41.7, 4, 5)
    assert np.hypot(u - 33.3, v - 41.7) < 3


def test_a_point_outside_the_mesh_is_not_found() -> None:
    mesh = tiny_rig().meshes[1]
    for x, y in ((-100.0, 50.0), (32.0, 10.0), (32.0, 79.0), (63.0, 50.0)):
        assert find(grid(mesh), mesh.xy, x, y, 2, 2)[0] == -1


def test_a_collapsed_mesh_ends_the_walk() -> None:
    mesh = tiny_rig().meshes[0]
    assert find(grid(mesh), np.zeros_like(mesh.xy), 0.0, 0.0, 4, 4)[0] == -1


def test_nothing_is_found_in_no_grid() -> None:
    assert find(NO_GRID, np.zeros((4, 2), np.float32), 0.0, 0.0, 0, 0)[0] == -1


def test_coordinates_are_kept_where_textures_reach() -> None:
    assert fixed(1.5, 100) == 3 << 15
    assert fixed(-1e9, 100) == -(PAD - 1) << 16
    assert fixed(1e9, 100) == (100 + PAD - 1) << 16


def test_a_node_beyond_the_picture_lies_where_the_mesh_goes_on() -> None:
    mesh = tiny_rig().meshes[0]
    i, _, u, v = find_node(grid(mesh), mesh.xy, 20, 24, 63, 79, 4, 4)
    assert (i >= 0, u, v) == (True, 20 << 16, 24 << 16)
    far = int(mesh.xy[:, 0].max()) + 3
    i, _, u, v = find_node(grid(mesh), mesh.xy, far, 24, far - 5, 79, 4, 4)
    assert (i >= 0, u, v) == (True, far << 16, 24 << 16)
    assert find_node(grid(mesh), mesh.xy, far, 24, far, 79, 4, 4)[0] == -1


def test_a_grid_says_where_it_lies() -> None:
    mesh = tiny_rig().meshes[1]
    assert grid(mesh).tolist() == [0, 7, 7, 4, 20, 38]


def test_other_meshes_are_no_grids() -> None:
    mesh = tiny_rig().meshes[1]
    moved = mesh.xy.copy()
    moved[10] += 0.5
    other_way = mesh.tri.copy()
    other_way[0] = mesh.tri[0][[1, 2, 0]]
    for other in (
        replace(mesh, xy=moved),
        replace(mesh, tri=mesh.tri[:-1]),
        replace(mesh, tri=other_way),
        replace(mesh, xy=(mesh.xy + 0.5).astype(np.float32)),
        replace(mesh, xy=mesh.xy[:5], tri=mesh.tri[:1] * 0),
    ):
        assert grid_of(sheet(other)) is None


def test_an_avatar_of_other_meshes_is_drawn_as_well() -> None:
    """One triangle named from its second corner makes a mesh irregular and moves nothing."""
    from avatar_worker.clock import Ticks
    from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
    from avatar_worker.render.cpu import CpuRenderer

    avatar = tiny_avatar()
    meshes = []
    for mesh in avatar.rig.meshes:
        tri = mesh.tri.copy()
        tri[0] = tri[0][[1, 2, 0]]
        meshes.append(replace(mesh, tri=tri))
    other = replace(avatar, rig=replace(avatar.rig, meshes=tuple(meshes)))
    weights = np.zeros(len(CONTROL_NAMES), np.float32)
    weights[CONTROL_INDEX["jawOpen"]] = weights[CONTROL_INDEX["eyeBlinkLeft"]] = 0.7
    renderer, pictures = CpuRenderer(), []
    for one in (avatar, other):
        face = FaceControls(Ticks(0), weights, HeadPose(yaw=4.0, roll=2.0))
        (frame,) = renderer.render([(renderer.open(one), face)])
        pictures.append(frame.data.astype(int))
    off = np.abs(pictures[0] - pictures[1])
    assert off.mean() < 0.02
    assert pictures[0].std() > 10
