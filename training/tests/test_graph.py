"""An ONNX graph in torch says what a runtime for ONNX says."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from training.engines.graph import Graph

from avatar_worker.errors import ConfigError


class Small(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """What a synthesiser is made of, small."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 16)
        self.norm = nn.LayerNorm(16)
        self.wide = nn.Conv1d(16, 24, 5, padding=2, dilation=1)
        self.up = nn.ConvTranspose1d(24, 8, 4, stride=2, padding=1)
        self.flat = nn.Linear(8, 3)

    def forward(self, tokens: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.table(tokens))
        x = torch.nn.functional.leaky_relu(self.wide(x.transpose(1, 2)), 0.2)
        x = torch.nn.functional.interpolate(self.up(x), scale_factor=2, mode="nearest")
        x = x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt()
        long = torch.cumsum(torch.sin(x).clamp(min=0.1) / speed, -1)
        return torch.softmax(self.flat(long.transpose(1, 2)[:, : tokens.shape[1]]), -1)


def both(path: Path, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Run a model in onnxruntime and here."""
    theirs = onnxruntime.InferenceSession(str(path)).run(None, inputs)[0]
    return theirs, Graph(path, "cpu").run(inputs)[0]


def test_a_graph_says_what_a_runtime_says_at_any_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "small.onnx"
    example = (torch.randint(0, 20, (1, 9)), torch.tensor([1.2]))
    torch.onnx.export(
        Small().eval(), example, str(path), input_names=["tokens", "speed"], output_names=["y"],
        dynamic_axes={"tokens": {1: "n"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    for count in (9, 4, 31):
        tokens = np.random.default_rng(count).integers(0, 20, (1, count))
        theirs, ours = both(path, {"tokens": tokens, "speed": np.array([0.9], np.float32)})
        assert theirs.shape == ours.shape == (1, count, 3)
        assert np.abs(theirs - ours).max() < 1e-5


def quantised(weights: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Return weights in eight bits and their scale."""
    scale = np.float32(np.abs(weights).max() / 127)
    return np.rint(weights / scale).astype(np.int8), scale


def test_integers_become_floats_and_nothing_is_rounded(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    weights = chance.standard_normal((12, 7)).astype(np.float32)
    whole, scale = quantised(weights)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["both"]),
        helper.make_node("Mul", ["f", "both"], ["y"]),
    ]
    kept = {"w": whole, "wz": np.int8(0), "ws": scale}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 7])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in kept.items()],
    )  # fmt: skip
    path = tmp_path / "q.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))  # fmt: skip
    x = chance.standard_normal((5, 12)).astype(np.float32)
    theirs, ours = both(path, {"x": x})
    assert np.abs(ours - x @ (whole * scale)).max() < 1e-4
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Erf", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    onnx.save(helper.make_model(helper.make_graph([node], "g", value[:1], value[1:])), str(tmp_path / "e.onnx"))  # fmt: skip
    with pytest.raises(ConfigError, match="Erf"):
        Graph(tmp_path / "e.onnx", "cpu")
