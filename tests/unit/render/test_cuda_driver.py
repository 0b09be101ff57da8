"""Finding a GPU, and saying what is wrong with it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests.fakes.cuda_driver import LOST, CpuAsGpu

from avatar_worker.errors import DeviceError
from avatar_worker.render.cuda.device import Device
from avatar_worker.render.cuda.driver import Driver, load_library


def test_a_gpu_is_known_by_its_name() -> None:
    assert Device(Driver(CpuAsGpu())).name == "A CPU in disguise"


def test_looking_a_gpu_up_takes_nothing_of_it() -> None:
    gpu = CpuAsGpu()
    Driver(gpu)
    assert not {"cuDevicePrimaryCtxRetain", "cuMemAlloc_v2"} & set(gpu.calls)


def test_a_driver_without_a_gpu_is_named() -> None:
    with pytest.raises(DeviceError, match="cuInit answered CUDA_ERROR_NO_DEVICE"):
        Driver(CpuAsGpu(gpus=0))


def test_a_gpu_that_is_too_old_is_refused_with_its_age() -> None:
    with pytest.raises(DeviceError, match=r"too old: .* capability 6\.1 of 7\.0"):
        Driver(CpuAsGpu(capability=(6, 1)))


def test_an_error_without_a_name_keeps_its_number() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    gpu.fails = ("cuMemAlloc_v2", 4711)
    with pytest.raises(DeviceError, match="cuMemAlloc_v2 answered error 4711"):
        device.array(1, "i4")


def test_a_machine_without_a_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    with pytest.raises(DeviceError, match=r"no NVIDIA driver on this machine \(libcuda"):
        load_library()


def test_every_thread_enters_the_context_once() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    here = gpu.calls["cuCtxSetCurrent"]
    device.array(1, "i4")
    assert gpu.calls["cuCtxSetCurrent"] == here == 1

    def elsewhere() -> None:
        for _ in range(3):
            device.array(1, "i4")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert gpu.calls["cuCtxSetCurrent"] == 2


def test_what_is_written_can_be_read_after_waiting() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    array, copy = device.array(6, "i4"), device.array(6, "i4")
    device.write(array, 0, np.zeros(6, np.int32))
    device.write(array, 2, np.array([7, -8, 9], np.int32))
    device.copy(array, copy, 5)
    found = device.host(5, "i4")
    device.read(copy, 5, found)
    device.mark(0)
    device.wait(0)
    assert found.tolist() == [0, 0, 7, -8, 9]
    free = device.free_bytes()
    device.free(array)
    assert device.free_bytes() == free + array.nbytes


def test_pinned_memory_goes_with_the_last_array_over_it() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    whole = device.host(100, "f4")
    part = whole[10:20]
    del whole
    part[:] = 1
    assert len(gpu.pinned) == 1
    del part
    assert not gpu.pinned


def test_pinned_memory_of_a_lost_gpu_is_let_go_in_silence() -> None:
    gpu = CpuAsGpu()
    device = Device(Driver(gpu))
    memory = device.host(100, "f4")
    gpu.fails = ("cuMemFreeHost", LOST)
    del memory
    assert gpu.calls["cuMemFreeHost"] == 1


def test_a_step_without_threads_is_not_started() -> None:
    gpu = CpuAsGpu()
    Device(Driver(gpu)).run("shade", 0, 1, ())
    assert "cuLaunchKernel" not in gpu.calls
