"""Runs an ONNX graph in torch, operator by operator, on a GPU if there is one.

A synthesiser whose weights are quantised speaks slowly on a CPU. Here its integers become floats
once, what it would round while it runs stays exact, and a GPU does the rest: a hundred times
faster than speech. Only the operators that such graphs use are known.

Values that shape other values (integers, sizes) stay in the memory of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_worker.errors import ConfigError

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]

_TYPES: Final = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64,
}  # fmt: skip
_OPERATORS: dict[str, Operator] = {}
# No recurrent layer is a constant, and what has no inputs that vary would be folded.
_NEVER_FOLDED: Final = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM"})


def _operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function of attributes and inputs."""

    def register(function: Operator) -> Operator:
        for name in names:
            _OPERATORS[name] = function
        return function

    return register


def _ints(values: Tensor | Sequence[int]) -> list[int]:
    """Return whole numbers; waits for the GPU if they are there."""
    listed: Any = values.tolist() if isinstance(values, Tensor) else list(values)
    return listed if isinstance(listed, list) else [listed]


def _plain(function: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""
    return lambda _, *inputs: function(*inputs)


for _name, _function in {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Pow": torch.pow, "Sqrt": torch.sqrt,
    "Sin": torch.sin, "Cos": torch.cos, "Exp": torch.exp, "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid, "Floor": torch.floor, "Round": torch.round, "MatMul": torch.matmul,
    "Equal": torch.eq, "Greater": torch.gt, "Less": torch.lt, "GreaterOrEqual": torch.ge,
    "And": torch.logical_and, "Where": torch.where,
}.items():  # fmt: skip
    _OPERATORS[_name] = _plain(_function)


@_operator("Div")
def _divide(_: Attributes, a: Tensor, b: Tensor) -> Tensor:
    whole = not a.is_floating_point() and not b.is_floating_point()
    return torch.div(a, b, rounding_mode="trunc" if whole else None)


@_operator("Atan")
def _angle(_: Attributes, x: Tensor) -> Tensor:
    # Of silence the phase is 0 / 0; runtimes give it some angle.
    return torch.atan(torch.nan_to_num(x))


@_operator("Cast")
def _cast(attributes: Attributes, x: Tensor) -> Tensor:
    return x.to(_TYPES[attributes["to"]])


@_operator("Clip")
def _clip(_: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:  # fmt: skip
    return torch.clamp(x, low, high)


@_operator("LeakyRelu")
def _leaky(attributes: Attributes, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, attributes.get("alpha", 0.01))


@_operator("FastGelu")
def _gelu(_: Attributes, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


@_operator("Softmax")
def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.softmax(x, attributes.get("axis", -1))


@_operator("LayerNormalization")
def _norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    if attributes.get("axis", -1) not in (-1, x.ndim - 1):
        raise ConfigError("a layer is normalised over an axis that is not its last")
    eps = attributes.get("epsilon", 1e-5)
    return functional.layer_norm(x, x.shape[-1:], scale, bias, eps)


@_operator("SkipLayerNormalization")
def _skip_norm(
    attributes: Attributes, x: Tensor, skip: Tensor, scale: Tensor, shift: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    total = x + skip if bias is None else x + skip + bias
    eps = attributes.get("epsilon", 1e-12)
    return functional.layer_norm(total, total.shape[-1:], scale, shift, eps)


@_operator("FusedMatMul")
def _fused(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    a = a.transpose(-1, -2) if attributes.get("transA") else a
    b = b.transpose(-1, -2) if attributes.get("transB") else b
    return attributes.get("alpha", 1.0) * torch.matmul(a, b)


@_operator("DynamicQuantizeLinear")
def _not_quantised(_: Attributes, x: Tensor) -> Tensor:
    """Leave the value as it is; its scale 1 and zero point 0 are constants of the graph."""
    return x


@_operator("DequantizeLinear")
def _dequantise(attributes: Attributes, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:  # fmt: skip
    if scale.numel() > 1:
        shape = [1] * x.ndim
        shape[attributes.get("axis", 1)] = -1
        scale = scale.reshape(shape)
        zero = None if zero is None else zero.reshape(shape)
    return (x.float() - (0 if zero is None else zero.float())) * scale


@_operator("MatMulInteger")
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


@_operator("Conv")
def _convolve(attributes: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    dims = x.ndim - 2
    convolve: Any = (functional.conv1d, functional.conv2d)[dims - 1]
    made: Tensor = convolve(
        _padded(attributes, x), w, bias, attributes.get("strides", [1] * dims), 0,
        attributes.get("dilations", [1] * dims), attributes.get("group", 1),
    )  # fmt: skip
    return made


@_operator("ConvInteger")
def _convolve_integer(
    attributes: Attributes, x: Tensor, w: Tensor, _zero_x: Tensor | None = None,
    zero_w: Tensor | None = None,
) -> Tensor:  # fmt: skip
    zero = torch.zeros(()) if zero_w is None else zero_w.float()
    # A zero point for each row of the weights stands before their other axes.
    zero = zero.reshape(-1, *[1] * (w.ndim - 1)) if zero.numel() > 1 else zero
    made: Tensor = _convolve(attributes, x.float(), w.float() - zero)
    return made


@_operator("ConvTranspose")
def _spread(attributes: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = attributes.get("pads", [0, 0])
    if x.ndim != 3 or pads[0] != pads[1]:
        raise ConfigError("a transposed convolution of a kind that is not known")
    return functional.conv_transpose1d(
        x, w, bias, attributes.get("strides", [1]), pads[0], attributes.get("output_padding", [0]),
        attributes.get("group", 1), attributes.get("dilations", [1]),
    )  # fmt: skip


@_operator("Resize")
def _resize(attributes: Attributes, x: Tensor, _: Tensor | None, scales: Tensor) -> Tensor:
    mode = attributes.get("mode", b"nearest").decode()
    by = scales.tolist()[2:]
    if mode == "nearest":
        return functional.interpolate(x, scale_factor=by, mode="nearest")
    return functional.interpolate(x, scale_factor=by, mode="linear", align_corners=False)


@_operator("STFT")
def _stft(_: Attributes, x: Tensor, step: Tensor, window: Tensor | None, length: Tensor | None = None) -> Tensor:  # fmt: skip
    long = int(length) if length is not None else len(window) if window is not None else 0
    frames = x.reshape(x.shape[0], -1).unfold(-1, long, int(step))
    return torch.view_as_real(torch.fft.rfft(frames if window is None else frames * window))


@_operator("Shape")
def _shape(_: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape)


@_operator("Reshape")
def _reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    wanted = _ints(shape)
    if not attributes.get("allowzero"):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(wanted)


@_operator("Transpose")
def _transpose(attributes: Attributes, x: Tensor) -> Tensor:
    return x.permute(attributes["perm"])


@_operator("Unsqueeze")
def _unsqueeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    wanted = _ints(axes)
    for axis in sorted(a % (x.ndim + len(wanted)) for a in wanted):
        x = x.unsqueeze(axis)
    return x


@_operator("Squeeze")
def _squeeze(_: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(_ints(axes)))


@_operator("Concat")
def _concat(attributes: Attributes, *parts: Tensor) -> Tensor:
    return torch.cat(parts, attributes["axis"])


@_operator("Split")
def _split(attributes: Attributes, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    if sizes is None:
        return tuple(torch.chunk(x, attributes["num_outputs"], axis))
    return tuple(torch.split(x, _ints(sizes), axis))


@_operator("Slice")
def _slice(
    _: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:  # fmt: skip
    first, last = _ints(starts), _ints(ends)
    along = list(range(len(first))) if axes is None else _ints(axes)
    by = [1] * len(first) if steps is None else _ints(steps)
    parts: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, first, last, by, strict=True):
        if step < 0:
            raise ConfigError("a slice runs backwards")
        parts[axis] = slice(start, end, step)
    return x[tuple(parts)]


@_operator("Gather")
def _gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % x.ndim
    index = index.long().to(x.device)
    index = torch.where(index < 0, index + x.shape[axis], index)
    picked = x.index_select(axis, index.reshape(-1))
    return picked.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


@_operator("Expand")
def _expand(_: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(_ints(shape))))


@_operator("ConstantOfShape")
def _constant(attributes: Attributes, shape: Tensor) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(_ints(shape), value.item(), dtype=value.dtype)


@_operator("Range")
def _range(_: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@_operator("CumSum")
def _cumulate(attributes: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    if attributes.get("reverse") or attributes.get("exclusive"):
        raise ConfigError("a sum runs backwards")
    return torch.cumsum(x, int(axis))


@_operator("ReduceMean", "ReduceSum")
def _reduce(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    # Before opset 18 the axes are an attribute.
    given = attributes.get("axes") if axes is None else axes
    over = list(range(x.ndim)) if given is None else _ints(given)
    reduce = torch.sum if attributes["operator"] == "ReduceSum" else torch.mean
    return reduce(x, over, keepdim=bool(attributes.get("keepdims", 1)))


@_operator("Pad")
def _pad(attributes: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    mode = attributes.get("mode", b"constant").decode()
    listed, half = _ints(pads), x.ndim
    pairs = [listed[half - 1 - i + side * half] for i in range(half) for side in (0, 1)]
    if mode == "constant":
        return functional.pad(x, pairs, value=0.0 if value is None else float(value))
    while pairs and pairs[-2:] == [0, 0] and len(pairs) > 2:
        pairs = pairs[:-2]
    flat = x.reshape(1, -1, x.shape[-1]) if len(pairs) == 2 else x
    made = functional.pad(flat, pairs, mode={"edge": "replicate"}.get(mode, mode))
    return made.reshape(*x.shape[:-1], -1) if len(pairs) == 2 else made


@_operator("NonZero")
def _non_zero(_: Attributes, x: Tensor) -> Tensor:
    return x.nonzero().T


@_operator("ScatterND")
def _scatter(attributes: Attributes, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    if attributes.get("reduction", b"none") != b"none":
        raise ConfigError("a scatter that adds")
    changed = x.clone()
    changed[tuple(index.long().unbind(-1))] = updates
    return changed


_SHAPED: Final = frozenset(
    _OPERATORS[name]
    for name in (
        "Reshape", "Unsqueeze", "Squeeze", "Split", "Slice", "Expand", "ReduceMean", "Pad", "CumSum",
        "Resize", "Gather",
    )
)  # fmt: skip
"""Operators whose other inputs say how, not what."""
_ARITHMETIC: Final = frozenset(
    _OPERATORS[name]
    for name in ("Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less", "GreaterOrEqual")
)
"""Operators that take a single number from the host."""
_LARGE: Final = 64
_WEIGHTS: Final = (torch.float32, torch.int8, torch.uint8)


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


class Graph:
    """An ONNX model in torch.

    Args:
        path: The model.
        device: Where the floats live.

    Raises:
        ConfigError: If it has an operator that is not known here.
    """

    def __init__(self, path: Path, device: str) -> None:
        import onnx
        from onnx import numpy_helper

        model = onnx.load(str(path)).graph
        self._device = torch.empty(0, device=device).device  # with its number
        self._inputs = [value.name for value in model.input]
        self._outputs = [value.name for value in model.output]
        known: dict[str, Tensor] = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
            for tensor in model.initializer
        }
        self._steps: list[tuple[Operator, dict[str, Any], list[str], list[str]]] = []
        for node in model.node:
            attributes: dict[str, Any] = {"operator": node.op_type}
            for a in node.attribute:
                value = onnx.helper.get_attribute_value(a)
                is_tensor = isinstance(value, onnx.TensorProto)
                attributes[a.name] = torch.from_numpy(numpy_helper.to_array(value).copy()) if is_tensor else value  # fmt: skip
            if node.op_type == "Constant":
                known[node.output[0]] = attributes["value"]
                continue
            names = list(node.input)
            if node.op_type == "DynamicQuantizeLSTM":
                layer = _recurrent(attributes, [known.get(name) for name in names])
                layer.to(self._device)
                step: Operator = _remember(layer)
                names = names[:1]
            elif (found := _OPERATORS.get(node.op_type)) is not None:
                step = found
            else:
                raise ConfigError(f"{path.name} has an operator {node.op_type}")
            if node.op_type == "DynamicQuantizeLinear":
                known[node.output[1]], known[node.output[2]] = torch.tensor(1.0), torch.tensor(0.0)
            constant = all(name in known or not name for name in names)
            if constant and node.op_type not in _NEVER_FOLDED:
                made = step(attributes, *[known.get(name) for name in names])
                for name, value in zip(node.output, _listed(made), strict=False):
                    known[name] = value
            else:
                self._steps.append((step, attributes, names, list(node.output)))
        for _, attributes, names, _ in self._steps:
            constants = [known[name] for name in names if name in known]
            attributes["far"] = any(x.dtype in _WEIGHTS and x.numel() > _LARGE for x in constants)
        used = {name for _, _, names, _ in self._steps for name in names}
        self._here = {name: value for name, value in known.items() if name in used}
        self._there = {
            name: (value.float() if value.dtype in (torch.uint8, torch.int8) else value).to(
                self._device
            )  # fmt: skip
            for name, value in self._here.items()
        }
        self._last = self._last_uses()

    def _last_uses(self) -> list[list[str]]:
        """Return which values each step is the last to need."""
        last: dict[str, int] = {}
        for i, (_, _, names, _) in enumerate(self._steps):
            last.update(dict.fromkeys(names, i))
        done: list[list[str]] = [[] for _ in self._steps]
        for name, i in last.items():
            if name not in self._here and name not in self._outputs:
                done[i].append(name)
        return done

    def run(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Return the outputs for inputs by name, as an ONNX runtime would."""
        with torch.no_grad():
            return self._run(inputs)

    def _run(self, inputs: Mapping[str, Any]) -> list[Any]:
        values: dict[str, Tensor] = {}
        for name in self._inputs:
            value = torch.from_numpy(np.asarray(inputs[name]))
            values[name] = value.to(self._device) if value.is_floating_point() else value
        here, there, device = self._here, self._there, self._device
        for (step, attributes, names, outputs), done in zip(self._steps, self._last, strict=True):
            given = [values.get(name) for name in names]
            far = attributes["far"] or any(x is not None and x.device == device for x in given)
            taken: list[Tensor | None] = []
            for i, (name, x) in enumerate(zip(names, given, strict=True)):
                if x is None:
                    # Sizes are read by the host, so they stay there.
                    told = i > 0 and step in _SHAPED
                    x = (there if far and not told else here).get(name)
                elif far and x.device != device and step not in _SHAPED:
                    x = x if step in _ARITHMETIC and x.ndim == 0 else x.to(device)
                taken.append(x)
            made = _listed(step(attributes, *taken))
            for name, value in zip(outputs, made, strict=False):
                values[name] = value
            for name in done:
                values.pop(name, None)
        return [values[name].cpu().numpy() for name in self._outputs]


def _listed(made: Any) -> Sequence[Tensor]:
    """Return what an operator gave, one or several."""
    return made if isinstance(made, tuple | list) else (made,)


def _remember(layer: torch.nn.LSTM) -> Operator:
    """Wrap a recurrent layer: (time, batch, in) to (time, directions, batch, hidden)."""

    def step(_: Attributes, x: Tensor) -> Tensor:
        said, _state = layer(x)
        directions = 2 if layer.bidirectional else 1
        return said.unflatten(-1, (directions, layer.hidden_size)).transpose(1, 2)

    return step
