"""The renderer for NVIDIA's GPUs. `steps` is what they compute; nothing but a driver is needed."""

from __future__ import annotations

from .device import Device
from .driver import Driver
from .renderer import CudaRenderer

__all__ = ["CudaRenderer", "Device", "Driver", "cuda_renderer"]


def cuda_renderer() -> CudaRenderer:
    """Return the renderer on the first GPU of this machine.

    Raises:
        DeviceError: If there is no GPU that can be used; the message says what is missing.
    """
    return CudaRenderer(Device(Driver()))
