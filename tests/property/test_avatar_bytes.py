"""Any bytes give an avatar or a typed error; a changed byte is always noticed."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings, strategies as st

from avatar_worker.avatars.format import pack_avatar, read_avatar
from avatar_worker.errors import AvatarCorruptError, AvatarError
from avatar_worker.frames import CONTROL_NAMES
from fakes.avatar_files import parts, with_entry, with_manifest, with_raw
from fakes.avatars import tiny_avatar

TINY = pack_avatar(tiny_avatar())
RIG = parts(TINY)["rig.safetensors"]
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def survives(content: bytes) -> None:
    try:
        avatar = read_avatar(content, avatar_id="tiny")
    except AvatarError:
        return
    assert avatar.rig.arkit_to_shape.shape[0] == len(CONTROL_NAMES)
    assert all(np.isfinite(mesh.xy).all() for mesh in avatar.rig.meshes)


@SLOW
@given(st.binary(max_size=4096))
@example(b"")
@example(b"PK\3\4" + b"\0" * 26 + b"manifest.json" + b"\0" * 2000)
def test_any_bytes_are_an_avatar_or_a_typed_error(content: bytes) -> None:
    survives(content)
    survives(TINY[:43] + content.ljust(1100, b"\0"))
    survives(TINY[:43] + content.ljust(1100, b"\0") + TINY[-22:])


@SLOW
@given(st.integers(0, len(TINY) - 1), st.integers(1, 255))
def test_any_flipped_byte_is_noticed(at: int, flip: int) -> None:
    content = TINY[:at] + bytes([TINY[at] ^ flip]) + TINY[at + 1 :]
    try:
        read_avatar(content, avatar_id="tiny")
    except AvatarError:
        return
    raise AssertionError(f"byte {at} may be changed unnoticed")


@SLOW
@given(st.integers(0, len(TINY) - 1), st.integers(0, len(TINY) - 1), st.binary(max_size=64))
def test_any_cut_and_insertion_is_noticed(a: int, b: int, insertion: bytes) -> None:
    first, last = sorted((a, b))
    content = TINY[:first] + insertion + TINY[last:]
    if content == TINY:
        return
    try:
        read_avatar(content, avatar_id="tiny")
    except AvatarError:
        return
    raise AssertionError("a cut went unnoticed")


@SLOW
@given(
    st.sampled_from(sorted(set(parts(TINY)) - {"index.json", "manifest.json"})),
    st.data(),
)
def test_payloads_that_hash_right_but_are_broken_are_survived(
    path: str, data: st.DataObject
) -> None:
    """Here an attacker has computed index and hashes anew, so the inner checks are alone."""
    payload = bytearray(parts(TINY)[path])
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    survives(with_entry(TINY, path, bytes(payload)))


@SLOW
@given(st.binary(max_size=512))
def test_any_tensor_header_is_survived(text: bytes) -> None:
    survives(with_entry(TINY, "rig.safetensors", struct.pack("<Q", len(text)) + text + RIG[-64:]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return found
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


MANIFEST = json.loads(parts(TINY)["manifest.json"])


@SLOW
@given(st.sampled_from(_places(MANIFEST)), JSON)
def test_any_value_anywhere_in_the_manifest_is_survived(path: tuple[Any, ...], value: Any) -> None:
    def change(manifest: dict[str, Any]) -> None:
        part: Any = manifest
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value

    try:
        content = with_manifest(TINY, change)
    except ValueError:  # NaN and infinity are no JSON; lone surrogates no UTF-8
        return
    survives(content)


@SLOW
@given(st.binary(max_size=2048))
def test_any_manifest_and_any_index_text_is_survived(text: bytes) -> None:
    survives(with_raw(TINY, "manifest.json", text))
    survives(with_raw(TINY, "index.json", text))


def test_refusing_allocates_little_whatever_the_file_announces() -> None:
    """A header that promises 2 GiB costs no more than the file itself."""
    header = {"landmarks": {"dtype": "F32", "shape": [2**29], "data_offsets": [0, 2**31]}}
    text = json.dumps(header).encode()
    liars = [
        with_entry(TINY, "rig.safetensors", struct.pack("<Q", len(text)) + text),
        with_entry(TINY, "rig.safetensors", struct.pack("<Q", 2**62) + text),
        with_manifest(TINY, lambda m: m["rig"]["meshes"][0].update(vertices=2**17)),
        with_manifest(TINY, lambda m: m["layers"][2].update(size=[4096, 4096])),
    ]
    read_avatar(TINY, avatar_id="tiny")
    for content in liars:
        tracemalloc.start()
        try:
            read_avatar(content, avatar_id="tiny")
        except AvatarCorruptError:
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2 * 2**20
