"""The CUDA renderer as its callers see it, over a driver whose GPU is the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.fakes.avatars import HEIGHT, WIDTH, tiny_avatar
from tests.fakes.cuda_driver import LOST, CpuAsGpu

from avatar_worker.avatars import Avatar, Layer
from avatar_worker.clock import Ticks
from avatar_worker.errors import DeviceError
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose, VideoFrame
from avatar_worker.render.cpu import CpuRenderer
from avatar_worker.render.cuda import CudaRenderer
from avatar_worker.render.cuda.device import Device
from avatar_worker.render.cuda.driver import Driver
from avatar_worker.render.cuda.workspace import MOST_ROWS as ROWS
from avatar_worker.render.reference import ReferenceRenderer

pytestmark = pytest.mark.timeout(300)  # the first test compiles the steps


def controls(head: HeadPose | None = None, pts: int = 0, **weights: float) -> FaceControls:
    given_ = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in weights.items():
        given_[CONTROL_INDEX[name]] = weight
    return FaceControls(Ticks(pts), given_, head or HeadPose())


def on(gpu: CpuAsGpu) -> CudaRenderer:
    return CudaRenderer(Device(Driver(gpu)))


def named(number: int) -> Avatar:
    """A tiny avatar of its own: other pixels, other content."""
    return replace(tiny_avatar(f"tiny{number}", seed=number), content_id=f"sha256:{number}")


def wide(number: int) -> Avatar:
    """One on a canvas that is twice as wide; what is beyond the first half is plate."""
    avatar = named(number)
    layers = {
        role: replace(layer, pixels=np.pad(layer.pixels, ((0, 0), (0, WIDTH), (0, 0))))
        for role, layer in avatar.layers.items()
        if role in ("plate", "skin", "mask_upper", "mask_lower")
    }
    canvas = replace(avatar.canvas, width=2 * WIDTH)
    return replace(avatar, canvas=canvas, layers={**avatar.layers, **layers})


def with_painted_lid(avatar: Avatar) -> Avatar:
    """Give the left lid a texture of its own."""
    matrix = avatar.rig.arkit_to_shape.copy()
    matrix[CONTROL_INDEX["eyeBlinkLeft"], avatar.rig.shapes.index("blinkL")] = 1.0
    lid = Layer("lid_l", (34, 24), np.full((9, 12, 4), 180, np.uint8))
    rig = replace(avatar.rig, arkit_to_shape=matrix)
    return replace(avatar, rig=rig, layers={**avatar.layers, "lid_l": lid})


def same(one: list[VideoFrame], other: list[VideoFrame]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a.pts == b.pts and np.array_equal(a.data, b.data) for a, b in pairs)


def psnr_db(one: VideoFrame, other: VideoFrame) -> float:
    error = float(np.mean((one.data.astype(np.float64) - other.data) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_a_frame_has_the_canvas_size_and_the_time_of_its_controls() -> None:
    renderer = on(CpuAsGpu())
    slot = renderer.open(tiny_avatar())
    first, second = renderer.render([(slot, controls(pts=1920)), (slot, controls(pts=3840))])
    assert (first.width, first.height, first.pts, second.pts) == (WIDTH, HEIGHT, 1920, 3840)
    assert first.data.shape == (WIDTH * HEIGHT * 3 // 2,)
    assert renderer.name == "cuda"


def test_each_frame_owns_its_bytes() -> None:
    renderer = on(CpuAsGpu())
    slot = renderer.open(tiny_avatar())
    rest, opened = renderer.render([(slot, controls()), (slot, controls(jawOpen=1.0))])
    kept = rest.data.copy()
    assert not np.shares_memory(rest.data, opened.data)
    renderer.render([(slot, controls(HeadPose(yaw=9.0)))] * 3)
    assert np.array_equal(rest.data, kept)
    rest.data[:] = 0
    assert np.array_equal(renderer.render([(slot, controls())])[0].data, kept)


def test_no_jobs_give_no_frames_and_no_calls() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    before = dict(gpu.calls)
    assert renderer.render([]) == []
    assert gpu.calls == before


faces = st.builds(
    controls,
    st.builds(HeadPose, st.floats(-9, 9), st.floats(-7, 7), st.floats(-5, 5)),
    st.integers(0, 10**6),
    jawOpen=st.sampled_from([0.0, 0.3, 1.0]),
    eyeBlinkLeft=st.sampled_from([0.0, 0.4, 1.0]),
    breath=st.floats(-1, 1),
)


@given(st.lists(st.tuples(st.integers(0, 3), faces), min_size=1, max_size=3 * ROWS + 1))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_batch_of_anybody_is_the_pictures_one_by_one(
    wanted: list[tuple[int, FaceControls]],
) -> None:
    """Avatars and canvases mixed, more pictures than a lot holds: the same bytes, in order."""
    avatars = [named(0), wide(1), with_painted_lid(named(2)), wide(3)]
    renderer, alone = on(CpuAsGpu()), on(CpuAsGpu(backwards=True))
    slots, others = ([r.open(avatar) for avatar in avatars] for r in (renderer, alone))
    together = renderer.render([(slots[i], face) for i, face in wanted])
    one_by_one = [alone.render([(others[i], face)])[0] for i, face in wanted]
    assert same(together, one_by_one)


def test_a_painted_lid_closes_as_in_the_reference() -> None:
    avatar = with_painted_lid(tiny_avatar())
    for blink in (0.3, 0.6, 1.0):
        pair = []
        for renderer in (on(CpuAsGpu()), ReferenceRenderer()):
            slot = renderer.open(avatar)
            pair += renderer.render([(slot, controls(eyeBlinkLeft=blink))])
        assert psnr_db(*pair) > 50


def test_sessions_of_an_avatar_share_its_memory() -> None:
    renderer = on(CpuAsGpu())
    one = renderer.open(named(1))
    taken = renderer.bytes_of_avatars
    two = renderer.open(replace(named(1), id="other"))
    assert renderer.bytes_of_avatars == taken
    assert one.resident is two.resident
    assert (one.avatar.id, two.avatar.id) == ("tiny1", "other")
    renderer.open(named(2))
    assert renderer.bytes_of_avatars == 2 * taken


def test_avatars_without_content_id_are_not_mistaken_for_each_other() -> None:
    renderer = on(CpuAsGpu())
    one, two = renderer.open(tiny_avatar()), renderer.open(tiny_avatar(seed=3))
    assert one.resident is not two.resident


def test_an_avatar_leaves_the_gpu_with_its_last_slot() -> None:
    renderer = on(CpuAsGpu())
    one, two = renderer.open(named(1)), renderer.open(named(1))
    renderer.close(one)
    renderer.close(one)
    assert renderer.bytes_of_avatars > 0
    assert len(renderer.render([(two, controls())])) == 1
    renderer.close(two)
    assert renderer.bytes_of_avatars == 0


def test_avatars_that_come_and_go_do_not_make_the_memory_grow() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    stays = renderer.open(named(0))
    (before,) = renderer.render([(stays, controls(jawOpen=0.6))])
    held = []
    for number in range(1, 30):
        slots = [renderer.open(named(number)), renderer.open(wide(100 + number))]
        renderer.render([(slot, controls()) for slot in slots])
        for slot in slots:
            renderer.close(slot)
        held.append(gpu.taken)
    assert len(set(held[1:])) == 1
    assert renderer.bytes_held == held[-1]
    (after,) = renderer.render([(stays, controls(jawOpen=0.6))])
    assert np.array_equal(before.data, after.data)


def test_pinned_memory_is_given_back_when_buffers_grow() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    slot = renderer.open(named(1))
    few = sum(len(memory) for memory in gpu.pinned.values())
    slots = [slot, *(renderer.open(wide(2)) for _ in range(ROWS))]
    pinned = sum(len(memory) for memory in gpu.pinned.values())
    assert len(gpu.pinned) == 6
    assert few < pinned < 3 * ROWS * few
    assert len(renderer.render([(slot, controls()) for slot in slots])) == ROWS + 1


def test_nothing_is_allocated_while_drawing() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    slots = [renderer.open(named(i)) for i in range(5)]
    before = dict(gpu.calls)
    for count in (1, 5, 2, 5):
        renderer.render([(slot, controls()) for slot in slots[:count]])
    grown = {name for name, count in gpu.calls.items() if count != before.get(name, 0)}
    assert grown == {
        "cuMemcpyHtoDAsync_v2",
        "cuLaunchKernel",
        "cuMemcpyDtoHAsync_v2",
        "cuEventRecord",
        "cuEventSynchronize",
    }


def test_a_lot_costs_as_many_calls_as_one_picture() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    slots = [renderer.open(named(i)) for i in range(ROWS)]

    def calls(count: int) -> int:
        before = sum(gpu.calls.values())
        renderer.render([(slot, controls()) for slot in slots[:count]])
        return sum(gpu.calls.values()) - before

    assert calls(1) == calls(ROWS) < 12


def test_another_renderers_slot_is_refused() -> None:
    renderer, cpu = on(CpuAsGpu()), CpuRenderer()
    with pytest.raises(TypeError, match="another renderer"):
        renderer.render([(cpu.open(tiny_avatar()), controls())])
    with pytest.raises(TypeError, match="another renderer"):
        cpu.render([(renderer.open(tiny_avatar()), controls())])


def test_a_closed_slot_is_not_drawn() -> None:
    renderer = on(CpuAsGpu())
    slot = renderer.open(tiny_avatar())
    renderer.close(slot)
    with pytest.raises(ValueError, match="closed"):
        renderer.render([(slot, controls())])


@pytest.mark.parametrize(
    "function",
    ["cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuMemcpyDtoHAsync_v2", "cuEventRecord",
     "cuEventSynchronize"],
)  # fmt: skip
def test_a_lost_gpu_is_a_device_error(function: str) -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    slot = renderer.open(tiny_avatar())
    renderer.render([(slot, controls())])
    gpu.fails = (function, LOST)
    with pytest.raises(DeviceError, match=f"{function} answered CUDA_ERROR_LAUNCH_FAILED"):
        renderer.render([(slot, controls())])


def test_an_avatar_that_does_not_fit_leaves_the_others_alone() -> None:
    gpu = CpuAsGpu()
    renderer = on(gpu)
    slot = renderer.open(named(0))
    (before,) = renderer.render([(slot, controls())])
    taken = renderer.bytes_of_avatars
    gpu.memory = gpu.taken
    large = wide(1)
    pixels = np.tile(large.layers["tongue"].pixels, (300, 300, 1))
    layers = {**large.layers, "tongue": Layer("tongue", (26, 49), pixels)}
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        renderer.open(replace(large, layers=layers))
    assert renderer.bytes_of_avatars == taken
    with pytest.raises(DeviceError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        renderer.open(large)
    assert renderer.bytes_of_avatars == taken
    (after,) = renderer.render([(slot, controls())])
    assert np.array_equal(before.data, after.data)
