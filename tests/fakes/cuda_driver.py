# ruff: noqa: N802
"""A driver library whose GPU is this machine's CPU: NVIDIA's functions, so far as we call them.

It runs the very steps that GPUs run, compiled for the CPU, one thread after the other. Memory is
real, launches are read from the packed parameters as a GPU reads them, and a call can be told to
fail as a lost GPU does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from avatar_worker.render.cuda.steps import ARRAYS, STEPS, compiled_by

NOT_READY, OUT_OF_MEMORY, NO_DEVICE, NOT_FOUND, LOST = 600, 2, 100, 500, 719
NAMES = {
    OUT_OF_MEMORY: "CUDA_ERROR_OUT_OF_MEMORY",
    NO_DEVICE: "CUDA_ERROR_NO_DEVICE",
    LOST: "CUDA_ERROR_LAUNCH_FAILED",
}
KINDS = ("i4", "f4", "i4", "f4", "f4", "i4", "u1")
STREAM, CONTEXT = 11, 12


@cache
def loops() -> dict[str, Callable[..., None]]:
    """Every step as a loop over all threads of all pictures, in one order or the other."""
    njit: Any = numba.njit
    compiled = compiled_by(njit(error_model="numpy", no_cpython_wrapper=True))

    def loop_of(step: Any) -> Any:
        def loop(
            items: int,
            rows: int,
            backwards: bool,
            ints: Any,
            floats: Any,
            jobs: Any,
            drives: Any,
            placed: Any,
            maps: Any,
            out: Any,
        ) -> None:
            for row in range(rows):
                for n in range(items):
                    item = items - 1 - n if backwards else n
                    step(item, row, ints, floats, jobs, drives, placed, maps, out)

        return njit(error_model="numpy")(loop)

    return {name: loop_of(compiled[name]) for name in STEPS}


class CpuAsGpu:
    """The library. Functions take what `driver` gives, return 0 or an error's number.

    Attributes:
        memory: Bytes that can be had.
        calls: How often each function was called.
        fails: The function that fails from now on, and how.
    """

    def __init__(
        self,
        *,
        memory: int = 1 << 30,
        gpus: int = 1,
        capability: tuple[int, int] = (7, 5),
        backwards: bool = False,
    ) -> None:
        self.memory = memory
        self.calls: dict[str, int] = {}
        self.fails: tuple[str, int] | None = None
        self.held: dict[int, Any] = {}
        self.pinned: dict[int, Any] = {}
        self._gpus, self._capability = gpus, capability
        self._loops, self._backwards = loops(), backwards
        self._done: list[Callable[[], Any]] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("cu") or name == "cuGetErrorName":
            return found

        def counted(*arguments: Any) -> int:
            self.calls[name] = self.calls.get(name, 0) + 1
            if self.fails is not None and self.fails[0] == name:
                return self.fails[1]
            return int(found(*arguments))

        return counted

    @property
    def taken(self) -> int:
        """Bytes of the GPU that are held."""
        return sum(len(memory) for memory in self.held.values())

    def cuInit(self, flags: int) -> int:
        return 0 if self._gpus else NO_DEVICE

    def cuGetErrorName(self, code: int, text: Any) -> int:
        if code not in NAMES:
            return 1
        text._obj.value = NAMES[code].encode()
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self._gpus
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, text: Any, size: int, device: int) -> int:
        text.value = b"A CPU in disguise"
        return 0

    def cuDeviceGetAttribute(self, value: Any, which: int, device: int) -> int:
        value._obj.value = self._capability[{75: 0, 76: 1}[which]]
        return 0

    def cuDevicePrimaryCtxSetFlags_v2(self, device: int, flags: int) -> int:
        return 0

    def cuDevicePrimaryCtxRetain(self, context: Any, device: int) -> int:
        context._obj.value = CONTEXT
        return 0

    def cuCtxSetCurrent(self, context: int) -> int:
        return 0 if context == CONTEXT else LOST

    def cuModuleLoadData(self, module: Any, text: bytes) -> int:
        (number,) = (i for i, name in enumerate(STEPS) if f".entry {name}(".encode() in text)
        module._obj.value = 100 + number
        return 0

    def cuModuleGetFunction(self, function: Any, module: int, name: bytes) -> int:
        if STEPS[module - 100] != name.decode():
            return NOT_FOUND
        function._obj.value = module
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = self.memory - self.taken, self.memory
        return 0

    def cuMemAlloc_v2(self, address: Any, size: int) -> int:
        if self.taken + size > self.memory:
            return OUT_OF_MEMORY
        # As on a GPU, fresh memory holds anything.
        memory = (ctypes.c_uint8 * size).from_buffer(bytearray(b"\xa5" * size))
        address._obj.value = ctypes.addressof(memory)
        self.held[address._obj.value] = memory
        return 0

    def cuMemFree_v2(self, address: int) -> int:
        del self.held[address]
        return 0

    def cuMemAllocHost_v2(self, address: Any, size: int) -> int:
        memory = (ctypes.c_uint8 * size)()
        address._obj.value = ctypes.addressof(memory)
        self.pinned[address._obj.value] = memory
        return 0

    def cuMemFreeHost(self, address: int) -> int:
        del self.pinned[address]
        return 0

    def cuMemcpyHtoDAsync_v2(self, to: int, source: int, size: int, stream: int) -> int:
        return self._move(to, source, size, stream)

    def cuMemcpyDtoDAsync_v2(self, to: int, source: int, size: int, stream: int) -> int:
        return self._move(to, source, size, stream)

    def cuMemcpyDtoHAsync_v2(self, to: int, source: int, size: int, stream: int) -> int:
        # Not there before somebody has waited: who reads too early reads the old picture.
        data = ctypes.string_at(source, size)
        self._done.append(lambda: ctypes.memmove(to, data, size))
        return 0 if stream == STREAM and self._inside(source, size) else LOST

    def cuStreamCreate(self, stream: Any, flags: int) -> int:
        stream._obj.value = STREAM
        return 0

    def cuStreamSynchronize(self, stream: int) -> int:
        return self.cuEventSynchronize(0)

    def cuEventCreate(self, event: Any, flags: int) -> int:
        event._obj.value = 21
        return 0

    def cuEventRecord(self, event: int, stream: int) -> int:
        return 0

    def cuEventSynchronize(self, event: int) -> int:
        for finish in self._done:
            finish()
        self._done.clear()
        return 0

    def cuLaunchKernel(
        self,
        function: int,
        blocks: int,
        rows: int,
        deep: int,
        threads: int,
        high: int,
        far: int,
        shared: int,
        stream: int,
        parameters: Any,
        extra: None,
    ) -> int:
        given = [ctypes.c_int64.from_address(place).value for place in parameters]
        arrays = []
        for i, kind in enumerate(KINDS):
            unused, parent, size, width, address, again, stride = given[7 * i : 7 * i + 7]
            fits = (unused, parent, again, stride) == (0, 0, size, width)
            if not fits or width != np.dtype(kind).itemsize:
                return LOST
            if not self._inside(address, size * width):
                return LOST
            memory = (ctypes.c_uint8 * (size * width)).from_address(address)
            arrays.append(np.frombuffer(memoryview(memory), kind))
        assert len(arrays) == len(ARRAYS)
        assert (deep, high, far, shared, stream) == (1, 1, 1, 0, STREAM)
        self._loops[STEPS[function - 100]](blocks * threads, rows, self._backwards, *arrays)
        return 0

    def _move(self, to: int, source: int, size: int, stream: int) -> int:
        if stream != STREAM or not self._inside(to, size):
            return LOST
        ctypes.memmove(to, source, size)
        return 0

    def _inside(self, address: int, size: int) -> bool:
        """Whether a stretch lies in memory that is held."""
        return any(
            start <= address and address + size <= start + len(memory)
            for start, memory in self.held.items()
        )
