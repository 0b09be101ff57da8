"""A closing lid's own texture: when it shows, where, and that both renderers agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import tiny_avatar

from avatar_worker.avatars import Avatar, Layer
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.lids import lay_lid
from avatar_worker.render.planes import planes_of
from avatar_worker.render.reference import ReferenceRenderer, skin_with_lids
from avatar_worker.render.shape_weights import LID_FROM, LID_FULL, LIDS, Driver
from avatar_worker.render.textures import flat, packed

GREEN = (10, 240, 20)


def controls(**weights: float) -> FaceControls:
    given = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(0), given, HeadPose())


def blinking(with_lid: bool = True, origin: tuple[int, int] = (0, 0)) -> Avatar:
    """The tiny avatar whose left lid closes, painted green all over if asked."""
    avatar = tiny_avatar()
    rig, index = avatar.rig, avatar.rig.shapes.index("blinkL")
    matrix = rig.arkit_to_shape.copy()
    matrix[CONTROL_INDEX["eyeBlinkLeft"], index] = 1.0
    avatar = replace(avatar, rig=replace(rig, arkit_to_shape=matrix))
    if not with_lid:
        return avatar
    lid = np.zeros((avatar.canvas.height, avatar.canvas.width, 4), np.uint8)
    lid[...] = (*GREEN, 200)
    return replace(avatar, layers={**avatar.layers, "lid_l": Layer("lid_l", origin, lid)})


def test_an_open_eye_shows_no_lid_and_a_closed_one_all_of_it() -> None:
    driver = Driver(blinking())
    assert driver.drive(controls()).lids["lid_l"] == 0
    assert driver.drive(controls(eyeBlinkLeft=LID_FROM)).lids["lid_l"] == pytest.approx(0, abs=1e-6)
    assert driver.drive(controls(eyeBlinkLeft=LID_FULL)).lids["lid_l"] == pytest.approx(1)
    shares = [
        driver.drive(controls(eyeBlinkLeft=float(w))).lids["lid_l"] for w in np.linspace(0, 1, 21)
    ]
    assert shares == sorted(shares)


def test_an_avatar_without_lids_drives_none() -> None:
    assert Driver(blinking(with_lid=False)).drive(controls(eyeBlinkLeft=1)).lids == {}


def test_lids_are_named_by_the_subjects_sides() -> None:
    assert LIDS == {"lid_l": "blinkL", "lid_r": "blinkR"}


@pytest.mark.parametrize("renderer", [CpuRenderer(), ReferenceRenderer()])
def test_an_open_eye_is_drawn_as_if_there_were_no_lid(
    renderer: CpuRenderer | ReferenceRenderer,
) -> None:
    def first(avatar: Avatar) -> bytes:
        slot = renderer.open(avatar)
        return bytes(renderer.render([(slot, controls())])[0].data)

    assert first(blinking()) == first(blinking(with_lid=False))


def test_a_lid_is_gone_with_the_blink() -> None:
    renderer = CpuRenderer()
    slot = renderer.open(blinking())
    pictures = renderer.render([(slot, controls(eyeBlinkLeft=w)) for w in (0.0, 1.0, 0.3, 0.0)])
    at_rest, closed, ajar, again = (bytes(p.data) for p in pictures)
    assert again == at_rest
    assert closed != at_rest
    assert ajar not in (closed, at_rest)


@pytest.mark.parametrize("blink", [0.2, 0.4, 1.0])
@pytest.mark.parametrize("origin", [(0, 0), (-7, 5), (9, -4)])
def test_both_renderers_paint_the_lid_alike(blink: float, origin: tuple[int, int]) -> None:
    avatar = blinking(origin=origin)
    pictures = []
    for renderer in (CpuRenderer(), ReferenceRenderer()):
        slot = renderer.open(avatar)
        frame = renderer.render([(slot, controls(eyeBlinkLeft=blink))])[0]
        pictures.append(np.asarray(frame.data, np.int16))
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.35
    assert np.percentile(np.abs(pictures[0] - pictures[1]), 99) <= 2


def test_the_painted_skin_is_mixed_by_share_and_alpha_and_keeps_its_own_alpha() -> None:
    avatar = blinking()
    planes = planes_of(avatar)
    drive = Driver(avatar).drive(controls(eyeBlinkLeft=0.4))
    share = drive.lids["lid_l"] * 200 / 255
    wanted = planes.skin[..., :3] + share * (np.array(GREEN) - planes.skin[..., :3])
    painted = skin_with_lids(planes, drive)
    np.testing.assert_allclose(painted[..., :3], wanted, atol=1e-9)
    np.testing.assert_array_equal(painted[..., 3], planes.skin[..., 3])
    fast = flat(packed(planes.skin))
    lid = planes.lids["lid_l"]
    height, width = planes.skin.shape[:2]
    lay_lid(fast, width + 1, 0, 0, lid.pixels, round(256 * drive.lids["lid_l"]))
    bytes_of = fast.reshape(height + 1, width + 1)[:height, :width].copy().view(np.uint8)
    found = bytes_of.reshape(height, width, 4)
    assert np.abs(found[..., :3] - wanted).max() <= 2
    np.testing.assert_array_equal(found[..., 3], planes.skin[..., 3])


def test_a_lid_beyond_the_picture_is_left_out() -> None:
    lid = planes_of(blinking(origin=(-10_000, 0))).lids["lid_l"]
    assert lid.pixels.size == 0
    renderer = CpuRenderer()
    slot = renderer.open(blinking(origin=(-10_000, 0)))
    assert renderer.render([(slot, controls(eyeBlinkLeft=1))])[0].data.size
