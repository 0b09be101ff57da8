"""Functions of single float32 numbers of which a compiled loop takes several at a time.

Those of the C library are called one by one, which costs five times as much.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from avatar_worker.compiling import inlined

_LOG2_E: Final = np.float32(np.log2(np.e))
# ln 2 in two parts: the first has so few bits that its multiples are exact.
_LN2_HIGH: Final = np.float32(0.693359375)
_LN2_LOW: Final = np.float32(np.log(2) - 0.693359375)
_LEAST: Final = np.float32(-87)
_MOST: Final = np.float32(88)
_E6, _E5, _E4, _E3 = (np.float32(1 / n) for n in (720, 120, 24, 6))
_L9, _L7, _L5, _L3 = (np.float32(1 / n) for n in (9, 7, 5, 3))
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1)
_TWO: Final = np.float32(2)
_LOG10_2: Final = np.float32(np.log10(2))
_LOG10_E: Final = np.float32(np.log10(np.e))

# A float32 is a sign, eight bits of a power of two and 23 of what stands before it.
_FRACTION: Final = np.int32(23)
_POWER: Final = np.int32(127)
_ROOT_HALF: Final = np.sqrt(np.float32(0.5)).view(np.int32)


@inlined
def exp(x: Any) -> Any:
    """E to the power of x, which is brought between -87 and 88. Within 3e-7 of it, relatively.

    A power of two, set in the bits, times Taylor's series of what is left, at most ln 2 / 2.
    """
    bounded = min(max(x, _LEAST), _MOST)
    whole = np.floor(bounded * _LOG2_E + _HALF)
    f = bounded - whole * _LN2_HIGH - whole * _LN2_LOW
    series = ((((_E6 * f + _E5) * f + _E4) * f + _E3) * f + _HALF) * f + _ONE
    bits = np.int32((np.int32(whole) + _POWER) << _FRACTION)
    return (series * f + _ONE) * bits.view(np.float32)


@inlined
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), within 3e-7."""
    return _ONE / (_ONE + exp(-x))


@inlined
def tanh(x: Any) -> Any:
    """The hyperbolic tangent, within 3e-7."""
    return _ONE - _TWO / (exp(_TWO * x) + _ONE)


@inlined
def log10(x: Any) -> Any:
    """The decimal logarithm of a normal number above 0, within 5e-7.

    The power of two, and the series of artanh of what is left, between the roots of 1/2 and 2.
    """
    bits = np.float32(x).view(np.int32)
    power = np.int32(np.int32(bits - _ROOT_HALF) >> _FRACTION)
    left = np.int32(bits - np.int32(power << _FRACTION)).view(np.float32)
    s = (left - _ONE) / (left + _ONE)
    q = s * s
    series = ((((_L9 * q + _L7) * q + _L5) * q + _L3) * q + _ONE) * s
    return np.float32(power) * _LOG10_2 + _TWO * series * _LOG10_E
