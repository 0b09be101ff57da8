"""Each operator in torch says what a runtime for ONNX says, and what is not known is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from onnx import helper, numpy_helper
from training.engines.graph import Graph
from training.engines.operators import ARITHMETIC, OPERATORS, SHAPED

from avatar_worker.errors import ConfigError

CHANCE = np.random.default_rng(0)


def some(*shape: int) -> np.ndarray:
    return CHANCE.standard_normal(shape).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


A, B, ROW = some(2, 3, 8), some(2, 3, 8), some(8)
STEREO = np.abs(some(1, 4, 12)) + 0.1

POINTWISE: dict[str, tuple[list[np.ndarray], dict[str, Any]]] = {
    "Add": ([A, ROW], {}), "Sub": ([A, B], {}), "Mul": ([A, B], {}), "Pow": ([np.abs(A), np.array(2, np.float32)], {}),
    "Sqrt": ([np.abs(A)], {}), "Sin": ([A], {}), "Cos": ([A], {}), "Exp": ([A], {}), "Tanh": ([A], {}),
    "Sigmoid": ([A], {}), "Floor": ([A], {}), "Round": ([A], {}), "Equal": ([np.round(A), np.round(B)], {}),
    "Greater": ([A, B], {}), "Less": ([A, B], {}), "GreaterOrEqual": ([A, A], {}),
    "And": ([A > 0, B > 0], {}), "Where": ([A > 0, A, B], {}), "Div": ([A, np.abs(B) + 0.1], {}),
    "Atan": ([A], {}), "Clip": ([A, np.array(-0.5, np.float32), np.array(0.5, np.float32)], {}),
    "LeakyRelu": ([A], {"alpha": 0.2}), "Softmax": ([A], {"axis": 1}),
    "Cast": ([A * 5], {"to": onnx.TensorProto.INT64}),
    "LayerNormalization": ([A, ROW, some(8)], {"axis": -1, "epsilon": 1e-5}),
}  # fmt: skip
PRODUCTS: dict[str, tuple[list[np.ndarray], dict[str, Any]]] = {
    "MatMul": ([A, some(8, 5)], {}),
    "Conv": ([STEREO, some(6, 2, 3), some(6)], {"group": 2, "pads": [1, 2], "strides": [2], "dilations": [1]}),
    "ConvTranspose": ([STEREO, some(4, 3, 4), some(3)], {"strides": [2], "pads": [1, 1], "output_padding": [1]}),
    "Resize": ([STEREO, np.array([], np.float32), np.array([1, 1, 2.0], np.float32)], {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}),
    "STFT": ([some(1, 40, 1), np.array(4, np.int64), np.hanning(16).astype(np.float32)], {"onesided": 1}),
}  # fmt: skip
SHAPES: dict[str, tuple[list[np.ndarray], dict[str, Any]]] = {
    "Shape": ([A], {}), "Reshape": ([A, whole(0, -1, 2)], {}), "Transpose": ([A], {"perm": [2, 0, 1]}),
    "Unsqueeze": ([A, whole(0, -1)], {}), "Squeeze": ([A[:1], whole(0)], {}),
    "Concat": ([A, B], {"axis": 1}), "Slice": ([A, whole(1, 0), whole(8, 2), whole(2, 1), whole(3, 1)], {}),
    "Gather": ([A, whole(-1, 0)], {"axis": 2}), "Expand": ([A[:, :1], whole(2, 3, 1)], {}),
    "ConstantOfShape": ([whole(2, 3)], {"value": numpy_helper.from_array(np.array([7], np.int64))}),
    "Range": ([np.array(2), np.array(9), np.array(3)], {}), "CumSum": ([A, np.array(2)], {}),
    "ReduceMean": ([A], {"axes": [1], "keepdims": 0}), "ReduceSum": ([A, whole(0, 2)], {"keepdims": 1}),
    "Pad": ([STEREO, whole(0, 0, 2, 0, 0, 3)], {"mode": "reflect"}), "NonZero": ([A > 0], {}),
    "ScatterND": ([A, whole(0, 1).reshape(2, 1), some(2, 3, 8)], {}),
}  # fmt: skip
EVERY = POINTWISE | PRODUCTS | SHAPES


def model(path: Path, name: str, inputs: list[np.ndarray], attributes: dict[str, Any]) -> Path:
    """Write a model of one node whose first input varies; the others are constants."""
    names = [f"i{i}" if np.asarray(x).size or i == 0 else "" for i, x in enumerate(inputs)]
    node = helper.make_node(name, names, ["y"], **attributes)
    first = np.asarray(inputs[0])
    kind = helper.np_dtype_to_tensor_dtype(first.dtype)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("i0", kind, list(first.shape))],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(np.asarray(x), n) for n, x in zip(names[1:], inputs[1:], strict=True) if n],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(made), str(path))
    return path


@pytest.mark.parametrize("name", sorted(EVERY))
def test_an_operator_says_what_a_runtime_says(name: str, tmp_path: Path) -> None:
    inputs, attributes = EVERY[name]
    path = model(tmp_path / "one.onnx", name, inputs, attributes)
    theirs = onnxruntime.InferenceSession(str(path)).run(None, {"i0": np.asarray(inputs[0])})[0]
    ours = Graph(path, "cpu").run({"i0": np.asarray(inputs[0])})[0]
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, atol=1e-5)


def test_a_split_gives_its_parts() -> None:
    x = torch.from_numpy(A)
    one, two = OPERATORS["Split"]({"axis": 2}, x, torch.tensor([3, 5]))
    assert torch.equal(torch.cat([one, two], 2), x)
    assert [p.shape[2] for p in OPERATORS["Split"]({"axis": 2, "num_outputs": 4}, x)] == [2] * 4


def test_fused_products_are_products() -> None:
    a, b = torch.from_numpy(A), torch.from_numpy(B)
    fused = OPERATORS["FusedMatMul"]({"transB": 1, "alpha": 0.5}, a, b)
    assert torch.allclose(fused, 0.5 * a @ b.transpose(-1, -2))
    skip = OPERATORS["SkipLayerNormalization"]({}, a, b, torch.ones(8), torch.zeros(8))
    assert torch.allclose(skip.mean(-1), torch.zeros(2, 3), atol=1e-6)
    gelu = OPERATORS["FastGelu"]({}, a, torch.ones(8))
    assert torch.allclose(gelu, torch.nn.functional.gelu(a + 1, approximate="tanh"))


def test_eight_bits_become_what_they_stood_for() -> None:
    whole_numbers = torch.tensor([[0, 10], [20, 255]], dtype=torch.uint8)
    made = OPERATORS["DequantizeLinear"](
        {"axis": 0}, whole_numbers, torch.tensor([1.0, 0.5]), torch.tensor([10, 20])
    )
    assert made.tolist() == [[-10.0, 0.0], [0.0, 117.5]]
    one = OPERATORS["ConvInteger"](
        {}, torch.ones(1, 1, 4), torch.full((1, 1, 2), 9, dtype=torch.uint8), None, torch.tensor(8)
    )
    assert one.tolist() == [[[2.0, 2.0, 2.0]]]


def test_the_phase_of_silence_is_an_angle() -> None:
    assert OPERATORS["Atan"]({}, torch.tensor([0.0 / 1, float("nan")])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "attributes", "inputs"),
    [
        ("LayerNormalization", {"axis": 0}, (torch.ones(2, 3), torch.ones(3))),
        ("Conv", {"auto_pad": b"SAME_UPPER"}, (torch.ones(1, 1, 4), torch.ones(1, 1, 2))),
        ("ConvTranspose", {"pads": [0, 1]}, (torch.ones(1, 1, 4), torch.ones(1, 1, 2))),
        ("Slice", {}, (torch.ones(4), torch.tensor([3]), torch.tensor([0]), torch.tensor([0]), torch.tensor([-1]))),
        ("CumSum", {"reverse": 1}, (torch.ones(4), torch.tensor(0))),
        ("ScatterND", {"reduction": b"add"}, (torch.ones(4), torch.tensor([[0]]), torch.ones(1))),
    ],
)  # fmt: skip
def test_what_is_not_known_of_an_operator_is_refused(
    name: str, attributes: dict[str, Any], inputs: tuple[torch.Tensor, ...]
) -> None:
    with pytest.raises(ConfigError):
        OPERATORS[name](attributes, *inputs)


def test_each_operator_is_of_one_kind() -> None:
    assert not ARITHMETIC & SHAPED
    assert set(OPERATORS.values()) >= ARITHMETIC | SHAPED
    assert set(EVERY) <= set(OPERATORS)
