"""How loops are compiled, in every stage that has some.

The cache on disk notices a change of the file that a loop lies in, not of what it inlines: after a
change of what is folded or inlined, clear `__pycache__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy.typing as npt

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop that releases the GIL, on first use, kept on disk for the next process.

    Sums keep their order, and numbers are not assumed finite: bounds depend on comparisons with NaN.
    """
    jit = numba.njit(
        nogil=True, cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"}
    )
    return cast(F, jit(function))


def folded(function: F) -> F:
    """Compile a loop into each loop that calls it, as a whole: no counting of references."""
    jit = numba.njit(
        nogil=True, error_model="numpy", forceinline=True, fastmath={"contract", "arcp", "nsz"}
    )
    return cast(F, jit(function))


def inlined(function: F) -> F:
    """Compile a step into each loop that calls it."""
    return cast(F, numba.njit(inline="always", error_model="numpy")(function))
