"""What GPUs compute is what the reference and the CPU renderer draw, to 40 dB, in every pose.

The steps are run twice: compiled for the CPU, always and everywhere; and as workers run them, on
a GPU (`make test-gpu`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from tests.fakes.avatars import tiny_avatar
from tests.fakes.cuda_driver import CpuAsGpu
from tests.fakes.poses import POSES, controls

import avatar_worker
from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format.reader import read_avatar
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_NAMES, FaceControls, HeadPose, VideoFrame
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.cuda import CudaRenderer, cuda_renderer
from avatar_worker.render.cuda.device import Device
from avatar_worker.render.cuda.driver import Driver
from avatar_worker.render.reference import ReferenceRenderer
from avatar_worker.render.renderer import Renderer

pytestmark = pytest.mark.timeout(300)  # the first test compiles the steps

LEAST_DB = 40.0
LEAST_EXACT_DB = 80.0
"""The steps compute what the reference says, and differ by what float32 leaves out."""

EXACT = ["ah", "turn"]
DEMO = Path(avatar_worker.__file__).parent / "assets" / "avatars" / "demo.hvia"


def draw(renderer: Renderer, avatar: Avatar, poses: list[str]) -> list[VideoFrame]:
    slot = renderer.open(avatar)
    frames = renderer.render([(slot, controls(pose)) for pose in poses])
    renderer.close(slot)
    return frames


def psnr_db(one: VideoFrame, other: VideoFrame) -> float:
    error = float(np.mean((one.data.astype(np.float64) - other.data) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def twin(**options: bool) -> CudaRenderer:
    """The renderer over a driver whose GPU is the CPU."""
    return CudaRenderer(Device(Driver(CpuAsGpu(**options))))


@pytest.fixture(scope="module")
def demo() -> Avatar:
    return read_avatar(DEMO, avatar_id="demo")


@pytest.fixture(scope="module")
def exact(demo: Avatar) -> dict[str, VideoFrame]:
    """What the reference draws, which takes seconds a picture."""
    return dict(zip(EXACT, draw(ReferenceRenderer(), demo, EXACT), strict=True))


def check(renderer: Renderer, demo: Avatar, exact: dict[str, VideoFrame]) -> None:
    poses = list(POSES)
    drawn = dict(zip(poses, draw(renderer, demo, poses), strict=True))
    fast = dict(zip(poses, draw(CpuRenderer(), demo, poses), strict=True))
    for pose in poses:
        assert psnr_db(drawn[pose], fast[pose]) >= LEAST_DB, pose
    for pose in EXACT:
        assert psnr_db(drawn[pose], exact[pose]) >= LEAST_EXACT_DB, pose


def test_the_steps_draw_the_demo_avatar_as_the_others_do(
    demo: Avatar, exact: dict[str, VideoFrame]
) -> None:
    check(twin(), demo, exact)


@pytest.mark.parametrize("pose", POSES)
def test_the_steps_draw_the_tiny_avatar_as_the_reference_does(pose: str) -> None:
    (frame,) = draw(twin(), tiny_avatar(), [pose])
    (exact,) = draw(ReferenceRenderer(), tiny_avatar(), [pose])
    assert psnr_db(frame, exact) >= LEAST_DB


def test_a_wrong_pose_is_noticed(demo: Avatar) -> None:
    """The measure tells pictures apart that differ in the mouth alone."""
    rest, ah = draw(twin(), demo, ["rest", "ah"])
    assert psnr_db(rest, ah) < LEAST_DB


def test_the_order_of_threads_changes_nothing(demo: Avatar) -> None:
    """Threads of a GPU run in any order; here in two opposite ones."""
    poses = ["ah", "turn"]
    forwards, backwards = (draw(twin(backwards=way), demo, poses) for way in (False, True))
    for one, other in zip(forwards, backwards, strict=True):
        assert np.array_equal(one.data, other.data)


def test_a_face_in_folds_shows_what_the_reference_shows() -> None:
    """Where a mesh covers itself, the last triangle is on top, in whatever order they come."""
    avatar = tiny_avatar()
    body = avatar.rig.meshes[0]
    delta = body.delta.copy()
    folding = avatar.rig.shapes.index("jawOpen")
    delta[0, folding, :, 0] = np.where(body.xy[:, 0] > 32, -24, 0)
    rig = replace(avatar.rig, meshes=(replace(body, delta=delta), *avatar.rig.meshes[1:]))
    folded = replace(avatar, rig=rig)
    (exact,) = draw(ReferenceRenderer(), folded, ["ah"])
    for way in (False, True):
        (frame,) = draw(twin(backwards=way), folded, ["ah"])
        assert psnr_db(frame, exact) >= LEAST_DB


def odd_avatars() -> dict[str, Avatar]:
    """What the format allows and no builder makes."""
    tiny = tiny_avatar()
    rig, rng = tiny.rig, np.random.default_rng(1)
    meshes = tuple(replace(m, tri=rng.permutation(m.tri)) for m in rig.meshes)
    empty = tuple(replace(slit, inner=()) for slit in rig.slits)
    overlapping = (*rig.slits, replace(rig.slits[0], name="again", inner=("eye_l",)))
    plain = {role: layer for role, layer in tiny.layers.items() if not role.startswith("mask")}
    return {
        "triangles in any order": replace(tiny, rig=replace(rig, meshes=meshes)),
        "no slits": replace(tiny, rig=replace(rig, slits=())),
        "nothing behind the slits": replace(tiny, rig=replace(rig, slits=empty)),
        "two slits in one place": replace(tiny, rig=replace(rig, slits=overlapping)),
        "no masks": replace(tiny, layers=plain),
        "full range": replace(tiny, canvas=replace(tiny.canvas, matrix="bt601", range="full")),
    }


@pytest.mark.parametrize("what", odd_avatars())
def test_odd_avatars_look_as_the_reference_says(what: str) -> None:
    avatar, poses = odd_avatars()[what], ["ah", "turn"]
    exact = draw(ReferenceRenderer(), avatar, poses)
    for one, other in zip(draw(twin(), avatar, poses), exact, strict=True):
        assert psnr_db(one, other) >= LEAST_DB


@given(
    weights=st.lists(
        st.floats(-0.5, 1.5), min_size=len(CONTROL_NAMES), max_size=len(CONTROL_NAMES)
    ),
    head=st.builds(
        HeadPose,
        st.floats(-30, 30),
        st.floats(-30, 30),
        st.floats(-30, 30),
        st.floats(-1, 1),
        st.floats(-1, 1),
    ),
)
@settings(max_examples=30, deadline=None)
def test_any_face_looks_as_the_reference_says(weights: list[float], head: HeadPose) -> None:
    face = FaceControls(Ticks(0), np.array(weights, np.float32), head)
    pair = []
    for renderer in (twin(), ReferenceRenderer()):
        pair += renderer.render([(renderer.open(tiny_avatar()), face)])
    assert psnr_db(*pair) >= LEAST_DB


@pytest.mark.gpu
def test_a_gpu_draws_the_demo_avatar_as_the_others_do(
    demo: Avatar, exact: dict[str, VideoFrame]
) -> None:
    check(cuda_renderer(), demo, exact)


@pytest.mark.gpu
def test_a_gpu_draws_a_batch_as_it_draws_its_pictures_alone(demo: Avatar) -> None:
    renderer, poses = cuda_renderer(), list(POSES)
    for avatar in (demo, tiny_avatar()):
        alone = [draw(renderer, avatar, [pose])[0] for pose in poses]
        for one, other in zip(draw(renderer, avatar, poses), alone, strict=True):
            assert np.array_equal(one.data, other.data)


@pytest.mark.gpu
def test_a_gpu_draws_the_same_picture_every_time(demo: Avatar) -> None:
    renderer = cuda_renderer()
    first, *others = (draw(renderer, demo, ["turn"])[0] for _ in range(20))
    assert all(np.array_equal(first.data, other.data) for other in others)
