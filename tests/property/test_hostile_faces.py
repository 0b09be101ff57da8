"""Faces that no mixer would make: each gets a picture, and the workspace that sessions share stays clean."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings, strategies as st

from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose, VideoFrame
from avatar_worker.render import RenderSlot
from avatar_worker.render.cpu import CpuRenderer
from fakes.avatars import tiny_avatar

WILD = [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e30, 1e-40, 1000.0, -10.0, -1.0, 0.0, 0.5, 1.0]
CONTROLS = len(CONTROL_NAMES)
WEIGHTS = st.one_of(
    st.lists(st.sampled_from(WILD), min_size=CONTROLS, max_size=CONTROLS),
    st.sampled_from(WILD).map(lambda value: [value] * CONTROLS),
    st.lists(st.floats(width=32), min_size=CONTROLS, max_size=CONTROLS),
)
ANGLES = st.one_of(st.sampled_from([*WILD, 90.0, 180.0, 1e308, -1e308]), st.floats())
FACES = st.builds(
    lambda weights, head: FaceControls(Ticks(0), np.array(weights, np.float32), HeadPose(*head)),
    WEIGHTS,
    st.tuples(ANGLES, ANGLES, ANGLES, ANGLES, ANGLES),
)
CALM = FaceControls(Ticks(0), np.full(CONTROLS, 0.1, np.float32), HeadPose(yaw=2.0))


@cache
def opened() -> tuple[CpuRenderer, RenderSlot, RenderSlot, VideoFrame]:
    """Two sessions of one avatar, and what the calm one looks like before anything has happened."""
    renderer, avatar = CpuRenderer(), tiny_avatar()
    wild, calm = renderer.open(avatar), renderer.open(avatar)
    (picture,) = renderer.render([(calm, CALM)])
    return renderer, wild, calm, picture


@settings(max_examples=300, deadline=None)
@given(faces=st.lists(FACES, min_size=1, max_size=4))
def test_any_face_gets_a_picture_and_leaves_nothing_behind_in_its_neighbours(
    faces: list[FaceControls],
) -> None:
    renderer, wild, calm, before = opened()
    drawn = renderer.render([*((wild, face) for face in faces), (calm, CALM)])
    assert all(frame.data.shape == before.data.shape for frame in drawn)
    np.testing.assert_array_equal(drawn[-1].data, before.data)
