"""Take an avatar file apart, change one thing, put it together again with everything else right."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from avatar_worker.avatars.format.writer import pack, seal

Json = dict[str, Any]


def parts(content: bytes) -> dict[str, bytes]:
    """Every entry, read by the standard library."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(content: bytes, change: Callable[[Json], object]) -> bytes:
    """The file with another manifest; index and hashes follow."""
    files = parts(content)
    manifest = json.loads(files.pop("manifest.json"))
    del files["index.json"]
    change(manifest)
    return pack(manifest, files)


def with_entry(content: bytes, path: str, payload: bytes | None) -> bytes:
    """The file with another payload, or without it; index and hashes follow."""
    files = parts(content)
    manifest = json.loads(files.pop("manifest.json"))
    del files["index.json"]
    if payload is None:
        del files[path]
    else:
        files[path] = payload
    return pack(manifest, files)


def with_raw(content: bytes, path: str, payload: bytes, *, after: str | None = None) -> bytes:
    """The file with other bytes in one entry and nothing else changed: the index lies."""
    files = parts(content)
    if after is None:
        files[path] = payload
        return seal(files)
    ordered = {}
    for name, old in files.items():
        ordered[name] = old
        if name == after:
            ordered[path] = payload
    return seal(ordered)


def with_index(content: bytes, change: Callable[[list[Json]], object]) -> bytes:
    """The file with another index."""
    index = json.loads(parts(content)["index.json"])
    change(index["entries"])
    return with_raw(content, "index.json", json.dumps(index).encode())


def with_tensor_header(content: bytes, change: Callable[[Json], object]) -> bytes:
    """The file with another safetensors header; the buffer stays."""
    rig = parts(content)["rig.safetensors"]
    (length,) = struct.unpack_from("<Q", rig)
    header = json.loads(rig[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    rig = struct.pack("<Q", len(text)) + text + rig[8 + length :]
    return with_entry(content, "rig.safetensors", rig)


def patched(content: bytes, at: int, new: bytes) -> bytes:
    """The file with some bytes overwritten."""
    assert at >= 0
    assert at + len(new) <= len(content)
    return content[:at] + new + content[at + len(new) :]


def central_record(content: bytes, path: str) -> int:
    """Where the central directory's record of an entry starts."""
    at = struct.unpack_from("<L", content, len(content) - 6)[0]
    while content[at : at + 4] == b"PK\1\2":
        size, extra, comment = struct.unpack_from("<3H", content, at + 28)
        if content[at + 46 : at + 46 + size] == path.encode():
            return int(at)
        at += 46 + size + extra + comment
    raise KeyError(path)


def local_record(content: bytes, path: str) -> int:
    """Where the local header of an entry starts."""
    return int(struct.unpack_from("<L", content, central_record(content, path) + 42)[0])
