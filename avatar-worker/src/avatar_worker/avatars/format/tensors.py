"""Arrays in a safetensors file, checked before they are touched (rules V15 to V17).

Source: the safetensors format (8 bytes of header length, a JSON header, one buffer).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .fault import fail
from .strict_json import parse_object

MAX_HEADER: Final = 2**20
MAX_RANK: Final = 4

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a tensor has to be.

    Attributes:
        dtype: `F32`, `F16`, `I32` or `U8`.
        shape: Every side.
        low: Smallest value.
        high: Largest value.
    """

    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Range:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def expected_bytes(expected: Mapping[str, Expected]) -> int:
    """Bytes that the tensors take in memory, from the manifest's numbers alone."""
    return sum(DTYPES[e.dtype].itemsize * math.prod(e.shape) for e in expected.values())


def load_tensors(
    content: memoryview, expected: Mapping[str, Expected], where: str
) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors by name, each its own read-only array.

    Args:
        content: The whole safetensors file.
        expected: Exactly the tensors that have to be there.
        where: The entry, for the error.

    Raises:
        FormatFault: `E_TENSOR` (V15, V16) or `E_VALUE` (V17).
    """
    ranges, start = _header(content, where)
    for name in sorted(ranges.keys() | expected.keys()):
        place = f"{where}:{name}"
        if name not in expected:
            fail("E_TENSOR", "V16", place, "does not belong here")
        if name not in ranges:
            fail("E_TENSOR", "V16", place, "is missing")
        there, wanted = ranges[name], expected[name]
        if (there.dtype, there.shape) != (wanted.dtype, wanted.shape):
            fail(
                "E_TENSOR", "V16", place,
                f"is {there.dtype} {list(there.shape)} instead of "
                f"{wanted.dtype} {list(wanted.shape)}",
            )  # fmt: skip
    arrays = {}
    for name, wanted in expected.items():
        part = content[start + ranges[name].begin : start + ranges[name].end]
        array = np.frombuffer(part, DTYPES[wanted.dtype]).reshape(wanted.shape).copy()
        _check_values(array, wanted, f"{where}:{name}")
        array.flags.writeable = False
        arrays[name] = array
    return arrays


def _header(content: memoryview, where: str) -> tuple[dict[str, _Range], int]:
    """Rule V15: the ranges of all tensors and where the buffer starts."""
    if len(content) < 8:
        fail("E_TENSOR", "V15", where, "has no header")
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(MAX_HEADER, len(content) - 8):
        fail("E_TENSOR", "V15", where, "has a header length that is not possible")
    text = bytes(content[8 : 8 + length])
    if text[:1] != b"{":
        fail("E_TENSOR", "V15", where, "has a header that does not start with {")
    header = parse_object(text, where, code="E_TENSOR", rule="V15")
    header.pop("__metadata__", None)
    ranges = {name: _range(row, f"{where}:{name}") for name, row in header.items()}
    at = 0
    for name, row in sorted(ranges.items(), key=lambda item: (item[1].begin, item[1].end)):
        if row.begin != at:
            fail("E_TENSOR", "V15", f"{where}:{name}", "leaves a hole or overlaps another tensor")
        at = row.end
    if at != len(content) - 8 - length:
        fail("E_TENSOR", "V15", where, "has bytes that belong to no tensor")
    return ranges, 8 + length


def _range(row: Any, where: str) -> _Range:
    if not isinstance(row, dict) or set(row) != {"dtype", "shape", "data_offsets"}:
        fail("E_TENSOR", "V15", where, "has no dtype, shape and data_offsets")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        fail("E_TENSOR", "V15", where, "has a dtype other than F32, F16, I32 and U8")
    if not _naturals(shape) or len(shape) > MAX_RANK:
        fail("E_TENSOR", "V15", where, "has a shape that is not possible")
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        fail("E_TENSOR", "V15", where, "has offsets that are not possible")
    begin, end = offsets
    # Python's integers do not overflow, so this product is exact.
    if math.prod(shape) * DTYPES[dtype].itemsize != end - begin:
        fail("E_TENSOR", "V15", where, "has a shape that does not fit its bytes")
    return _Range(dtype, tuple(shape), begin, end)


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value)


def _check_values(array: npt.NDArray[Any], expected: Expected, where: str) -> None:
    """Rule V17. The bit pattern says what is not finite; no comparison with NaN decides."""
    if array.dtype.kind == "f":
        bits = array.view(f"<u{array.dtype.itemsize}")
        exponent = 0x7F800000 if array.dtype.itemsize == 4 else 0x7C00
        if bool(((bits & exponent) == exponent).any()):
            fail("E_VALUE", "V17", where, "has a number that is not finite")
    if array.size and not expected.low <= array.min() <= array.max() <= expected.high:
        reason = f"leaves the range {expected.low:g} to {expected.high:g}"
        fail("E_VALUE", "V17", where, reason)
