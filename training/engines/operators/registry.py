"""Where operators are registered: functions of a node's attributes and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]

OPERATORS: dict[str, Operator] = {}
"""Every operator that is known, by its name in ONNX."""


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function of attributes and inputs."""

    def register(function: Operator) -> Operator:
        for name in names:
            OPERATORS[name] = function
        return function

    return register


def plain(function: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""
    return lambda _, *inputs: function(*inputs)


def ints(values: Tensor | Sequence[int]) -> list[int]:
    """Return whole numbers; waits for the GPU if they are there."""
    listed: Any = values.tolist() if isinstance(values, Tensor) else list(values)
    return listed if isinstance(listed, list) else [listed]


def chosen(*names: str) -> frozenset[Operator]:
    """Return the operators of these names."""
    return frozenset(OPERATORS[name] for name in names)
