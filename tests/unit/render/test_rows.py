"""Asking a grid for rows of nodes finds what tracing all its triangles finds."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.render import nodes
from avatar_worker.render.nodes import COARSE, PAD, STEP, UNSEEN
from avatar_worker.render.rows import ASK_ALL, walk
from avatar_worker.render.walk import find_node
from fakes.avatars import HEIGHT, WIDTH, tiny_rig
from fakes.grids import grid, shaken

LAST = WIDTH - 1, HEIGHT - 1


def empty(step: int) -> tuple[np.ndarray, np.ndarray]:
    at = (nodes.coarse_nodes if step == COARSE else nodes.fine_nodes)(WIDTH, HEIGHT)
    at.fill(UNSEEN)
    return at, np.zeros(at.shape[1:], np.uint8)


@pytest.mark.parametrize("step", [COARSE, STEP])
@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("seed", range(4))
def test_walking_and_tracing_agree(seed: int, which: int, step: int) -> None:
    mesh = tiny_rig().meshes[which]
    xy = shaken(mesh, seed, 0.25 * mesh.cell_px)
    (walked, owner), (traced, _) = empty(step), empty(step)
    walk(grid(mesh), xy, step, WIDTH - 1, HEIGHT - 1, walked, owner, 2, ASK_ALL)
    last = WIDTH - 1, HEIGHT - 1
    nodes.trace(mesh.tri, mesh.xy, xy, step, *last, traced, np.zeros_like(owner), 2)
    seen = walked[0] != UNSEEN
    assert np.array_equal(owner == 2, seen)
    assert np.array_equal(seen, traced[0] != UNSEEN)
    assert seen.sum() > 20 if which == 0 else seen.any()
    rows, columns = np.mgrid[: seen.shape[0], : seen.shape[1]] * step
    inside = (columns <= LAST[0]) & (rows <= LAST[1])
    assert np.abs(walked - traced)[:, seen & inside].max() <= 8
    # Beyond the picture tracing goes on as at the last pixel.
    assert np.abs(walked - traced)[:, seen].max() <= 1 << 16


@pytest.mark.parametrize("step", [COARSE, STEP])
@pytest.mark.parametrize("shear", [-0.6, -0.2, 0.0, 0.3, 0.8])
def test_a_row_is_found_node_by_node_as_well(shear: float, step: int) -> None:
    """Stretched and slanted, so that a row lies elsewhere than the two above it would have it."""
    mesh = tiny_rig().meshes[0]
    xy = mesh.xy.astype(np.float64)
    first, last = xy.min(0), xy.max(0)
    inner = np.sin(np.pi * (xy - first) / (last - first)).prod(1)
    wave = 3 * inner[:, None] * np.stack([np.sin(xy[:, 1] / 3), np.cos(xy[:, 0] / 5)], 1)
    xy[:, 0] += shear * (xy[:, 1] - 40)
    placed = np.ascontiguousarray(xy + wave, np.float32)
    at, owner = empty(step)
    left, top, right, bottom = walk(grid(mesh), placed, step, *LAST, at, owner, 1, ASK_ALL)
    for row in range(top, bottom):
        for column in range(left, right):
            x, y = column * step, row * step
            i, _, u, v = find_node(grid(mesh), placed, x, y, *LAST, 4, 4)
            assert (owner[row, column] == 1) == (i >= 0)
            if i >= 0:
                assert np.abs(at[:, row, column] - (u, v)).max() < 16


def test_what_nodes_held_before_does_not_matter() -> None:
    mesh = tiny_rig().meshes[0]
    xy = shaken(mesh, 3, 2.0)
    (clean, owner), (dirty, _) = empty(STEP), empty(STEP)
    dirty[:] = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, dirty.shape)
    walk(grid(mesh), xy, STEP, *LAST, clean, owner, 1, ASK_ALL)
    walk(grid(mesh), xy, STEP, *LAST, dirty, owner, 1, ASK_ALL)
    assert np.array_equal(clean[:, owner == 1], dirty[:, owner == 1])


@pytest.mark.parametrize("past", [0, 24])
def test_a_slit_goes_on_beyond_the_last_pixel(past: int) -> None:
    """Stretched by a quarter; a mesh that ends with the picture goes on without stretching."""
    mesh = tiny_rig().meshes[0]
    end = mesh.xy.max(0)
    xy = np.ascontiguousarray(1.25 * (mesh.xy - end) + np.array(LAST) + past, np.float32)
    at, owner = empty(STEP)
    walk(grid(mesh), xy, STEP, *LAST, at, owner, 1, ASK_ALL)
    beyond = (np.array(owner.shape[::-1]) - 1) * STEP - np.array(LAST)
    assert beyond.min() > 0
    assert owner[-1, -1] == 1
    slope = 1 / 1.25 if past else 1.0
    assert at[:, -1, -1] / 65536 == pytest.approx(end - past / 1.25 + slope * beyond, abs=0.01)


def test_only_nodes_around_the_mesh_are_asked() -> None:
    mesh = tiny_rig().meshes[1]
    at, owner = empty(STEP)
    left, top, right, bottom = walk(grid(mesh), mesh.xy, STEP, *LAST, at, owner, 3, ASK_ALL)
    first, last = mesh.xy.min(0), mesh.xy.max(0)
    assert STEP * left <= first[0] <= last[0] <= STEP * right
    assert STEP * top <= first[1] <= last[1] <= STEP * bottom
    assert (right - left) * (bottom - top) < owner.size / 2
    owner[top:bottom, left:right] = 0
    assert not owner.any()


@pytest.mark.parametrize("aside", [-1_000.0, 1_000.0])
def test_a_mesh_beyond_the_picture_is_not_found(aside: float) -> None:
    mesh = tiny_rig().meshes[1]
    at, owner = empty(STEP)
    walk(grid(mesh), mesh.xy + np.float32(aside), STEP, *LAST, at, owner, 1, ASK_ALL)
    assert not owner.any()
    assert (at == UNSEEN).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 16_384.0])
def test_a_vertex_gone_astray_ends_the_walk(poison: float) -> None:
    mesh = tiny_rig().meshes[0]
    xy = mesh.xy.copy()
    xy[40] = poison
    at, owner = empty(COARSE)
    walk(grid(mesh), xy, COARSE, WIDTH - 1, HEIGHT - 1, at, owner, 1, ASK_ALL)
    assert at[:, owner == 1].min() >= -(PAD - 1) << 16
    assert at[0, owner == 1].max() <= (WIDTH + PAD) << 16


@pytest.mark.parametrize("by", [0.0, 3.0, 14.0])
def test_nodes_far_from_the_person_are_spared_as_long_as_nothing_comes_near(by: float) -> None:
    """With a step of 8 px, a node is spared that lies more than 10 px farther off than all moves."""
    mesh = tiny_rig().meshes[0]
    xy = mesh.xy.copy()
    xy[40] += by
    away = np.zeros((HEIGHT // COARSE + 1, WIDTH // COARSE + 1), np.uint8)
    away[:, 4:] = np.arange(8, 8 * 6, 8)[: away.shape[1] - 4]
    (some, owner), (every, all_owner) = empty(COARSE), empty(COARSE)
    owner[:] = 9
    walk(grid(mesh), xy, COARSE, WIDTH - 1, HEIGHT - 1, some, owner, 0, away)
    walk(grid(mesh), xy, COARSE, WIDTH - 1, HEIGHT - 1, every, all_owner, 0, ASK_ALL)
    spared = away > by + 10
    assert spared.any()
    assert np.array_equal(some[:, ~spared], every[:, ~spared])
    rows, columns = np.nonzero(spared)
    own_place = np.minimum(columns * COARSE, WIDTH - 1) << 16
    assert np.array_equal(some[0][spared], own_place)
    assert np.array_equal(owner == 9, spared)
