"""What shows through a slit: its shade, its colours, and which pixels it touches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.avatars import HEIGHT, MOUTH, WIDTH, tiny_avatar

from avatar_worker.avatars import Avatar, Canvas
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.reference import ReferenceRenderer

FORWARD = HeadPose()
MOUTH_ROWS = slice(int(MOUTH[1]) - 10, None)


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


def test_the_background_shows_through_the_person_and_what_a_slit_opens_on() -> None:
    avatar = tiny_avatar()
    pixels = avatar.layers["skin"].pixels.copy()
    pixels[44:56, 26:38, 3] = 120
    thin = replace(avatar.layers["skin"], pixels=pixels)
    fast, exact = draw(replace(avatar, layers={**avatar.layers, "skin": thin}), jaw=1.0)
    solid, _ = draw(avatar, jaw=1.0)
    x, y = (int(v) for v in MOUTH)
    off = np.abs(fast - exact)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    mouth = (slice(y - 4, y + 8), slice(x - 6, x + 6))
    assert off[mouth].mean() < 3
    assert np.percentile(off[mouth], 90) <= 10
    changed = np.abs(fast - solid)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    assert changed[mouth].mean() > 15


@pytest.mark.parametrize(("width", "height"), [(42, 52), (44, 54), (38, 50), (40, 56), (48, 56)])
def test_a_slit_may_be_cut_by_the_edge_of_the_picture(width: int, height: int) -> None:
    """Cells of 8 x 8 pixels that end beyond the last row or column, and so do their nodes."""
    avatar = tiny_avatar()
    fast, exact = draw(replace(avatar, canvas=Canvas(width, height, 25, "bt709", "limited")), jaw=1)
    off = np.abs(fast - exact)
    luma = off[: width * height].reshape(height, width)[MOUTH_ROWS, 20:]
    assert luma.mean() < 1.2
    assert luma[-4:].mean() < 4
    assert luma.max() <= 32
    assert np.percentile(luma, 95) <= 10
    assert off[width * height :].mean() < 0.6
