"""The compiled loops against what they stand for: coverage, samples, mixing, bounds."""

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import tiny_rig

from avatar_worker.avatars import Mesh
from avatar_worker.render import raster, slits
from avatar_worker.render.prepared import flat, packed
from avatar_worker.render.reference import sample, texture_map
from avatar_worker.render.sampling import mix

ROWS, COLUMNS = 60, 70


def grid(seed: int, *, shake: float) -> tuple[Mesh, np.ndarray]:
    """A mesh of 8 x 8 pixel cells and screen positions off its rest by up to `shake` pixels."""
    body = tiny_rig().meshes[0]
    rng = np.random.default_rng(seed)
    xy = body.xy + rng.uniform(-shake, shake, body.xy.shape).astype(np.float32)
    return body, np.ascontiguousarray(xy, np.float32)


def compiled_map(mesh: Mesh, xy: np.ndarray, x0: int = 0, y0: int = 0) -> np.ndarray:
    target = np.full((ROWS, COLUMNS, 2), raster.UNSEEN, np.int32)
    raster.draw_map(mesh.tri, mesh.xy, xy, x0, y0, target)
    return target


def as_pixels(found: np.ndarray) -> np.ndarray:
    return np.where(found == raster.UNSEEN, np.nan, found / 65536)


@pytest.mark.parametrize("seed", range(5))
def test_a_map_says_what_the_plain_raster_says(seed: int) -> None:
    mesh, xy = grid(seed, shake=3.0)
    found = as_pixels(compiled_map(mesh, xy))
    expected = texture_map(mesh, xy, (ROWS, COLUMNS))
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    assert np.nanmax(np.abs(found - expected)) < 0.01


def test_a_mesh_at_rest_maps_every_pixel_to_itself_without_a_hole() -> None:
    mesh, xy = grid(0, shake=0.0)
    found = as_pixels(compiled_map(mesh, xy))
    y, x = np.mgrid[:ROWS, :65]
    assert np.allclose(found[:, :65], np.stack([x, y], -1), atol=1e-3)
    assert np.isnan(found[:, 65:]).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_shaken_mesh_has_no_hole_inside(seed: int) -> None:
    mesh, xy = grid(seed, shake=3.0)
    assert not np.isnan(as_pixels(compiled_map(mesh, xy))[4:56, 4:60]).any()


def test_a_map_may_start_anywhere() -> None:
    mesh, xy = grid(3, shake=2.0)
    whole, part = compiled_map(mesh, xy), compiled_map(mesh, xy, 20, 10)
    assert np.abs(whole[10:, 20:] - part[: ROWS - 10, : COLUMNS - 20]).max() < 600
    assert (part[:, 48:] == raster.UNSEEN).all()


def test_triangles_that_show_their_back_are_left_out() -> None:
    mesh, xy = grid(0, shake=0.0)
    mirrored = np.ascontiguousarray([64, 0] + xy * [-1, 1], np.float32)
    assert (compiled_map(mesh, mirrored) == raster.UNSEEN).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 16_384.0, -16_384.0])
def test_a_vertex_gone_astray_writes_nothing_outside_the_map(poison: float) -> None:
    mesh, xy = grid(1, shake=2.0)
    xy[40] = poison
    guarded = np.full((ROWS + 20, COLUMNS, 2), 7, np.int32)
    raster.draw_map(mesh.tri, mesh.xy, xy, 0, 0, guarded[10:-10])
    assert (guarded[:10] == 7).all()
    assert (guarded[-10:] == 7).all()


def test_texture_coordinates_beyond_the_texture_take_its_edge() -> None:
    mesh, xy = grid(0, shake=0.0)
    far = replace(mesh, xy=(mesh.xy * 40 - 900).astype(np.float32))
    skin = np.full((ROWS, COLUMNS, 4), 255, np.uint8)
    skin[..., 0] = np.arange(ROWS)[:, None]
    canvas = np.zeros((ROWS, COLUMNS), np.uint32)
    raster.draw_skin(far.tri, far.xy, xy, canvas, flat(packed(skin)), np.zeros_like(canvas))
    red = canvas[:, :65] & 255
    assert red.min() == 0
    assert red.max() == ROWS - 1


@pytest.mark.parametrize("seed", range(3))
def test_skin_over_plate_is_within_a_level_of_the_plain_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mesh, xy = grid(seed, shake=3.0)
    skin = rng.integers(0, 256, (ROWS, COLUMNS, 4), np.uint8)
    skin[:, :20, 3], skin[:, 40:, 3] = 0, 255
    plate = rng.integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)
    back = packed(np.dstack([plate, plate[..., 0]]))
    canvas = back.copy()
    raster.draw_skin(mesh.tri, mesh.xy, xy, canvas, flat(packed(skin)), back)
    colour, alpha = sample(skin, texture_map(mesh, xy, (ROWS, COLUMNS)))
    expected = plate + alpha * (colour - plate)
    drawn = canvas.view(np.uint8).reshape(ROWS, COLUMNS, 4)[..., :3].astype(float)
    assert np.abs(drawn - expected).max() < 2.6
    assert np.abs(drawn - expected).mean() < 0.4


def test_a_sample_between_pixels_is_exact_along_either_axis() -> None:
    skin = np.zeros((ROWS, COLUMNS, 4), np.uint8)
    skin[..., 0], skin[..., 3] = np.arange(COLUMNS) * 3, 255
    mesh, xy = grid(0, shake=0.0)
    moved = np.ascontiguousarray(xy + [0.25, 0.0], np.float32)
    canvas = np.zeros((ROWS, COLUMNS), np.uint32)
    raster.draw_skin(mesh.tri, mesh.xy, moved, canvas, flat(packed(skin)), canvas.copy())
    expected = np.floor((np.arange(1, 64) - 0.25) * 3 + 0.5)
    assert (canvas[5, 1:64] & 255).tolist() == expected.tolist()


def test_the_upper_skin_reports_where_something_shows_through() -> None:
    mesh, xy = grid(0, shake=0.0)
    found = compiled_map(mesh, xy)
    mask = np.full((ROWS, COLUMNS), 255, np.uint8)
    mask[20:30, 15:40] = 0
    skin = flat(packed(np.full((ROWS, COLUMNS, 4), 255, np.uint8)))
    canvas, cover = np.zeros((ROWS, COLUMNS), np.uint32), np.empty((ROWS, COLUMNS), np.int32)
    box = slits.draw_upper(canvas, canvas.copy(), 0, 0, found, skin, flat(mask), cover)
    assert box == (15, 20, 40, 30)
    assert np.array_equal(cover[:, :65], mask[:, :65])
    assert (cover[:, 65:] == 255).all()
    assert (canvas[20:30, 15:40] == 0).all()
    assert (canvas[:20, :65] & 255 == 255).all()


def test_full_cover_reports_an_empty_box() -> None:
    mesh, xy = grid(0, shake=1.0)
    skin = flat(packed(np.full((ROWS, COLUMNS, 4), 255, np.uint8)))
    canvas, cover = np.zeros((ROWS, COLUMNS), np.uint32), np.empty((ROWS, COLUMNS), np.int32)
    mask = flat(np.full((ROWS, COLUMNS), 255, np.uint8))
    left, _, right, _ = slits.draw_upper(
        canvas, canvas.copy(), 0, 0, compiled_map(mesh, xy), skin, mask, cover
    )
    assert right <= left


def test_mixing_rounds_to_nearest_for_every_pair_of_bytes() -> None:
    front, alpha = (grid.ravel() for grid in np.meshgrid(np.arange(256), np.arange(256)))
    back = (front * 7 + alpha * 3) % 256
    expected = np.rint((front * alpha + back * (255 - alpha)) / 255).astype(int)
    grey = 0x010101
    found = [
        mix.py_func(int(b) * grey, int(f) * grey, int(a))
        for b, f, a in zip(back, front, alpha, strict=True)
    ]
    assert found == (expected * grey).tolist()
