"""What an ONNX file holds, as far as a net is told by it: named arrays, and who takes which.

onnxruntime runs graphs and does not show their numbers. The file is a protocol buffer: fields of a
number and a value, of which six are read here (`onnx.proto`: ModelProto, GraphProto, NodeProto and
TensorProto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_GRAPH: Final = 7  # of a model
_NODE, _INITIALIZER = 1, 5  # of a graph
_INPUT, _OPERATOR = 1, 4  # of a node
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9  # of a tensor
_FLOAT32: Final = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Contents:
    """What a graph is made of.

    Attributes:
        arrays: Its float32 constants, by name.
        inputs: What the nodes of each operator take, in the order of the file.
    """

    arrays: dict[str, FloatArray]
    inputs: dict[str, list[list[str]]]


def contents(path: Path) -> Contents:
    """Read a file that onnxruntime has loaded.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not laid out as those are.
    """
    arrays: dict[str, FloatArray] = {}
    inputs: dict[str, list[list[str]]] = {}
    for graph in _all(memoryview(path.read_bytes()), _GRAPH):
        for tensor in _all(graph, _INITIALIZER):
            kind = next(_numbers(tensor, _TYPE), 0)
            raw = next(_all(tensor, _RAW), None)
            if kind == _FLOAT32 and raw is not None:
                values = np.frombuffer(raw, "<f4").astype(np.float32)
                arrays[_text(tensor, _NAME)] = values.reshape(tuple(_numbers(tensor, _DIMS)))
        for node in _all(graph, _NODE):
            takes = [str(name, "utf-8") for name in _all(node, _INPUT)]
            inputs.setdefault(_text(node, _OPERATOR), []).append(takes)
    return Contents(arrays, inputs)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over the fields of a message: their numbers and values."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"a field of wire type {wire} at byte {at}")
        if at + size > len(message):
            raise ValueError(f"a field of {size} bytes at byte {at} of {len(message)}")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return it and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number without an end at byte {at}")


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Give the messages, strings or bytes of one field."""
    return (v for n, v in _fields(message) if n == wanted and isinstance(v, memoryview))


def _numbers(message: memoryview, wanted: int) -> Iterator[int]:
    """Give the numbers of one field, alone or packed."""
    for number, value in _fields(message):
        if number != wanted:
            continue
        if isinstance(value, int):
            yield value
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            yield one


def _text(message: memoryview, wanted: int) -> str:
    """Return the first string of one field, or none."""
    return next((str(value, "utf-8") for value in _all(message, wanted)), "")
