"""How far the upper skin covers: as the reference samples it, full where it is alone, and its shade."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, WIDTH

from avatar_worker.render import covering, nodes
from avatar_worker.render.cells import SHEET, SOLID
from avatar_worker.render.nodes import PAD, UNSEEN
from avatar_worker.render.reference import cover_above, sample
from avatar_worker.render.textures import covers_of, taps_of

TAG = 2
EDGE = 40
"""Down to this row of the texture the upper skin covers, in `mask_of`."""


def mask_of(seed: int = 0) -> np.ndarray:
    """An edge that runs up and down by three pixels. uint8, (H, W)."""
    x = np.arange(WIDTH)
    edge = EDGE + 3 * np.sin(x / 5 + seed)
    soft = (edge - np.arange(HEIGHT)[:, None]) * 128 + 128
    return np.clip(soft, 0, 255).astype(np.uint8)


def shifted(by: tuple[float, float], bend: float = 0.0) -> np.ndarray:
    """Fine nodes that show the texture shifted, and the more shifted the farther to the right."""
    fine = nodes.fine_nodes(WIDTH, HEIGHT)
    row, column = np.mgrid[: fine.shape[1], : fine.shape[2]] * nodes.STEP
    across, down = column + by[0] + bend * column, row + by[1] + bend * column
    fine[0] = across.clip(1 - PAD, WIDTH + PAD - 2) * 65536
    fine[1] = down.clip(1 - PAD, HEIGHT + PAD - 2) * 65536
    return fine


def covered(
    fine: np.ndarray, lower: np.ndarray | None = None, **changed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cover of all cells, and which of them are still exact."""
    cells = HEIGHT // 8, WIDTH // 8
    exact = np.full(cells, TAG, np.uint8)
    marks = {"exact": exact, "kinds": np.full(cells, SOLID, np.uint8)}
    marks |= {"owner": np.full(fine.shape[1:], TAG, np.uint8), **changed}
    over = np.full((HEIGHT, WIDTH), -1, np.int32)
    covering.cover_upper(
        (0, 0, WIDTH // 8, HEIGHT // 8), TAG, marks["exact"], marks["kinds"], marks["owner"], fine,
        fine if lower is None else lower, taps_of(mask_of()), covers_of(mask_of()), WIDTH, over,
    )  # fmt: skip
    return over, marks["exact"]


@pytest.mark.parametrize("by", [(0.0, 0.0), (1.25, -2.5), (-3.0, 4.75)])
@pytest.mark.parametrize("bend", [0.0, 0.01, 0.2])
def test_the_cover_is_the_mask_where_the_nodes_lie(by: tuple[float, float], bend: float) -> None:
    """A whole cell shifted alike, one that turns, and one that is stretched."""
    over, _ = covered(shifted(by, bend))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    where = np.stack([x + by[0] + bend * x, y + by[1] + bend * x], -1)
    exact = sample(mask_of()[..., None], where)[0][..., 0]
    # A sample may be moved by 1/16 pixel, and the edge rises by 128 from pixel to pixel.
    assert np.abs(over - exact).max() <= 128 / 16 + 2
    assert np.abs(over - exact).mean() < 0.5


def test_cells_without_a_gap_are_told_to_be_so() -> None:
    over, exact = covered(shifted((0.0, 0.0)))
    shows = (over.reshape(HEIGHT // 8, 8, WIDTH // 8, 8) < 255).any((1, 3))
    assert np.array_equal(exact == TAG, shows)
    assert shows.any()
    assert not shows.all()


def test_where_another_slit_or_no_lower_skin_lies_the_upper_skin_is_alone() -> None:
    fine = shifted((0.0, 0.0))
    owner = np.full(fine.shape[1:], TAG, np.uint8)
    owner[:, :4] = TAG + 1
    lower = fine.copy()
    lower[0, :, 12:] = UNSEEN
    over, _ = covered(fine, lower, owner=owner)
    plain, _ = covered(fine)
    assert (over[:, :16] == 255).all()
    assert (over[:, 44:] == 255).all()
    assert np.array_equal(over[:, 16:44], plain[:, 16:44])
    assert (plain[:, :16] < 255).any()


def test_cells_that_are_not_exact_are_covered_unless_the_lower_skin_is_alone() -> None:
    exact = np.zeros((HEIGHT // 8, WIDTH // 8), np.uint8)
    kinds = np.full_like(exact, SOLID)
    kinds[3, 4] |= TAG << SHEET
    over, _ = covered(shifted((0.0, 0.0)), exact=exact, kinds=kinds)
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[24:32, 32:40] = 0
    assert np.array_equal(over, expected)


def test_nodes_at_the_farthest_are_still_asked_inside_the_texture() -> None:
    for far in (-(PAD - 1), PAD - 1):
        fine = shifted((0.0, 0.0))
        limits = np.array([WIDTH, HEIGHT]) + far - 1 if far > 0 else np.full(2, far)
        fine[0], fine[1] = limits[0] << 16, limits[1] << 16
        over, _ = covered(fine)
        assert (over == (0 if far > 0 else 255)).all()


@pytest.mark.parametrize("reach", [1, 3, 8, 40])
def test_the_shade_is_the_cover_above_as_the_reference_adds_it(reach: int) -> None:
    over = np.random.default_rng(reach).integers(0, 256, (30, 12)).astype(np.int32)
    total = np.empty_like(over)
    covering.add_above(over, reach, total)
    assert np.allclose(total / reach / 255, cover_above(over / 255, reach), atol=1e-9)
