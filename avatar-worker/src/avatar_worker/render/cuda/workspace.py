"""Buffers that lots of pictures are made in, one lot after the other, for all avatars.

They grow when avatars or sessions are opened and are never touched by size while drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from . import fields
from .device import Device, DeviceArray
from .packing import Packed
from .steps import STEPS

MOST_ROWS: Final = 8
"""Most pictures of a lot: enough to fill a GPU, few enough to overlap drawing and copying."""

_KINDS: Final = {"jobs": "i4", "drives": "f4", "placed": "f4", "maps": "i4", "out": "u1"}


class Workspace:
    """Draws lots. One thread at a time.

    Attributes:
        rows: How many pictures of any open avatars a lot has room for.
    """

    def __init__(self, device: Device) -> None:
        """Take no memory yet."""
        self.rows = 0
        self._device = device
        self._arrays: dict[str, DeviceArray] = {}
        self._hosts: list[dict[str, npt.NDArray[Any]]] = [{}, {}]
        self._lots: list[list[tuple[int, int]]] = [[], []]
        self._side = 0
        self._next: dict[str, int] = {}
        self._items: dict[str, int] = {}

    @property
    def nbytes(self) -> int:
        """Device memory that the buffers take."""
        return sum(array.nbytes for array in self._arrays.values())

    def fit(self, avatars: Sequence[Packed], sessions: int) -> None:
        """Take memory for lots of any of these avatars; give none back.

        Args:
            avatars: All that are open.
            sessions: How many sessions draw; a lot has room for the next power of two of them.

        Raises:
            DeviceError: If the device has no memory left; what was there still works.
        """
        rows = min(MOST_ROWS, 1 << max(sessions - 1, 0).bit_length())
        needed = dict.fromkeys(_KINDS, 0)
        for packed in avatars:
            for name, size in packed.sizes.items():
                needed[name] = max(needed[name], rows * size)
        for name, size in needed.items():
            old = self._arrays.get(name)
            if old is not None and old.size >= size:
                continue
            hosts = (
                [self._device.host(size, _KINDS[name]) for _ in self._hosts]
                if name in ("jobs", "drives", "out")
                else []
            )
            self._arrays[name] = self._device.array(size, _KINDS[name])
            for side, host in zip(self._hosts, hosts, strict=False):
                side[name] = host
            if old is not None:
                self._device.free(old)
        self.rows = rows

    def begin(self, side: int) -> None:
        """Begin a lot; the one before on this side must have been taken out."""
        self._side = side
        self._lots[side] = []
        self._next = dict.fromkeys(_KINDS, 0)
        self._items = dict.fromkeys(STEPS, 0)

    def add(self, packed: Packed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Add a picture; return its job and its drive, to be filled in."""
        side, at = self._hosts[self._side], self._next
        self._next = {name: at[name] + size for name, size in packed.sizes.items()}
        job = side["jobs"][at["jobs"] : self._next["jobs"]]
        job[:] = packed.job
        job[fields.DRIVE], job[fields.PLACED] = at["drives"], at["placed"]
        job[fields.MAPS], job[fields.OUT] = at["maps"], at["out"]
        for name, count in packed.items.items():
            self._items[name] = max(self._items[name], count)
        self._lots[self._side].append((at["out"], self._next["out"]))
        return job, side["drives"][at["drives"] : self._next["drives"]]

    def run(self, ints: DeviceArray, floats: DeviceArray) -> None:
        """Draw the lot; `pictures` waits for it."""
        device, side = self._device, self._hosts[self._side]
        for name in ("jobs", "drives"):
            device.write(self._arrays[name], 0, side[name][: self._next[name]])
        arrays = (ints, floats, *(self._arrays[name] for name in _KINDS))
        for name in STEPS:
            device.run(name, self._items[name], len(self._lots[self._side]), arrays)
        device.read(self._arrays["out"], self._next["out"], side["out"])
        device.mark(self._side)

    def pictures(self, side: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Wait for a lot and return its pictures, valid until the next lot on this side."""
        self._device.wait(side)
        out = self._hosts[side]["out"]
        return (out[start:stop] for start, stop in self._lots[side])
