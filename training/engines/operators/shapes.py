"""Operators that move values, count them, or sum along an axis."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.errors import ConfigError

from .registry import Attributes, chosen, ints, operator


@operator("Shape")
def _shape(_: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape)


@operator("Reshape")
def _reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    wanted = ints(shape)
    if not attributes.get("allowzero"):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(wanted)


@operator("Transpose")
def _transpose(attributes: Attributes, x: Tensor) -> Tensor:
    return x.permute(attributes["perm"])


@operator("Unsqueeze")
def _unsqueeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    wanted = ints(axes)
    for axis in sorted(a % (x.ndim + len(wanted)) for a in wanted):
        x = x.unsqueeze(axis)
    return x


@operator("Squeeze")
def _squeeze(_: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(ints(axes)))


@operator("Concat")
def _concat(attributes: Attributes, *parts: Tensor) -> Tensor:
    return torch.cat(parts, attributes["axis"])


@operator("Split")
def _split(attributes: Attributes, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    if sizes is None:
        return tuple(torch.chunk(x, attributes["num_outputs"], axis))
    return tuple(torch.split(x, ints(sizes), axis))


@operator("Slice")
def _slice(
    _: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:  # fmt: skip
    first, last = ints(starts), ints(ends)
    along = list(range(len(first))) if axes is None else ints(axes)
    by = [1] * len(first) if steps is None else ints(steps)
    parts: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, first, last, by, strict=True):
        if step < 0:
            raise ConfigError("a slice runs backwards")
        parts[axis] = slice(start, end, step)
    return x[tuple(parts)]


@operator("Gather")
def _gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % x.ndim
    index = index.long().to(x.device)
    index = torch.where(index < 0, index + x.shape[axis], index)
    picked = x.index_select(axis, index.reshape(-1))
    return picked.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


@operator("Expand")
def _expand(_: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(ints(shape))))


@operator("ConstantOfShape")
def _constant(attributes: Attributes, shape: Tensor) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(ints(shape), value.item(), dtype=value.dtype)


@operator("Range")
def _range(_: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@operator("CumSum")
def _cumulate(attributes: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    if attributes.get("reverse") or attributes.get("exclusive"):
        raise ConfigError("a sum runs backwards")
    return torch.cumsum(x, int(axis))


@operator("ReduceMean", "ReduceSum")
def _reduce(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    # Before opset 18 the axes are an attribute.
    given = attributes.get("axes") if axes is None else axes
    over = list(range(x.ndim)) if given is None else ints(given)
    reduce = torch.sum if attributes["operator"] == "ReduceSum" else torch.mean
    return reduce(x, over, keepdim=bool(attributes.get("keepdims", 1)))


@operator("Pad")
def _pad(attributes: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    mode = attributes.get("mode", b"constant").decode()
    listed, half = ints(pads), x.ndim
    pairs = [listed[half - 1 - i + side * half] for i in range(half) for side in (0, 1)]
    if mode == "constant":
        return functional.pad(x, pairs, value=0.0 if value is None else float(value))
    while pairs and pairs[-2:] == [0, 0] and len(pairs) > 2:
        pairs = pairs[:-2]
    flat = x.reshape(1, -1, x.shape[-1]) if len(pairs) == 2 else x
    made = functional.pad(flat, pairs, mode={"edge": "replicate"}.get(mode, mode))
    return made.reshape(*x.shape[:-1], -1) if len(pairs) == 2 else made


@operator("NonZero")
def _non_zero(_: Attributes, x: Tensor) -> Tensor:
    return x.nonzero().T


@operator("ScatterND")
def _scatter(attributes: Attributes, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    if attributes.get("reduction", b"none") != b"none":
        raise ConfigError("a scatter that adds")
    changed = x.clone()
    changed[tuple(index.long().unbind(-1))] = updates
    return changed


SHAPED: Final = chosen(
    "Reshape", "Unsqueeze", "Squeeze", "Split", "Slice", "Expand", "ReduceMean", "Pad", "CumSum",
    "Gather",
)  # fmt: skip
"""Operators whose other inputs say how, not what."""
