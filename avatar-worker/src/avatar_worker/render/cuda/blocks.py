"""Memory of pictures that nobody looks at any more, for the next ones.

Half a megabyte that comes fresh from the system costs more than filling it: it arrives page by page.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

MOST_BYTES: Final = 64 * 2**20
"""Memory of one size that is kept for later, at most."""

_LEAST_BLOCKS: Final = 2


class Blocks:
    """Hands memory out again once the last array over it is gone. Arrays may die on any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._free: dict[int, deque[bytearray]] = {}

    @property
    def nbytes(self) -> int:
        """Memory that is kept for later."""
        return sum(size * len(free) for size, free in self._free.items())

    def array(self, size: int) -> npt.NDArray[np.uint8]:
        """Return memory of the caller's own; what it holds is not said. (size,)."""
        free = self._free.get(size)
        if free is None:
            most = max(_LEAST_BLOCKS, MOST_BYTES // size)
            free = self._free[size] = deque(maxlen=most)
        try:
            block = free.pop()
        except IndexError:
            block = bytearray(size)
        numbers = np.frombuffer(block, np.uint8)
        weakref.finalize(numbers, free.append, block).atexit = False
        return numbers

    def keep(self, sizes: Iterable[int]) -> None:
        """Forget free memory of all other sizes."""
        self._free = {size: self._free[size] for size in sizes if size in self._free}
