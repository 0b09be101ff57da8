"""NVIDIA's driver, called through its C functions. Nothing else of CUDA has to be installed.

Source: CUDA Driver API reference, <https://docs.nvidia.com/cuda/cuda-driver-api/>.
"""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Any, Final

from avatar_worker.errors import DeviceError

LEAST_CAPABILITY: Final = (7, 0)
"""Volta: what the steps are compiled for; every later GPU runs them too."""

_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR."""

_WAIT_ASLEEP: Final = 4
"""CU_CTX_SCHED_BLOCKING_SYNC: a thread that waits leaves its core to others."""

_HANDLE = POINTER(c_void_p)
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "cuInit": (c_uint,),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxSetFlags_v2": (c_int, c_uint),
    "cuDevicePrimaryCtxRetain": (_HANDLE, c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuModuleLoadData": (_HANDLE, c_char_p),
    "cuModuleGetFunction": (_HANDLE, c_void_p, c_char_p),
    "cuMemGetInfo_v2": (POINTER(c_size_t), POINTER(c_size_t)),
    "cuMemAlloc_v2": (_HANDLE, c_size_t),
    "cuMemFree_v2": (c_void_p,),
    "cuMemAllocHost_v2": (_HANDLE, c_size_t),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_void_p, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoDAsync_v2": (c_void_p, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_void_p, c_size_t, c_void_p),
    "cuStreamCreate": (_HANDLE, c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuEventCreate": (_HANDLE, c_uint),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuLaunchKernel": (c_void_p, *(c_uint,) * 7, c_void_p, c_void_p, c_void_p),
}


def load_library() -> Any:
    """Load the driver.

    Raises:
        DeviceError: If there is none.
    """
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise DeviceError("there is no NVIDIA driver on this machine (libcuda.so.1)") from None
    for name, arguments in _FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise DeviceError(f"the NVIDIA driver is too old: it lacks {name}") from None
        function.argtypes, function.restype = arguments, c_int
    return library


class Driver:
    """The first GPU that the driver shows (`CUDA_VISIBLE_DEVICES` chooses), and calls to it."""

    def __init__(self, library: Any = None) -> None:
        """Look the GPU up; nothing is taken of it yet.

        Args:
            library: The driver's C functions; by default this machine's.

        Raises:
            DeviceError: If there is no driver, no GPU, or the GPU is too old.
        """
        self._library = load_library() if library is None else library
        self._context: int | None = None
        self._seen = threading.local()
        self.call("cuInit", 0)
        count, self._gpu = c_int(), c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        if count.value < 1:
            raise DeviceError("the NVIDIA driver shows no GPU")
        self.call("cuDeviceGet", ctypes.byref(self._gpu), 0)
        text = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", text, len(text), self._gpu.value)
        self.name = text.value.decode(errors="replace")
        capability = self._attribute(_MAJOR), self._attribute(_MINOR)
        if capability < LEAST_CAPABILITY:
            least, own = (".".join(map(str, pair)) for pair in (LEAST_CAPABILITY, capability))
            raise DeviceError(f"{self.name} is too old: it has compute capability {own} of {least}")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver, in the GPU's context once there is one.

        Raises:
            DeviceError: If it reports an error; the message names both.
        """
        if self._context is not None and not getattr(self._seen, "entered", False):
            self._check("cuCtxSetCurrent", self._library.cuCtxSetCurrent(self._context))
            self._seen.entered = True
        self._check(name, getattr(self._library, name)(*arguments))

    def enter(self) -> None:
        """Make the context that everything below lives in; hundreds of MiB on the GPU.

        Raises:
            DeviceError: If that fails.
        """
        # Somebody else in the process may have made it with other flags, which does no harm.
        self._library.cuDevicePrimaryCtxSetFlags_v2(self._gpu.value, _WAIT_ASLEEP)
        context = c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._gpu.value)
        self._context = context.value

    def handle(self, name: str, *arguments: Any) -> int:
        """Call a function whose first argument receives a handle or an address, and return that."""
        made = c_void_p()
        self.call(name, ctypes.byref(made), *arguments)
        return made.value or 0

    def _attribute(self, number: int) -> int:
        value = c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), number, self._gpu.value)
        return value.value

    def _check(self, name: str, code: int) -> None:
        if not code:
            return
        text = c_char_p()
        unknown = self._library.cuGetErrorName(code, ctypes.byref(text))
        reason = f"error {code}" if unknown or not text.value else text.value.decode()
        raise DeviceError(f"the GPU failed: {name} answered {reason}")
