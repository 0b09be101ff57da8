"""Memory of a device that avatars share: each has a stretch of it, side by side in one array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .device import Device, DeviceArray


class Arena:
    """Stretches of one device array that grows when no gap is wide enough.

    Growing copies on the device. Places stay what they are; the array does not.
    """

    def __init__(self, device: Device, kind: str, step: int) -> None:
        """Start empty.

        Args:
            device: Where.
            kind: NumPy's name of the numbers, e.g. `i4`.
            step: The array's size is a multiple of this many numbers.
        """
        self._device, self._kind, self._step = device, kind, step
        self._taken: dict[int, int] = {}
        self.array: DeviceArray = device.array(step, kind)

    @property
    def used(self) -> int:
        """How many numbers are taken."""
        return sum(self._taken.values())

    def take(self, numbers: npt.NDArray[Any]) -> int:
        """Copy numbers to the device and say where they begin.

        Raises:
            DeviceError: If the device has no more memory; nothing has changed then.
        """
        place = self._gap(len(numbers))
        if place + len(numbers) > self.array.size:
            self._grow(place + len(numbers))
        self._device.write(self.array, place, np.ascontiguousarray(numbers, self._kind))
        self._taken[place] = len(numbers)
        return place

    def give_back(self, place: int) -> None:
        """Free what was taken at a place."""
        del self._taken[place]

    def _gap(self, size: int) -> int:
        """The first place that is free for so many numbers, at the end if need be."""
        place = 0
        for start, length in sorted(self._taken.items()):
            if start - place >= size:
                break
            place = start + length
        return place

    def _grow(self, size: int) -> None:
        larger = self._device.array(-(-size // self._step) * self._step, self._kind)
        self._device.copy(self.array, larger, self.array.size)
        self._device.free(self.array)
        self.array = larger
