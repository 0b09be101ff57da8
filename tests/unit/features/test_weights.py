"""What is read of an ONNX file: its numbers, by name, and which node takes which."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from avatar_worker.features.weights import contents

WEIGHTS = Path(str(files("avatar_worker") / "assets/weights/audio2face-v5.onnx"))


def varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + varint(value >> 7)


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: bytes, values: np.ndarray, *, kind: int = 1, packed: bool = False) -> bytes:
    dims = field(1, b"".join(map(varint, values.shape)))
    if not packed:
        dims = b"".join(field(1, size) for size in values.shape)
    return dims + field(2, kind) + field(8, name) + field(9, values.tobytes())


def written(at: Path, *parts: bytes) -> Path:
    """A model whose graph has these fields."""
    at.write_bytes(field(1, 8) + field(7, b"".join(parts)))
    return at


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_are_read_with_their_shapes(tmp_path: Path, packed: bool) -> None:
    values = np.arange(6_000, dtype="<f4").reshape(30, 200)
    one = field(5, tensor(b"one", values, packed=packed))
    held = contents(written(tmp_path / "a", one, field(5, tensor(b"two", values[:1]))))
    assert set(held.arrays) == {"one", "two"}
    assert np.array_equal(held.arrays["one"], values)
    assert held.arrays["one"].dtype == np.float32
    assert held.arrays["two"].shape == (1, 200)


def test_other_kinds_of_numbers_are_left_out(tmp_path: Path) -> None:
    whole = field(5, tensor(b"whole", np.arange(3, dtype="<i8"), kind=7))
    assert contents(written(tmp_path / "a", whole)).arrays == {}


def test_nodes_are_told_by_their_operators_in_order(tmp_path: Path) -> None:
    def node(operator: bytes, *takes: bytes) -> bytes:
        names = b"".join(field(1, name) for name in takes)
        return field(1, names + field(2, b"out") + field(4, operator))

    held = contents(
        written(tmp_path / "a", node(b"Conv", b"x", b"w"), node(b"GRU", b"y", b"", b"h"), node(b"Conv", b"z"))
    )  # fmt: skip
    assert held.inputs == {"Conv": [["x", "w"], ["z"]], "GRU": [["y", "", "h"]]}


def test_fields_of_fixed_width_are_passed_over(tmp_path: Path) -> None:
    fixed = varint(20 << 3 | 5) + bytes(4) + varint(21 << 3 | 1) + bytes(8)
    held = contents(written(tmp_path / "a", fixed, field(5, tensor(b"one", np.ones(2, "<f4")))))
    assert held.arrays["one"].tolist() == [1, 1]


def test_the_packaged_net_has_its_parts() -> None:
    held = contents(WEIGHTS)
    assert held.arrays["net.first.weight"].shape == (72, 40, 5)
    assert [len(held.inputs[name]) for name in ("Conv", "GRU", "MatMul")] == [2, 1, 1]
    held_bytes = sum(array.nbytes for array in held.arrays.values())
    assert 0.97 < held_bytes / WEIGHTS.stat().st_size < 1


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = WEIGHTS.read_bytes()
    cut = tmp_path / "cut"
    for size in (len(whole) - 1, len(whole) // 2, 100):
        cut.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="at byte"):
            contents(cut)


def test_an_array_of_another_size_than_its_shape_is_refused(tmp_path: Path) -> None:
    short = field(1, 3) + field(2, 1) + field(8, b"a") + field(9, bytes(8))
    with pytest.raises(ValueError, match="reshape"):
        contents(written(tmp_path / "a", field(5, short)))


@given(st.binary(max_size=200))
def test_whatever_else_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, anything: bytes
) -> None:
    at = tmp_path_factory.mktemp("any") / "file"
    at.write_bytes(anything)
    try:
        held = contents(at)
    except ValueError:
        return
    assert all(array.dtype == np.float32 for array in held.arrays.values())
