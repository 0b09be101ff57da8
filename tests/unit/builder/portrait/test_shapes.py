from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from avatar_worker.avatars.builder.portrait.arkit import amplitude, arkit_to_shape
from avatar_worker.avatars.builder.portrait.eye_shapes import (
    SQUINT_LOWER,
    SQUINT_UPPER,
    eye_fields,
)
from avatar_worker.avatars.builder.portrait.measures import Measures
from avatar_worker.avatars.builder.portrait.mouth_shapes import (
    CHIN_SHARE,
    CORNER_SHARE,
    JAW_U,
    NECK_STOP_U,
    mouth_fields,
)
from avatar_worker.avatars.builder.portrait.shapes import SHAPES, displacements
from avatar_worker.frames import ARKIT_NAMES, CONTROL_INDEX
from fakes.portraits import NAMES, measured

Floats = npt.NDArray[np.float64]

CONTRACT = (
    "close", "narrow", "jawOpen", "smileL", "smileR", "frownL", "frownR", "stretch", "pucker",
    "funnel", "press", "upperUp", "lowerDown", "lowerIn", "blinkL", "blinkR", "squintL",
    "squintR", "browUpL", "browUpR", "browDownL", "browDownR", "breath",
)  # fmt: skip
UNDRIVEN = {"jawForward", "mouthClose"}
"""`mouthClose` drives the seal in the renderer; a jaw that comes forward cannot be seen from there."""


def grid(step: int = 8) -> Floats:
    y, x = np.mgrid[0:641:step, 0:513:step]
    return np.stack([x, y], -1).reshape(-1, 2).astype(np.float64)


def peak(field: Floats, name: str = "actor") -> float:
    return float(np.linalg.norm(field, axis=-1).max() / measured(name).u)


def test_the_shapes_of_the_contract_come_first_and_the_seal_is_among_the_rest() -> None:
    assert SHAPES[: len(CONTRACT)] == CONTRACT
    assert "seal" in SHAPES
    assert len(set(SHAPES)) == len(SHAPES)


@pytest.mark.parametrize("opening", [None, "mouth", "eye_l", "eye_r"])
def test_displacements_have_a_layer_for_each_skin(opening: str | None) -> None:
    field = displacements(measured("actor"), grid(64), opening, 640)
    assert field.shape == (1 if opening is None else 2, len(SHAPES), len(grid(64)), 2)
    assert np.isfinite(field).all()


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [
        ("jawOpen", 0.45, 0.55), ("smileL", 0.18, 0.26), ("frownR", 0.08, 0.10),
        ("stretch", 0.05, 0.10), ("pucker", 0.08, 0.14), ("press", 0.02, 0.09),
        ("lowerDown", 0.08, 0.09), ("blinkL", 0.06, 0.20), ("browUpR", 0.09, 0.11),
        ("browDownL", 0.07, 0.11), ("breath", 0.02, 0.05),
    ],
)  # fmt: skip
def test_peaks_are_as_designed(shape: str, low: float, high: float) -> None:
    field = displacements(measured("actor"), grid(4), "mouth", 640)[:, SHAPES.index(shape)]
    assert low < peak(field) < high


def test_lids_move_only_their_own_lower_skin() -> None:
    m = measured("actor")
    k = SHAPES.index("blinkL")
    own = displacements(m, grid(4), "eye_l", 640)[:, k]
    other = displacements(m, grid(4), "eye_r", 640)[:, k]
    assert np.abs(own[0] - own[1]).max() > 5
    np.testing.assert_array_equal(other[0], other[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_of_the_mouth_ends_before_the_eyes(name: str) -> None:
    m = measured(name)
    xy = grid(4)
    above = xy[:, 1] < min(m.eyes["l"].centre[1], m.eyes["r"].centre[1]) - 0.25 * m.u
    for shape, pair in mouth_fields(m, xy).items():
        for field in pair:
            assert np.abs(field[above]).max() < 0.01 * m.u, shape


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_of_the_eyes_ends_above_the_mouth(name: str) -> None:
    m = measured(name)
    xy = grid(4)
    below = xy[:, 1] > m.mouth.centre[1] - 0.25 * m.u
    for shape, pair in eye_fields(m, xy).items():
        for field in pair:
            assert np.abs(field[below]).max() < 0.01 * m.u, shape


def test_a_blink_leaves_the_brow_alone() -> None:
    m = measured("actor")
    for side in "lr":
        edge = m.brow_edge_px[side]
        brow = m.eyes[side].canvas(edge[:, 0], edge[:, 1] - 0.02 * m.u)
        upper, _ = eye_fields(m, brow)[f"blink{side.upper()}"]
        assert np.abs(upper).max() < 0.02 * m.u


def test_the_jaw_takes_the_corners_along_by_their_share() -> None:
    m = measured("actor")
    corners = m.mouth.canvas(np.array([-1.0, 1.0]), np.zeros(2))
    upper, lower = mouth_fields(m, corners)["jawOpen"]
    np.testing.assert_allclose(upper, lower, atol=0.5)
    np.testing.assert_allclose(lower @ m.mouth.down, CORNER_SHARE * JAW_U * m.u, rtol=0.15)


def test_without_parted_lips_closing_moves_next_to_nothing() -> None:
    m = measured("actor")
    assert not m.toothy
    upper, lower = mouth_fields(m, grid(4))["close"]
    assert max(np.abs(upper).max(), np.abs(lower).max()) < 0.03 * m.u


def test_a_toothy_smile_is_closed_and_taken_back_a_little() -> None:
    m = measured("astronaut")
    assert m.toothy
    fields = mouth_fields(m, grid(4))
    assert peak(fields["close"][1], "astronaut") > 0.04
    corner = m.mouth.canvas(np.array([1.0]), np.zeros(1))
    inwards = mouth_fields(m, corner)["close"][0][0] @ m.mouth.along
    assert inwards < -0.02 * m.u


def test_a_smile_reaches_the_lower_lids_and_is_smaller_where_the_photo_smiles() -> None:
    neutral, smiling = (arkit_to_shape(measured(name)) for name in ("actor", "astronaut"))
    row = CONTROL_INDEX["mouthSmileLeft"]
    smile, squint = SHAPES.index("smileL"), SHAPES.index("squintL")
    assert neutral[row, smile] > 0.5
    assert 0 < neutral[row, squint] < 0.5 * neutral[row, smile]
    of_size = amplitude(measured("astronaut")) / amplitude(measured("actor"))
    assert smiling[row, smile] < 0.7 * of_size * neutral[row, smile]


def squinting(m: Measures) -> tuple[float, float, float]:
    """How far the lids go down in the middle of a squinting eye, and its opening, pixels."""
    eye, zero = m.eyes["l"], np.zeros(1)
    edges = eye.upper(zero), eye.lower(zero)
    upper, lower = (
        float((eye_fields(m, eye.canvas(zero, t))["squintL"][k] @ eye.down)[0])
        for k, t in enumerate(edges)
    )
    return upper, lower, float((edges[1] - edges[0])[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_squint_is_the_lower_lids_which_the_cheek_pushes_up(name: str) -> None:
    m = measured(name)
    upper, lower, opening = squinting(m)
    assert 0 < upper < 0.35 * -lower
    assert 0.02 * m.u < -lower <= SQUINT_LOWER * opening + 1e-6


def test_narrow_eyes_squint_less_so_that_a_smile_does_not_shut_them() -> None:
    m = measured("actor")
    eye = m.eyes["l"]
    narrow = dataclasses.replace(
        eye, upper=lambda s: 0.4 * eye.upper(s), lower=lambda s: 0.4 * eye.lower(s)
    )
    upper, lower, opening = squinting(dataclasses.replace(m, eyes={**m.eyes, "l": narrow}))
    assert upper - lower == pytest.approx((SQUINT_UPPER + SQUINT_LOWER) * opening)
    assert lower > squinting(m)[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_smile_curls_up_towards_its_corners(name: str) -> None:
    """Between middle and corner it stays below the straight line of a V."""
    m = measured(name)
    s = np.linspace(0, 1, 11)
    fields = mouth_fields(m, m.mouth.canvas(s, m.seam(s)))
    lift = -sum(fields[f"smile{side}"][0] for side in "LR") @ m.mouth.down
    assert (np.diff(lift) > 0).all()
    assert (np.diff(lift, 2) > -1e-3 * m.u).all()
    assert lift[5] < 0.45 * lift[0] + 0.55 * lift[-1] - 0.015 * m.u


@pytest.mark.parametrize("name", NAMES)
def test_a_smiles_corner_ends_in_no_tip(name: str) -> None:
    """Its slope goes on into the cheek, and turns within a tenth of the eyes' distance."""
    m = measured(name)
    per_px = 1 / m.mouth.half_width
    s = 1 + np.arange(-3, 0.3 * m.u) * per_px
    lift = -mouth_fields(m, m.mouth.canvas(s, np.zeros_like(s)))["smileL"][0] @ m.mouth.down
    slope = np.diff(lift)
    assert np.abs(np.diff(slope)).max() < 0.25 * np.ptp(slope)
    assert 3 < lift.argmax() < 3 + 0.1 * m.u


def test_a_smile_lifts_the_corners_more_than_it_widens() -> None:
    m = measured("actor")
    corner = m.mouth.canvas(np.array([1.0]), np.zeros(1))
    way = mouth_fields(m, corner)["smileL"][0][0]
    assert -(way @ m.mouth.down) > way @ m.mouth.along > 0.05 * m.u


def test_breath_leaves_head_and_lower_edge_alone() -> None:
    m = measured("actor")
    xy = grid(8)
    field = displacements(m, xy, None, 640)[0, SHAPES.index("breath")]
    assert np.abs(field[xy[:, 1] < m.chin[1]]).max() == 0
    assert np.abs(field[xy[:, 1] >= 640]).max() == 0
    assert field[:, 1].min() < -0.015 * m.u


def test_every_control_but_two_drives_a_shape_or_the_gaze() -> None:
    matrix = arkit_to_shape(measured("actor"))
    assert matrix.dtype == np.float32
    silent = {n for n in ARKIT_NAMES if not matrix[CONTROL_INDEX[n]].any()}
    gaze = {n for n in silent if n.startswith(("eyeLookIn", "eyeLookOut"))}
    assert silent - gaze == UNDRIVEN


def test_sides_of_controls_are_sides_of_shapes() -> None:
    matrix = arkit_to_shape(measured("actor"))
    for control, shape in (
        ("eyeBlink", "blink"),
        ("mouthSmile", "smile"),
        ("browDown", "browDown"),
    ):
        for side, other in (("Left", "R"), ("Right", "L")):
            row = matrix[CONTROL_INDEX[f"{control}{side}"]]
            assert row[SHAPES.index(f"{shape}{side[0]}")] > 0
            assert row[SHAPES.index(f"{shape}{other}")] == 0


def test_a_small_mouth_moves_less() -> None:
    assert 0.75 <= amplitude(measured("actor")) <= 1.15
    assert amplitude(measured("actor")) < amplitude(measured("astronaut"))
    jaw = (CONTROL_INDEX["jawOpen"], SHAPES.index("jawOpen"))
    for name in NAMES:
        matrix = arkit_to_shape(measured(name))
        assert matrix[jaw] == pytest.approx(0.5 * amplitude(measured(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_dropping_jaw_lets_the_neck_stay(name: str) -> None:
    m = measured(name)
    below = np.array([0.0, 0.30, NECK_STOP_U + 0.30, 1.0, 1.5]) * m.u
    neck = m.chin + below[:, None] * m.mouth.down
    down = (mouth_fields(m, neck)["jawOpen"][1] @ m.mouth.down) / (JAW_U * m.u)
    assert down[0] == pytest.approx(CHIN_SHARE, abs=0.08), "the chin goes along"
    assert down[1] < 0.8 * down[0]
    assert np.abs(down[2:]).max() < 1e-6
