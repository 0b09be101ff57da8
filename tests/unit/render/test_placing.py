"""The compiled placing of vertices against the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.fakes.avatars import SHAPES, tiny_avatar

from avatar_worker.frames import HeadPose
from avatar_worker.render.placing import Placer
from avatar_worker.render.vertices import VertexField

FIELD = VertexField(tiny_avatar())
PLACER = Placer(FIELD)

weights = st.lists(
    st.one_of(st.just(0.0), st.floats(-1, 1, width=32)),
    min_size=len(SHAPES),
    max_size=len(SHAPES),
).map(lambda given: np.array(given, np.float32))
poses = st.builds(
    HeadPose,
    yaw=st.floats(-12, 12),
    pitch=st.floats(-8, 8),
    roll=st.floats(-8, 8),
    x=st.floats(-1, 1),
    y=st.floats(-1, 1),
)


@given(weights, st.one_of(st.just(HeadPose()), poses))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_ways_lead_to_the_same_place(shapes: np.ndarray, head: HeadPose) -> None:
    plain, fast = FIELD.place(shapes, head), PLACER.place(shapes, head)
    assert fast.shape == plain.shape
    assert np.abs(fast - plain).max() < 1e-3


@given(weights, poses, weights, poses)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_place_does_not_depend_on_the_one_before(
    shapes: np.ndarray, head: HeadPose, before: np.ndarray, turned: HeadPose
) -> None:
    fresh = Placer(FIELD).place(shapes, head)
    PLACER.place(before, turned)
    assert np.array_equal(PLACER.place(shapes, head), fresh)


def test_at_rest_nothing_moves_at_all() -> None:
    assert np.array_equal(PLACER.place(np.zeros(len(SHAPES), np.float32), HeadPose()), FIELD.rest)


@pytest.mark.parametrize("head", [HeadPose(x=0.5, y=0.5), HeadPose(x=-0.5, y=-0.5, roll=8.0)])
def test_the_border_never_comes_into_the_frame(head: HeadPose) -> None:
    placed = PLACER.place(np.zeros(len(SHAPES), np.float32), head)
    left, top, right, bottom = FIELD.edges
    assert placed[left, 0].max() <= 0
    assert placed[top, 1].max() <= 0
    assert placed[right, 0].min() >= FIELD.last[0]
    assert placed[bottom, 1].min() >= FIELD.last[1]
