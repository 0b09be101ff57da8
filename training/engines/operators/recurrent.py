"""The one recurrent layer that quantised synthesisers have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .registry import Attributes, Operator


def remember(attributes: Attributes, constants: Sequence[Tensor | None], device: torch.device) -> Operator:  # fmt: skip
    """Return the step of a quantised LSTM whose weights are constants of the graph.

    It takes (time, batch, in) to (time, directions, batch, hidden).
    """
    return _wrapped(_recurrent(attributes, constants).to(device))


def _recurrent(attributes: Attributes, constants: Sequence[Tensor | None]) -> torch.nn.LSTM:
    """Build the layer of a quantised LSTM from its weights.

    The graph orders the gates input, output, forget, cell; torch input, forget, cell, output.
    """
    weights, recurrent, bias = (np.asarray(constants[i]) for i in (1, 2, 3))
    scales = [(constants[8], constants[9]), (constants[10], constants[11])]
    hidden = attributes["hidden_size"]
    both = attributes["direction"] == b"bidirectional"
    layer = torch.nn.LSTM(weights.shape[1], hidden, bidirectional=both)
    order = np.concatenate([np.arange(g * hidden, (g + 1) * hidden) for g in (0, 2, 3, 1)])
    for direction in range(1 + both):
        suffix = "_l0_reverse" if direction else "_l0"
        for kind, quantised, (scale, zero) in zip(
            ("ih", "hh"), (weights, recurrent), scales, strict=True
        ):
            assert scale is not None
            real = quantised[direction].astype(np.float32)
            real = (real - float(np.ravel(zero)[0]) if zero is not None else real) * np.asarray(scale)[direction]  # fmt: skip
            getattr(layer, f"weight_{kind}{suffix}").data = torch.from_numpy(real.T[order].copy())
        halves = bias[direction].reshape(2, -1)[:, order]
        for kind, half in zip(("ih", "hh"), halves, strict=True):
            getattr(layer, f"bias_{kind}{suffix}").data = torch.from_numpy(half.copy())
    return layer.requires_grad_(requires_grad=False)


def _wrapped(layer: torch.nn.LSTM) -> Operator:
    """Wrap a recurrent layer: (time, batch, in) to (time, directions, batch, hidden)."""

    def step(_: Attributes, x: Tensor) -> Tensor:
        said, _state = layer(x)
        directions = 2 if layer.bidirectional else 1
        return said.unflatten(-1, (directions, layer.hidden_size)).transpose(1, 2)

    return step
