"""Operators that look at one number, or at one row of them: arithmetic, curves, norms."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.errors import ConfigError

from .registry import OPERATORS, Attributes, chosen, operator, plain

_TYPES: Final = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64,
}  # fmt: skip

for _name, _function in {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Pow": torch.pow, "Sqrt": torch.sqrt,
    "Sin": torch.sin, "Cos": torch.cos, "Exp": torch.exp, "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid, "Floor": torch.floor, "Round": torch.round, "MatMul": torch.matmul,
    "Equal": torch.eq, "Greater": torch.gt, "Less": torch.lt, "GreaterOrEqual": torch.ge,
    "And": torch.logical_and, "Where": torch.where,
}.items():  # fmt: skip
    OPERATORS[_name] = plain(_function)


@operator("Div")
def _divide(_: Attributes, a: Tensor, b: Tensor) -> Tensor:
    whole = not a.is_floating_point() and not b.is_floating_point()
    return torch.div(a, b, rounding_mode="trunc" if whole else None)


@operator("Atan")
def _angle(_: Attributes, x: Tensor) -> Tensor:
    # Of silence the phase is 0 / 0; runtimes give it some angle.
    return torch.atan(torch.nan_to_num(x))


@operator("Cast")
def _cast(attributes: Attributes, x: Tensor) -> Tensor:
    return x.to(_TYPES[attributes["to"]])


@operator("Clip")
def _clip(_: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:  # fmt: skip
    return torch.clamp(x, low, high)


@operator("LeakyRelu")
def _leaky(attributes: Attributes, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, attributes.get("alpha", 0.01))


@operator("FastGelu")
def _gelu(_: Attributes, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


@operator("Softmax")
def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.softmax(x, attributes.get("axis", -1))


@operator("LayerNormalization")
def _norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    if attributes.get("axis", -1) not in (-1, x.ndim - 1):
        raise ConfigError("a layer is normalised over an axis that is not its last")
    eps = attributes.get("epsilon", 1e-5)
    return functional.layer_norm(x, x.shape[-1:], scale, bias, eps)


@operator("SkipLayerNormalization")
def _skip_norm(
    attributes: Attributes, x: Tensor, skip: Tensor, scale: Tensor, shift: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    total = x + skip if bias is None else x + skip + bias
    eps = attributes.get("epsilon", 1e-12)
    return functional.layer_norm(total, total.shape[-1:], scale, shift, eps)


ARITHMETIC: Final = chosen(
    "Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less", "GreaterOrEqual"
)
"""Operators that take a single number from the host."""
