"""Runs an ONNX graph in torch, operator by operator, on a GPU if there is one.

A synthesiser whose weights are quantised speaks slowly on a CPU. Here its integers become floats
once, what it would round while it runs stays exact, and a GPU does the rest: a hundred times
faster than speech. Only the operators that such graphs use are known.

Values that shape other values (integers, sizes) stay in the memory of the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from avatar_worker.errors import ConfigError

from .operators import ARITHMETIC, OPERATORS, SHAPED, Operator, remember

# No recurrent layer is a constant, and what has no inputs that vary would be folded.
_NEVER_FOLDED: Final = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM"})
_LARGE: Final = 64
_WEIGHTS: Final = (torch.float32, torch.int8, torch.uint8)


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
                kept = [known.get(name) for name in names]
                step: Operator = remember(attributes, kept, self._device)
                names = names[:1]
            elif (found := OPERATORS.get(node.op_type)) is not None:
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
                    told = i > 0 and step in SHAPED
                    x = (there if far and not told else here).get(name)
                elif far and x.device != device and step not in SHAPED:
                    x = x if step in ARITHMETIC and x.ndim == 0 else x.to(device)
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
