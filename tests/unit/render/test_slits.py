"""What shows through a slit: its shade, its colours, and which pixels it touches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, MOUTH, WIDTH, tiny_avatar

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render import slits
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.reference import ReferenceRenderer, cover_above

FORWARD = HeadPose()


def draw(avatar: Avatar, *, jaw: float, head: HeadPose = FORWARD) -> list[np.ndarray]:
    """The picture by the fast renderer and by the reference. int64 I420."""
    weights = np.zeros(len(CONTROL_NAMES), np.float32)
    weights[CONTROL_INDEX["jawOpen"]] = jaw
    pictures = []
    for renderer in (CpuRenderer(), ReferenceRenderer()):
        slot = renderer.open(avatar)
        (frame,) = renderer.render([(slot, FaceControls(Ticks(0), weights, head))])
        pictures.append(frame.data.astype(np.int64))
    return pictures


@pytest.mark.parametrize("reach", [1, 3, 8, 40])
def test_the_shade_is_the_cover_above_as_the_reference_adds_it(reach: int) -> None:
    over = np.random.default_rng(reach).integers(0, 256, (30, 12)).astype(np.int32)
    total = np.empty_like(over)
    slits.add_above(over, reach, total)
    assert np.allclose(total / reach / 255, cover_above(over / 255, reach), atol=1e-9)


@pytest.mark.parametrize("jaw", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("head", [HeadPose(), HeadPose(yaw=5.0, roll=-3.0)])
def test_an_open_mouth_is_as_the_reference_paints_it(jaw: float, head: HeadPose) -> None:
    fast, exact = draw(tiny_avatar(), jaw=jaw, head=head)
    off = np.abs(fast - exact)
    x, y = (int(v) for v in MOUTH)
    luma = off[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)[y - 12 : y + 12, x - 12 : x + 12]
    # Lips are interpolated between nodes, which moves their edge by a fraction of a pixel.
    assert luma.mean() < 1.5
    assert np.percentile(luma, 95) <= 10
    assert off[WIDTH * HEIGHT :].mean() < 0.6


def test_chroma_is_the_mean_of_the_four_colours_that_it_stands_for() -> None:
    """A red interior behind grey skin: its edge runs through blocks, which mix both."""
    avatar = tiny_avatar()
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 255
    grey = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    grey[..., :3] = 128
    mouth = replace(avatar.rig.slits[0], inner=("cavity",))
    painted = replace(
        avatar,
        rig=replace(avatar.rig, slits=(mouth, *avatar.rig.slits[1:])),
        layers={
            **avatar.layers,
            "cavity": replace(avatar.layers["plate"], role="cavity", pixels=red),
            "skin": replace(avatar.layers["skin"], pixels=grey),
        },
    )
    fast, exact = draw(painted, jaw=1.0)
    mouth_part = np.abs(fast - exact)[WIDTH * HEIGHT :]
    assert exact[WIDTH * HEIGHT :].max() > 170
    assert mouth_part.max() <= 10
    assert mouth_part.mean() < 0.2


def test_a_slit_outside_the_picture_touches_nothing() -> None:
    avatar = tiny_avatar()
    mouth = avatar.rig.meshes[1]
    gone = replace(mouth, xy=mouth.xy + np.array([500.0, 0.0], np.float32))
    rig = replace(avatar.rig, meshes=(avatar.rig.meshes[0], gone, *avatar.rig.meshes[2:]))
    closed, opened = (draw(replace(avatar, rig=rig), jaw=jaw)[0] for jaw in (0.0, 1.0))
    assert np.array_equal(closed, opened)
