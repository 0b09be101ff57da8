"""Operators that weigh and sum: products, convolutions and transforms, also of integers."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.errors import ConfigError

from .registry import Attributes, chosen, operator


@operator("FusedMatMul")
def _fused(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    a = a.transpose(-1, -2) if attributes.get("transA") else a
    b = b.transpose(-1, -2) if attributes.get("transB") else b
    return attributes.get("alpha", 1.0) * torch.matmul(a, b)


@operator("DynamicQuantizeLinear")
def _not_quantised(_: Attributes, x: Tensor) -> Tensor:
    """Leave the value as it is; its scale 1 and zero point 0 are constants of the graph."""
    return x


@operator("DequantizeLinear")
def _dequantise(attributes: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:  # fmt: skip
    if scale.numel() > 1:
        shape = [1] * x.ndim
        shape[attributes.get("axis", 1)] = -1
        scale = scale.reshape(shape)
        zero = None if zero is None else zero.reshape(shape)
    return (x.float() - (0 if zero is None else zero.float())) * scale


@operator("MatMulInteger")
def _matmul_integer(
    _: Attributes, a: Tensor, b: Tensor, _zero_a: Tensor | None = None, zero_b: Tensor | None = None
) -> Tensor:
    return torch.matmul(a.float(), b.float() - (0 if zero_b is None else zero_b.float()))


def _padded(attributes: Attributes, x: Tensor) -> Tensor:
    """Pad a convolution's input as its attributes say."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ConfigError("a convolution pads by itself")
    pads = attributes.get("pads", [0] * (2 * (x.ndim - 2)))
    half = len(pads) // 2
    if not any(pads):
        return x
    pairs = [pads[half - 1 - i + side * half] for i in range(half) for side in (0, 1)]
    return functional.pad(x, pairs)


@operator("Conv")
def _convolve(attributes: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    dims = x.ndim - 2
    convolve: Any = (functional.conv1d, functional.conv2d)[dims - 1]
    made: Tensor = convolve(
        _padded(attributes, x), w, bias, attributes.get("strides", [1] * dims), 0,
        attributes.get("dilations", [1] * dims), attributes.get("group", 1),
    )  # fmt: skip
    return made


@operator("ConvInteger")
def _convolve_integer(
    attributes: Attributes, x: Tensor, w: Tensor, _zero_x: Tensor | None = None,
    zero_w: Tensor | None = None,
) -> Tensor:  # fmt: skip
    zero = torch.zeros(()) if zero_w is None else zero_w.float()
    # A zero point for each row of the weights stands before their other axes.
    zero = zero.reshape(-1, *[1] * (w.ndim - 1)) if zero.numel() > 1 else zero
    made: Tensor = _convolve(attributes, x.float(), w.float() - zero)
    return made


@operator("ConvTranspose")
def _spread(attributes: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = attributes.get("pads", [0, 0])
    if x.ndim != 3 or pads[0] != pads[1]:
        raise ConfigError("a transposed convolution of a kind that is not known")
    return functional.conv_transpose1d(
        x, w, bias, attributes.get("strides", [1]), pads[0], attributes.get("output_padding", [0]),
        attributes.get("group", 1), attributes.get("dilations", [1]),
    )  # fmt: skip


@operator("Resize")
def _resize(attributes: Attributes, x: Tensor, _: Tensor | None, scales: Tensor) -> Tensor:
    mode = attributes.get("mode", b"nearest").decode()
    by = scales.tolist()[2:]
    if mode == "nearest":
        return functional.interpolate(x, scale_factor=by, mode="nearest")
    return functional.interpolate(x, scale_factor=by, mode="linear", align_corners=False)


@operator("STFT")
def _stft(_: Attributes, x: Tensor, step: Tensor, window: Tensor | None, length: Tensor | None = None) -> Tensor:  # fmt: skip
    long = int(length) if length is not None else len(window) if window is not None else 0
    frames = x.reshape(x.shape[0], -1).unfold(-1, long, int(step))
    return torch.view_as_real(torch.fft.rfft(frames if window is None else frames * window))


SHAPED: Final = chosen("Resize")
"""Operators whose other inputs say how, not what."""
