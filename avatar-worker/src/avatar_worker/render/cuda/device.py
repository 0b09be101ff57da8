"""One GPU: memory, copies, steps, one after the other on one stream."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import suppress
from ctypes import addressof, byref, c_int64, c_size_t, c_uint8, c_void_p
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import DeviceError

from .driver import Driver
from .ptx import read_ptx
from .steps import ARRAYS

THREADS: Final = 128
"""Threads of a block."""

_MARK_FLAGS: Final = 3
"""CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING: who waits sleeps."""

_PER_ARRAY: Final = 7
"""Numbers that a compiled step takes for an array: two unused, length, bytes of one, address,
length, and bytes from one to the next."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceArray:
    """Memory of a GPU.

    Attributes:
        address: Where it begins there.
        size: How many numbers it holds.
        kind: NumPy's name of the numbers, e.g. `f4`.
    """

    address: int
    size: int
    kind: str

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return self.size * np.dtype(self.kind).itemsize


class Device:
    """Does what it is told in order; only `wait` and `free` wait.

    Every method may raise `DeviceError`. After that the GPU is of no more use to this process,
    unless `array` or `host` raised it: then only memory was short.
    """

    def __init__(self, driver: Driver) -> None:
        """Make a context and load the steps.

        Raises:
            DeviceError: If either fails.
        """
        self._driver = driver
        driver.enter()
        self._stream = driver.handle("cuStreamCreate", 0)
        self._marks = [driver.handle("cuEventCreate", _MARK_FLAGS) for _ in range(2)]
        self._steps = {name: self._load(name, text) for name, text in read_ptx().items()}
        self._values = (c_int64 * (_PER_ARRAY * len(ARRAYS)))()
        first = addressof(self._values)
        places = [first + 8 * i for i in range(len(self._values))]
        self._parameters = (c_void_p * len(self._values))(*places)
        self._given: tuple[DeviceArray, ...] = ()

    @property
    def name(self) -> str:
        """What the maker calls it."""
        return self._driver.name

    def free_bytes(self) -> int:
        """How much memory of the GPU nobody holds."""
        free, total = c_size_t(), c_size_t()
        self._driver.call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value

    def array(self, size: int, kind: str) -> DeviceArray:
        """Take memory; what it holds is not said."""
        nbytes = max(1, size) * np.dtype(kind).itemsize
        return DeviceArray(self._driver.handle("cuMemAlloc_v2", nbytes), size, kind)

    def free(self, array: DeviceArray) -> None:
        """Give memory back once everything before has been done."""
        self._driver.call("cuStreamSynchronize", self._stream)
        self._driver.call("cuMemFree_v2", array.address)
        self._given = ()

    def host(self, size: int, kind: str) -> npt.NDArray[Any]:
        """Take memory on this side that the GPU reads and writes by itself. (size,)."""
        nbytes = max(1, size) * np.dtype(kind).itemsize
        address = self._driver.handle("cuMemAllocHost_v2", nbytes)
        memory = (c_uint8 * nbytes).from_address(address)
        # When the last array over it goes, and not while the process ends: then the driver is gone.
        weakref.finalize(memory, _unpin, self._driver, address).atexit = False
        numbers: npt.NDArray[Any] = np.frombuffer(memoryview(memory), kind)
        return numbers[:size]

    def write(self, array: DeviceArray, place: int, numbers: npt.NDArray[Any]) -> None:
        """Copy to the GPU. Memory from `host` must stay as it is until that has been done."""
        to = array.address + place * numbers.itemsize
        self._copy("cuMemcpyHtoDAsync_v2", to, numbers.ctypes.data, numbers.nbytes)

    def copy(self, source: DeviceArray, target: DeviceArray, count: int) -> None:
        """Copy the first numbers on the GPU."""
        nbytes = count * np.dtype(source.kind).itemsize
        self._copy("cuMemcpyDtoDAsync_v2", target.address, source.address, nbytes)

    def read(self, array: DeviceArray, count: int, to: npt.NDArray[Any]) -> None:
        """Copy the first numbers to memory from `host`; they are there after `wait`."""
        nbytes = count * to.itemsize
        self._copy("cuMemcpyDtoHAsync_v2", to.ctypes.data, array.address, nbytes)

    def run(self, step: str, items: int, rows: int, arrays: Sequence[DeviceArray]) -> None:
        """Run a step for `items` threads, or a few more, of each of `rows` pictures.

        Args:
            step: One of `steps.STEPS`.
            items: Threads of a picture.
            rows: How many pictures.
            arrays: In the order of `steps.ARRAYS`.
        """
        if items < 1 or rows < 1:
            return
        if tuple(arrays) != self._given:
            self._give(tuple(arrays))
        blocks = -(-items // THREADS)
        self._driver.call(
            "cuLaunchKernel",
            self._steps[step],
            *(blocks, rows, 1),
            *(THREADS, 1, 1),
            0,
            self._stream,
            self._parameters,
            None,
        )

    def mark(self, number: int) -> None:
        """Note that everything until now belongs to mark 0 or 1."""
        self._driver.call("cuEventRecord", self._marks[number], self._stream)

    def wait(self, number: int) -> None:
        """Wait until what belongs to a mark has been done. The GIL is free meanwhile."""
        self._driver.call("cuEventSynchronize", self._marks[number])

    def _load(self, name: str, text: str) -> int:
        module = self._driver.handle("cuModuleLoadData", text.encode())
        return self._driver.handle("cuModuleGetFunction", module, name.encode())

    def _copy(self, function: str, to: int, source: int, nbytes: int) -> None:
        if nbytes:
            self._driver.call(function, to, source, nbytes, self._stream)

    def _give(self, arrays: tuple[DeviceArray, ...]) -> None:
        """Write the parameters down, where the driver copies them from at every start."""
        for i, array in enumerate(arrays):
            width = np.dtype(array.kind).itemsize
            row = (0, 0, array.size, width, array.address, array.size, width)
            for n, value in enumerate(row):
                self._values[_PER_ARRAY * i + n] = value
        self._given = arrays


def _unpin(driver: Driver, address: int) -> None:
    # The GPU may be lost by now; its memory went with it.
    with suppress(DeviceError):
        driver.call("cuMemFreeHost", address)
