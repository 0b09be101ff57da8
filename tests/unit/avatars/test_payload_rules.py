"""Rules V15 to V18: one mutated tensor file each."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load, save

from avatar_worker.avatars.format import read_avatar
from avatar_worker.errors import AvatarCorruptError
from fakes.avatar_files import parts, with_entry, with_tensor_header

RIG = "rig.safetensors"
Arrays = dict[str, npt.NDArray[Any]]


def refusal(content: bytes) -> AvatarCorruptError:
    with pytest.raises(AvatarCorruptError) as caught:
        read_avatar(content, avatar_id="tiny")
    return caught.value


def with_arrays(tiny: bytes, change: Callable[[Arrays], object]) -> bytes:
    arrays = {name: array.copy() for name, array in load(parts(tiny)[RIG]).items()}
    change(arrays)
    return with_entry(tiny, RIG, save(arrays))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**20 + 1) + b"{" + b" " * 2**20,
        struct.pack("<Q", 100) + b"{}",
        struct.pack("<Q", 0),
        struct.pack("<Q", 3) + b" {}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 18) + b'{"a": 1, "a": 2}  ',
        struct.pack("<Q", 2) + b"{}" + b"more",
    ],
)
def test_a_tensor_file_with_a_bad_header_is_refused(tiny: bytes, payload: bytes) -> None:
    fault = refusal(with_entry(tiny, RIG, payload))
    assert (fault.code, fault.rule) == ("E_TENSOR", "V15")


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(dtype="F64"),
        lambda row: row.update(dtype=["F32"]),
        lambda row: row.update(shape=[478, 4]),
        lambda row: row.update(shape=[-478, -3]),
        lambda row: row.update(shape=[478, 3, 1, 1, 1]),
        lambda row: row.update(shape=[2**32, 2**32]),
        lambda row: row.update(shape="478"),
        lambda row: row.update(data_offsets=[0]),
        lambda row: row.update(data_offsets=[row["data_offsets"][1], row["data_offsets"][0]]),
        lambda row: row.update(data_offsets=[x + 4 for x in row["data_offsets"]]),
        lambda row: row.update(data_offsets=[0, 2**50]),
        lambda row: row.update(more=1),
        lambda row: row.pop("shape"),
    ],
)
def test_ranges_have_to_cover_the_buffer_exactly(
    tiny: bytes, change: Callable[[dict[str, Any]], object]
) -> None:
    fault = refusal(with_tensor_header(tiny, lambda header: change(header["landmarks"])))
    assert (fault.code, fault.rule) == ("E_TENSOR", "V15")


def test_two_tensors_may_not_share_bytes(tiny: bytes) -> None:
    def change(header: dict[str, Any]) -> None:
        header["mouth/depth"]["data_offsets"] = header["mouth/pose_weight"]["data_offsets"]

    assert refusal(with_tensor_header(tiny, change)).rule == "V15"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda a: a.pop("mouth/depth"), "mouth/depth"),
        (lambda a: a.update(spare=np.zeros(3, np.float32)), "spare"),
        (lambda a: a.update(landmarks=a["landmarks"][:477]), "landmarks"),
        (lambda a: a.update(landmarks=a["landmarks"].astype(np.float16)), "landmarks"),
        (lambda a: a.update({"body/delta": a["body/delta"].astype(np.float32)}), "body/delta"),
        (lambda a: a.update({"body/tri": a["body/tri"].astype(np.float32)}), "body/tri"),
        (lambda a: a.update({"body/xy": a["body/xy"].T.copy()}), "body/xy"),
    ],
)
def test_tensors_are_those_of_the_contract_and_no_others(
    tiny: bytes, change: Callable[[Arrays], object], where: str
) -> None:
    fault = refusal(with_arrays(tiny, change))
    assert (fault.code, fault.rule, fault.where) == ("E_TENSOR", "V16", f"{RIG}:{where}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["landmarks", "body/xy", "mouth/delta", "arkit_to_shape"])
def test_numbers_that_are_not_finite_are_refused(tiny: bytes, name: str, value: float) -> None:
    fault = refusal(with_arrays(tiny, lambda a: a[name].__setitem__((0, 0), value)))
    assert (fault.code, fault.rule, fault.where) == ("E_VALUE", "V17", f"{RIG}:{name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("landmarks", 16_385.0),
        ("body/xy", -16_385.0),
        ("body/depth", 20_000.0),
        ("mouth/contour", 17_000.0),
        ("mouth/delta", 2050.0),
        ("arkit_to_shape", 8.5),
        ("body/pose_weight", 1.5),
        ("body/pose_weight", -0.5),
        ("body/tri", 99),
        ("body/tri", -1),
        ("body/tri", 2**31 - 1),
    ],
)
def test_numbers_beyond_their_range_are_refused(tiny: bytes, name: str, value: float) -> None:
    fault = refusal(with_arrays(tiny, lambda a: a[name].reshape(-1).__setitem__(0, value)))
    assert (fault.code, fault.rule, fault.where) == ("E_VALUE", "V17", f"{RIG}:{name}")


def test_a_triangle_that_is_turned_over_is_refused(tiny: bytes) -> None:
    def change(arrays: Arrays) -> None:
        arrays["mouth/tri"][3] = arrays["mouth/tri"][3][::-1]

    fault = refusal(with_arrays(tiny, change))
    assert (fault.code, fault.rule, fault.where) == ("E_GEOMETRY", "V18", f"{RIG}:mouth/tri")


def test_a_triangle_without_area_is_refused(tiny: bytes) -> None:
    fault = refusal(with_arrays(tiny, lambda a: a["body/xy"].__setitem__(1, a["body/xy"][0])))
    assert fault.code == "E_GEOMETRY"


@pytest.mark.parametrize("name", ["contour", "seam"])
def test_a_slit_that_leaves_its_mesh_is_refused(tiny: bytes, name: str) -> None:
    fault = refusal(with_arrays(tiny, lambda a: a[f"lid_l/{name}"].__isub__(20)))
    assert (fault.code, fault.rule, fault.where) == ("E_GEOMETRY", "V18", f"{RIG}:lid_l/{name}")
