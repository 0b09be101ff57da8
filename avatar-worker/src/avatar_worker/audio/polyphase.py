"""Changes the sampling rate of a stream by an exact ratio, with a few milliseconds of delay.

The usual libraries filter in blocks and hold back 40 to 170 ms of a live voice. Here every output
sample is the dot product of its neighbourhood with one row of a table of windowed sincs, so it
exists as soon as the last of its neighbours has arrived, and no cut of the input can change it.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_CROSSINGS: Final = 64
"""Zero crossings of the sinc on each side: pass band to .9 of the lower Nyquist frequency."""
_CUTOFF: Final = 0.95
_KAISER_BETA: Final = 9.0  # 90 dB
_PHASES_ONE_BY_ONE: Final = 16
_MOST_PHASES: Final = 1_024
"""Every usual rate needs at most 640. For others, rows of the table are mixed: error below -110 dB,
and a sender's strange rate cannot ask for a table of 25 MB."""
_BLOCK: Final = 2_048


@lru_cache(maxsize=16)
def _bank(rate_in: int, rate_out: int) -> FloatArray:
    """Return one filter for each position of an output between two inputs.

    float32, (phases + 1, 2 reach); the last row is the first, one input later.
    """
    phases = min(_MOST_PHASES, rate_out // gcd(rate_in, rate_out))
    scale = _CUTOFF * min(1.0, rate_out / rate_in)
    reach = _reach(rate_in, rate_out)
    at = np.arange(1 - reach, reach + 1) - (np.arange(phases + 1) / phases)[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (at / reach) ** 2, 0, 1)))
    filters = np.sinc(scale * at) * window
    # Each row sums to 1, or a constant would come out with a ripple.
    bank: FloatArray = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    bank.setflags(write=False)
    return bank


def _reach(rate_in: int, rate_out: int) -> int:
    """Return how many input samples an output needs on each side."""
    return ceil(_CROSSINGS * max(1.0, rate_in / rate_out))


class PolyphaseStream:
    """One mono stream from `rate_in` to `rate_out`. Output j lies at input j * rate_in / rate_out.

    Args:
        rate_in: Samples per second that come.
        rate_out: Samples per second that go; equal rates pass unchanged and at once.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        common = gcd(rate_in, rate_out)
        self._up, self._down = rate_out // common, rate_in // common
        self._same = rate_in == rate_out
        self._reach = 0 if self._same else _reach(rate_in, rate_out)
        self._bank = np.ones((1, 1), np.float32) if self._same else _bank(rate_in, rate_out)
        self._kept = np.zeros(max(0, self._reach - 1), np.float32)
        self._first = -len(self._kept)  # input index of _kept[0]
        self._given = 0

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next input, return the output that it completes. float32, any length."""
        if self._same:
            return samples
        sound = np.concatenate([self._kept, samples])
        arrived = self._first + len(sound)
        last = max(self._given, ((arrived - self._reach) * self._up - 1) // self._down + 1)
        out = np.empty(last - self._given, np.float32)
        for start in range(0, len(out), _BLOCK):
            block = out[start : start + _BLOCK]
            self._fill(block, sound, self._given + start)
        self._given = last
        unused = max(0, self._left_of(last) - self._first)
        self._kept, self._first = sound[unused:].copy(), self._first + unused
        return out

    def finish(self, length: int) -> FloatArray:
        """Let silence follow and return what is missing to `length` outputs in all."""
        if self._same:
            raise ValueError("a stream that changes nothing holds nothing back")
        missing = length - self._given
        needed = ceil(max(0, missing + 1) * self._down / self._up) + 2 * self._reach
        return self.push(np.zeros(needed, np.float32))[: max(0, missing)]

    def _left_of(self, output: int) -> int:
        """Return the first input that an output needs."""
        return output * self._down // self._up - self._reach + 1

    def _fill(self, out: FloatArray, sound: FloatArray, first: int) -> None:
        """Write outputs `first`, `first + 1`, ..."""
        windows = np.lib.stride_tricks.sliding_window_view(sound, 2 * self._reach)
        # einsum sums each row by itself, in the same order however many rows there are.
        if self._up <= _PHASES_ONE_BY_ONE:
            for i in range(min(self._up, len(out))):
                row = self._left_of(first + i) - self._first
                taps = self._bank[(first + i) * self._down % self._up]
                count = len(out[i :: self._up])
                picked = windows[row :: self._down][:count]
                out[i :: self._up] = np.einsum("ij,j->i", picked, taps)
            return
        numbers = np.arange(first, first + len(out)) * self._down
        rows = numbers // self._up - self._reach + 1 - self._first
        filters = self._filters(numbers % self._up)
        out[:] = np.einsum("ij,ij->i", windows[rows], filters)

    def _filters(self, phases: npt.NDArray[np.int64]) -> FloatArray:
        """Return a row for each phase, mixed from two where the table is coarser."""
        if self._up <= _MOST_PHASES:
            return self._bank[phases]
        row, rest = np.divmod(phases * _MOST_PHASES, self._up)
        share = (rest / self._up).astype(np.float32)[:, None]
        mixed: FloatArray = self._bank[row] * (1 - share) + self._bank[row + 1] * share
        return mixed
