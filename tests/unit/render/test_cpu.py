"""The CPU renderer as its callers see it: frames, ownership, sharing, sides, the plate."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.fakes.avatars import EYE_LEFT, EYE_RIGHT, HEIGHT, MOUTH, WIDTH, tiny_avatar

from avatar_worker.avatars import Avatar, Canvas, Layer
from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose, VideoFrame
from avatar_worker.render.choose import make_renderer
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.reference import ReferenceRenderer
from avatar_worker.render.renderer import Renderer


def controls(head: HeadPose | None = None, pts: int = 0, **weights: float) -> FaceControls:
    given = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(pts), given, head or HeadPose())


def luma(frame: VideoFrame) -> np.ndarray:
    return frame.data[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH).astype(int)


def changed(one: VideoFrame, other: VideoFrame, by: int = 8) -> np.ndarray:
    """Positions (x, y) of pixels that differ."""
    y, x = np.nonzero(np.abs(luma(one) - luma(other)) > by)
    return np.stack([x, y], -1)


@pytest.fixture(params=["cpu", "reference"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return make_renderer(request.param)


def draw(renderer: Renderer, avatar: Avatar, *wanted: FaceControls) -> list[VideoFrame]:
    slot = renderer.open(avatar)
    frames = renderer.render([(slot, one) for one in wanted])
    renderer.close(slot)
    return frames


def with_lids(avatar: Avatar) -> Avatar:
    """Give the tiny avatar's masks eye openings: upper skin above the eye's middle, lower below."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    upper = avatar.layers["mask_upper"].pixels.copy()
    lower = avatar.layers["mask_lower"].pixels.copy()
    for cx, cy in (EYE_LEFT, EYE_RIGHT):
        near = (np.abs(x - cx) < 4) & (np.abs(y - cy) < 2.5)
        upper[near] = 0
        lower[near] = 0
    layers = {
        **avatar.layers,
        "mask_upper": replace(avatar.layers["mask_upper"], pixels=upper),
        "mask_lower": replace(avatar.layers["mask_lower"], pixels=lower),
    }
    return replace(avatar, layers=layers)


def with_painted_lid(avatar: Avatar) -> Avatar:
    """Give the left lid a texture of its own."""
    rig = avatar.rig
    matrix = rig.arkit_to_shape.copy()
    matrix[CONTROL_INDEX["eyeBlinkLeft"], rig.shapes.index("blinkL")] = 1.0
    lid = Layer("lid_l", (34, 24), np.full((9, 12, 4), 180, np.uint8))
    rig = replace(rig, arkit_to_shape=matrix)
    return replace(avatar, rig=rig, layers={**avatar.layers, "lid_l": lid})


def test_renderers_are_made_by_name() -> None:
    assert make_renderer("cpu").name == "cpu"
    assert make_renderer("reference").name == "reference"
    with pytest.raises(ValueError, match="no renderer 'crayon'"):
        make_renderer("crayon")


def test_a_frame_has_the_canvas_size_and_the_time_of_its_controls(renderer: Renderer) -> None:
    first, second = draw(renderer, tiny_avatar(), controls(pts=1920), controls(pts=3840))
    assert (first.width, first.height, first.pts, second.pts) == (WIDTH, HEIGHT, 1920, 3840)


def test_each_frame_owns_its_bytes(renderer: Renderer) -> None:
    avatar = tiny_avatar()
    slot = renderer.open(avatar)
    rest, opened = renderer.render([(slot, controls()), (slot, controls(jawOpen=1.0))])
    kept = rest.data.copy()
    assert not np.shares_memory(rest.data, opened.data)
    rest.data[:] = 0
    (again,) = renderer.render([(slot, controls())])
    assert np.array_equal(again.data, kept)


faces = st.lists(
    st.builds(
        controls,
        st.one_of(
            st.none(),
            st.builds(
                HeadPose, st.floats(-9, 9), st.floats(-7, 7), st.floats(-5, 5), st.floats(-0.1, 0.1)
            ),
        ),
        jawOpen=st.sampled_from([0.0, 0.05, 0.6, 1.0]),
        eyeBlinkLeft=st.sampled_from([0.0, 0.3, 1.0]),
        eyeBlinkRight=st.floats(0, 1),
        breath=st.floats(-1, 1),
    ),
    min_size=1,
    max_size=6,
)


@given(faces)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_picture_depends_on_its_controls_alone(wanted: list[FaceControls]) -> None:
    """Drawn in one session after the other, in one after another, or alone: the same bytes."""
    avatar = replace(with_painted_lid(with_lids(tiny_avatar())), content_id="sha256:1")
    renderer, alone = CpuRenderer(), CpuRenderer()
    one, two = renderer.open(avatar), renderer.open(avatar)
    in_turn = renderer.render([((one, two)[i % 2], face) for i, face in enumerate(wanted)])
    for face, frame in zip(wanted, in_turn, strict=True):
        (fresh,) = alone.render([(alone.open(avatar), face)])
        assert np.array_equal(fresh.data, frame.data)


def test_jobs_of_several_sessions_are_answered_in_order(renderer: Renderer) -> None:
    one, two = tiny_avatar("one"), tiny_avatar("two", seed=5)
    slots = [renderer.open(one), renderer.open(two), renderer.open(one)]
    together = renderer.render(
        [(slots[0], controls()), (slots[1], controls()), (slots[2], controls(jawOpen=1.0))]
    )
    alone = [renderer.render([job])[0] for job in ((slots[1], controls()), (slots[0], controls()))]
    assert np.array_equal(together[1].data, alone[0].data)
    assert np.array_equal(together[0].data, alone[1].data)
    assert not np.array_equal(together[0].data, together[2].data)


def test_no_jobs_give_no_frames(renderer: Renderer) -> None:
    assert renderer.render([]) == []


def test_a_slot_knows_its_avatar_and_may_be_closed_twice(renderer: Renderer) -> None:
    avatar = tiny_avatar()
    slot = renderer.open(avatar)
    assert slot.avatar is avatar
    renderer.close(slot)
    renderer.close(slot)


def test_another_renderers_slot_is_refused() -> None:
    cpu, reference = CpuRenderer(), ReferenceRenderer()
    with pytest.raises(TypeError, match="another renderer"):
        cpu.render([(reference.open(tiny_avatar()), controls())])
    with pytest.raises(TypeError, match="another renderer"):
        reference.render([(cpu.open(tiny_avatar()), controls())])


def test_sessions_of_an_avatar_share_everything_and_own_nothing() -> None:
    renderer = CpuRenderer()
    avatar = replace(tiny_avatar(), content_id="sha256:1")
    one, two = renderer.open(avatar), renderer.open(replace(avatar, id="other"))
    assert one.workspace is two.workspace
    assert (one.avatar.id, two.avatar.id) == ("tiny", "other")
    other = renderer.open(replace(avatar, content_id="sha256:2"))
    assert other.workspace is not one.workspace


def test_avatars_without_content_id_are_not_mistaken_for_each_other() -> None:
    renderer = CpuRenderer()
    one, two = renderer.open(tiny_avatar()), renderer.open(tiny_avatar(seed=3))
    assert one.workspace is not two.workspace


def test_an_avatar_is_forgotten_with_its_last_slot() -> None:
    renderer = CpuRenderer()
    slot = renderer.open(replace(tiny_avatar(), content_id="sha256:1"))
    assert len(renderer._open) == 1
    renderer.close(slot)
    del slot
    gc.collect()
    assert len(renderer._open) == 0


def test_the_plate_is_untouched_outside_the_person(renderer: Renderer) -> None:
    avatar = tiny_avatar()
    frames = draw(
        renderer,
        avatar,
        controls(),
        *(controls(HeadPose(yaw=y, pitch=-y / 2, roll=y / 2), jawOpen=0.7) for y in (-8, -2, 5, 9)),
    )
    empty = replace(avatar.layers["skin"], pixels=np.zeros((HEIGHT, WIDTH, 4), np.uint8))
    (plate,) = draw(renderer, replace(avatar, layers={**avatar.layers, "skin": empty}), controls())
    person = avatar.layers["skin"].pixels[..., 3] > 0
    # The head moves by a few pixels at most: leave a margin of eight.
    reach = np.zeros_like(person)
    for y, x in np.argwhere(person):
        reach[max(y - 8, 0) : y + 9, max(x - 8, 0) : x + 9] = True
    assert (~reach).any()
    for frame in frames:
        assert np.array_equal(luma(frame)[~reach], luma(plate)[~reach])


def test_the_jaw_opens_the_mouth_and_nothing_else(renderer: Renderer) -> None:
    rest, opened = draw(renderer, tiny_avatar(), controls(), controls(jawOpen=1.0))
    where = changed(rest, opened)
    assert len(where) > 10
    assert (np.abs(where - MOUTH) <= [12, 12]).all()


def test_the_left_eye_is_at_image_right(renderer: Renderer) -> None:
    avatar = with_lids(tiny_avatar())
    rest, left, right = draw(
        renderer, avatar, controls(), controls(eyeBlinkLeft=1.0), controls(eyeBlinkRight=1.0)
    )
    assert (changed(rest, left)[:, 0] > WIDTH / 2).all()
    assert (changed(rest, right)[:, 0] < WIDTH / 2).all()
    assert len(changed(rest, left)) > 3
    assert len(changed(rest, right)) > 3


def test_closing_the_lid_hides_the_eye(renderer: Renderer) -> None:
    avatar = with_lids(tiny_avatar())
    rest, blink = draw(renderer, avatar, controls(), controls(eyeBlinkLeft=1.0))
    x, y = (int(v) for v in EYE_LEFT)
    assert luma(rest)[y, x] > 190
    assert luma(blink)[y - 1, x] < luma(rest)[y - 1, x] - 10


def test_the_upper_edge_throws_a_shadow_that_ends(renderer: Renderer) -> None:
    avatar = tiny_avatar()
    canvas = replace(avatar.canvas, matrix="bt601", range="full")
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    slits = (replace(avatar.rig.slits[0], inner=("cavity",)), *avatar.rig.slits[1:])
    cavity = replace(avatar.layers["plate"], role="cavity", pixels=white)
    lit = replace(
        avatar,
        canvas=canvas,
        subject=replace(avatar.subject, iod_px=40.0),
        rig=replace(avatar.rig, slits=slits),
        layers={**avatar.layers, "cavity": cavity},
    )
    (frame,) = draw(renderer, lit, controls(jawOpen=1.0))
    column = luma(frame)[48:52, 32]
    assert column[0] == pytest.approx(255 * 0.78, abs=2)
    assert (np.diff(column) >= 0).all()
    assert column.max() == 255


def test_a_canvas_in_full_range_reaches_black() -> None:
    avatar = tiny_avatar()
    dark = replace(avatar.layers["plate"], pixels=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    full = replace(
        avatar,
        canvas=Canvas(WIDTH, HEIGHT, 25, "bt601", "full"),
        layers={**avatar.layers, "plate": dark},
    )
    assert luma(draw(CpuRenderer(), full, controls())[0])[0, 0] == 0
    limited = replace(full, canvas=Canvas(WIDTH, HEIGHT, 25, "bt601", "limited"))
    assert luma(draw(CpuRenderer(), limited, controls())[0])[0, 0] == 16
