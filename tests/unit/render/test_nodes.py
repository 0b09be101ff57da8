"""Nodes of the map: they say what the plain raster says, and go on beyond its edge."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, WIDTH, tiny_rig

from avatar_worker.avatars import Mesh
from avatar_worker.render import nodes
from avatar_worker.render.nodes import COARSE, PAD, STEP, UNSEEN
from avatar_worker.render.reference import texture_map


def grid(seed: int, *, shake: float) -> tuple[Mesh, np.ndarray]:
    """A mesh of 8 x 8 pixel cells and screen positions off its rest by up to `shake` pixels."""
    body = tiny_rig().meshes[0]
    rng = np.random.default_rng(seed)
    xy = body.xy + rng.uniform(-shake, shake, body.xy.shape).astype(np.float32)
    return body, np.ascontiguousarray(xy, np.float32)


def traced(mesh: Mesh, xy: np.ndarray, step: int = COARSE) -> np.ndarray:
    make = nodes.coarse_nodes if step == COARSE else nodes.fine_nodes
    at = make(WIDTH, HEIGHT)
    at.fill(UNSEEN)
    owner = np.full(at.shape[1:], 3, np.uint8)
    nodes.trace(mesh.tri, mesh.xy, xy, step, WIDTH - 1, HEIGHT - 1, at, owner, 0)
    assert np.array_equal(owner == 0, at[0] != UNSEEN)
    return at


def as_pixels(at: np.ndarray) -> np.ndarray:
    """Planes to (rows, columns, 2), NaN where nothing was seen."""
    return np.moveaxis(np.where(at == UNSEEN, np.nan, at / 65536), 0, -1)


@pytest.mark.parametrize("step", [COARSE, STEP])
@pytest.mark.parametrize("seed", range(4))
def test_a_node_says_what_the_plain_raster_says_of_its_pixel(seed: int, step: int) -> None:
    mesh, xy = grid(seed, shake=2.5)
    found = as_pixels(traced(mesh, xy, step))
    ys = np.minimum(np.arange(found.shape[0]) * step, HEIGHT - 1)
    xs = np.minimum(np.arange(found.shape[1]) * step, WIDTH - 1)
    expected = texture_map(mesh, xy, (HEIGHT, WIDTH))[ys][:, xs]
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    assert np.nanmax(np.abs(found - expected)) < 1e-3


def test_the_last_nodes_move_from_the_last_pixel_to_their_own_place() -> None:
    mesh, xy = grid(0, shake=0.0)
    at = traced(mesh, xy)
    assert at[0, 3, -1] == (WIDTH - 1) << 16
    assert at[1, -1, 3] == (HEIGHT - 1) << 16
    nodes.extend(at, WIDTH - 1, HEIGHT - 1)
    assert at[0, 3, -1] == pytest.approx(WIDTH << 16, abs=4)
    assert at[1, -1, 3] == pytest.approx(HEIGHT << 16, abs=4)
    y, x = np.mgrid[: at.shape[1], : at.shape[2]] * COARSE
    assert np.abs(as_pixels(at) - np.stack([x, y], -1)).max() < 1e-3


def test_what_no_triangle_covers_goes_on_for_one_node() -> None:
    at = nodes.coarse_nodes(WIDTH, HEIGHT)
    at.fill(UNSEEN)
    y, x = np.mgrid[3:6, 2:5] * (COARSE << 16)
    at[0, 3:6, 2:5], at[1, 3:6, 2:5] = x, y
    nodes.extend(at, WIDTH - 1, HEIGHT - 1)
    seen = at[0] != UNSEEN
    expected = np.zeros_like(seen)
    expected[2:7, 1:6] = True
    assert np.array_equal(seen, expected)
    y, x = np.mgrid[2:7, 1:6] * (COARSE << 16)
    assert np.array_equal(at[:, 2:7, 1:6], np.stack([x, y]))


def test_refining_puts_a_node_between_each_two_and_none_beside_an_unseen_one() -> None:
    mesh, xy = grid(2, shake=2.0)
    coarse = traced(mesh, xy)
    coarse[:, 4, 4] = UNSEEN
    fine = nodes.fine_nodes(WIDTH, HEIGHT)
    nodes.refine(coarse, fine)
    assert np.array_equal(fine[:, ::2, ::2], coarse)
    assert (fine[:, 7:10, 7:10] == UNSEEN).all()
    between = (coarse[:, 6, 1:7].astype(np.int64) + coarse[:, 6, 2:8]) // 2
    assert np.abs(fine[:, 12, 3:15:2] - between).max() <= 1
    middle = coarse[:, 6:8, 6:8].astype(np.int64).sum((1, 2)) // 4
    assert np.abs(fine[:, 13, 13] - middle).max() <= 2


def test_triangles_that_show_their_back_are_left_out() -> None:
    mesh, xy = grid(0, shake=0.0)
    mirrored = np.ascontiguousarray([WIDTH, 0] + xy * [-1, 1], np.float32)
    assert (traced(mesh, mirrored) == UNSEEN).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 16_384.0, -16_384.0])
def test_a_vertex_gone_astray_writes_nothing_outside_the_nodes(poison: float) -> None:
    mesh, xy = grid(1, shake=2.0)
    xy[40] = poison
    guarded = np.full((4, *nodes.coarse_nodes(WIDTH, HEIGHT).shape[1:]), 7, np.int32)
    owner = np.zeros(guarded.shape[1:], np.uint8)
    nodes.trace(mesh.tri, mesh.xy, xy, COARSE, WIDTH - 1, HEIGHT - 1, guarded[1:3], owner, 1)
    assert (guarded[0] == 7).all()
    assert (guarded[3] == 7).all()


def test_a_slits_nodes_beyond_the_picture_are_shifted_there_at_once() -> None:
    mesh, xy = grid(1, shake=0.0)
    body = traced(mesh, xy, STEP)
    slit, owner = np.full_like(body, UNSEEN), np.zeros(body.shape[1:], np.uint8)
    nodes.trace(mesh.tri, mesh.xy, xy, STEP, WIDTH - 1, HEIGHT - 1, slit, owner, 1)
    rows, columns = (STEP * np.arange(n) for n in owner.shape)
    moved = np.stack(
        np.broadcast_arrays(
            np.maximum(columns - WIDTH + 1, 0), np.maximum(rows - HEIGHT + 1, 0)[:, None]
        )
    )
    assert moved.any()
    assert np.array_equal(slit[:, owner == 1], (body + (moved << 16))[:, owner == 1])


@pytest.mark.parametrize("factor", [-100.0, 3.0, 250.0])
def test_coordinates_stay_where_a_texture_can_be_asked(factor: float) -> None:
    mesh, xy = grid(1, shake=2.0)
    at = nodes.coarse_nodes(WIDTH, HEIGHT)
    at.fill(UNSEEN)
    wild = (mesh.xy * factor).astype(np.float32)
    owner = np.zeros(at.shape[1:], np.uint8)
    nodes.trace(mesh.tri, wild, xy, COARSE, WIDTH - 1, HEIGHT - 1, at, owner, 1)
    nodes.extend(at, WIDTH - 1, HEIGHT - 1)
    seen = at[:, at[0] != UNSEEN].astype(np.int64)
    assert seen.min() >= -(PAD - 1) << 16
    assert seen[0].max() <= (WIDTH + PAD) << 16
    assert seen[1].max() <= (HEIGHT + PAD) << 16


def test_a_cells_nodes_are_its_own_and_an_unseen_one_stands_for_its_place() -> None:
    fine = nodes.fine_nodes(WIDTH, HEIGHT)
    fine[0], fine[1] = np.random.default_rng(4).integers(0, 1 << 20, fine.shape)
    nine = np.zeros((2, 3, 3), np.int32)
    assert nodes.nodes_of_cell(fine, 3, 2, nine)
    assert np.array_equal(nine, fine[:, 6:9, 4:7])
    fine[0, 7, 6] = UNSEEN
    assert not nodes.nodes_of_cell(fine, 3, 2, nine)
    assert nine[:, 1, 2].tolist() == [6 * STEP << 16, 7 * STEP << 16]
    others = np.ones((3, 3), bool)
    others[1, 2] = False
    assert np.array_equal(nine[:, others], fine[:, 6:9, 4:7][:, others])
