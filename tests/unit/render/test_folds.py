"""Folds that deepen with a smile or a frown: when they show, over what, and that renderers agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar

from avatar_worker.avatars import Avatar, Layer
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.planes import planes_of
from avatar_worker.render.reference import ReferenceRenderer, skin_with_lids
from avatar_worker.render.shape_weights import FOLD_FROM, FOLD_FULL, FOLD_STEPS, FOLDS, Driver
from avatar_worker.render.workspace import Box, overlapping

GREEN, RED = (10, 240, 20, 200), (250, 20, 10, 120)
SMILE, BLINK = "mouthSmileLeft", "eyeBlinkLeft"


def controls(**weights: float) -> FaceControls:
    given = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(0), given, HeadPose())


def folding(lid_at: tuple[int, int] = (0, 0), fold_at: tuple[int, int] = (0, 0)) -> Avatar:
    """The tiny avatar with a green lid and a red fold; a smile's weight is its shape's."""
    avatar = tiny_avatar()
    rig, shapes = avatar.rig, [*avatar.rig.shapes]
    spare = next(k for k, name in enumerate(shapes) if name not in ("close", "jawOpen", "blinkL"))
    if "smileL" not in shapes:
        shapes[spare] = "smileL"
    matrix = np.zeros_like(rig.arkit_to_shape)
    matrix[CONTROL_INDEX[BLINK], shapes.index("blinkL")] = 1.0
    matrix[CONTROL_INDEX[SMILE], shapes.index("smileL")] = 1.0
    rig = replace(rig, arkit_to_shape=matrix, shapes=tuple(shapes))
    height, width = avatar.canvas.height, avatar.canvas.width
    layers = {**avatar.layers}
    for role, origin, colour in (("lid_l", lid_at, GREEN), ("fold_l", fold_at, RED)):
        pixels = np.broadcast_to(np.array(colour, np.uint8), (height, width, 4))
        layers[role] = Layer(role, origin, np.ascontiguousarray(pixels))
    return replace(avatar, rig=rig, layers=layers)


def test_a_fold_shows_with_its_smile_and_deepens_in_even_steps() -> None:
    driver = Driver(folding())
    at = [driver.drive(controls(**{SMILE: w})).lids["fold_l"] for w in np.linspace(0, 1, 201)]
    assert at[0] == 0
    assert at[-1] == 1
    assert driver.drive(controls(**{SMILE: FOLD_FROM})).lids["fold_l"] == 0
    assert driver.drive(controls(**{SMILE: FOLD_FULL["fold_l"]})).lids["fold_l"] == 1
    assert {round(b - a, 9) for a, b in pairwise(at)} == {0.0, 1 / FOLD_STEPS}


def test_a_blink_folds_no_cheek_and_a_smile_closes_no_lid() -> None:
    driver = Driver(folding())
    assert driver.drive(controls(**{BLINK: 1.0})).lids == {"lid_l": 1, "fold_l": 0}
    assert driver.drive(controls(**{SMILE: 1.0})).lids == {"lid_l": 0, "fold_l": 1}


def test_a_fold_whose_shapes_the_rig_lacks_is_not_driven() -> None:
    avatar = folding()
    furrow = Layer("furrow", (0, 0), avatar.layers["fold_l"].pixels)
    avatar = replace(avatar, layers={**avatar.layers, "furrow": furrow})
    lacks = any(shape not in avatar.rig.shapes for shape in FOLDS["furrow"])
    assert ("furrow" in Driver(avatar).drive(controls()).lids) is not lacks


def test_sides_are_the_subjects_and_a_furrow_takes_both_brows() -> None:
    assert FOLDS["fold_l"] == ("smileL",)
    assert FOLDS["fold_r"] == ("smileR",)
    assert FOLDS["furrow"] == ("browDownL", "browDownR")


def test_every_fold_has_a_depth_and_no_full_smile_of_a_portrait_reaches_it() -> None:
    assert set(FOLD_FULL) == set(FOLDS)
    full = 0.62
    depth = Driver(folding()).drive(controls(**{SMILE: full})).lids["fold_l"]
    assert 0.5 < depth < 0.75


def test_a_fold_is_laid_over_the_lid() -> None:
    avatar = folding()
    planes = planes_of(avatar)
    assert list(planes.lids) == ["lid_l", "fold_l"]
    painted = skin_with_lids(planes, Driver(avatar).drive(controls(**{BLINK: 1.0, SMILE: 1.0})))
    lid = planes.skin[..., :3] + 200 / 255 * (np.array(GREEN[:3]) - planes.skin[..., :3])
    wanted = lid + 120 / 255 * (np.array(RED[:3]) - lid)
    np.testing.assert_allclose(painted[..., :3], wanted, atol=1e-9)
    np.testing.assert_array_equal(painted[..., 3], planes.skin[..., 3])


PLACES = [((0, 0), (0, 0)), ((0, 0), (13, 11)), ((-40, -40), (30, 30)), ((8, -30), (-9, 26))]


@pytest.mark.parametrize(("lid_at", "fold_at"), PLACES)
@pytest.mark.parametrize(("blink", "smile"), [(0.0, 0.5), (1.0, 0.3), (0.5, 1.0)])
def test_both_renderers_lay_lid_and_fold_alike(
    lid_at: tuple[int, int], fold_at: tuple[int, int], blink: float, smile: float
) -> None:
    avatar = folding(lid_at, fold_at)
    pictures = []
    for renderer in (CpuRenderer(), ReferenceRenderer()):
        slot = renderer.open(avatar)
        frame = renderer.render([(slot, controls(**{BLINK: blink, SMILE: smile}))])[0]
        pictures.append(np.asarray(frame.data, np.int16))
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.35
    assert np.percentile(np.abs(pictures[0] - pictures[1]), 99) <= 2


@pytest.mark.parametrize(("lid_at", "fold_at"), PLACES)
def test_a_picture_does_not_remember_the_folds_of_the_one_before(
    lid_at: tuple[int, int], fold_at: tuple[int, int]
) -> None:
    avatar = folding(lid_at, fold_at)
    renderer = CpuRenderer()
    slot = renderer.open(avatar)
    row = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5), (0.3, 0.5), (0.0, 0.0), (0.0, 0.2)]
    asked = [controls(**{BLINK: blink, SMILE: smile}) for blink, smile in row]
    drawn = [bytes(renderer.render([(slot, one)])[0].data) for one in asked]
    for one, picture in zip(reversed(asked), reversed(drawn), strict=True):
        assert bytes(renderer.render([(slot, one)])[0].data) == picture


def test_boxes_that_overlap_are_painted_together_and_others_are_not() -> None:
    boxes: list[Box] = [(0, 0, 4, 4), (10, 0, 14, 4), (20, 0, 24, 4), (3, 3, 11, 6), (24, 0, 26, 4)]
    assert sorted(overlapping(boxes)) == [[0, 1, 3], [2], [4]]
    assert overlapping([]) == []
    assert overlapping([(0, 0, 0, 0)]) == [[0]]
