"""The envelope: a stored ZIP whose index is checked before any payload is used (rules V1 to V9).

Only what our writer makes is accepted: no compression, no comments, no extra fields, no gaps.
Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .fault import fail
from .strict_json import parse_object

MIN_FILE: Final = 1024
MAX_FILE: Final = 512 * 2**20
MAX_ENTRIES: Final = 1024
MAX_NAME: Final = 100
MAX_MANIFEST: Final = 256 * 2**10
MAX_INDEX: Final = 2**20
MAX_SIGNATURE: Final = 4096

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.json"
SIGNATURE: Final = "signature.json"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".json": "application/json",
    ".webp": "image/webp",
    ".png": "image/png",
    ".safetensors": "application/vnd.safetensors",
    ".h264": "video/h264",
    ".onnx": "application/onnx",
}

FILE_MODE: Final = 0o100644
DATE: Final = (1980, 1, 1, 0, 0, 0)

_LOCAL: Final = struct.Struct("<4s5H3L2H")  # 30 bytes
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")  # 46 bytes
_END: Final = struct.Struct("<4s4H2LH")  # 22 bytes
_FIXED: Final = (0x0314, 20, 0, 0, 0, 0x0021)
"""Made on Unix by version 2.0, needed version 2.0, no flags, stored, midnight of 1980-01-01."""

_NAME: Final = re.compile(rb"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*){0,3}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    start: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class Container:
    """A file whose envelope is sound. Payloads are verified when they are taken.

    Attributes:
        content_id: `sha256:` and the hash of `index.json`.
        manifest: The parsed manifest, not yet checked against the schema.
        signature: The parsed signature entry, or `None`.
        media_types: Media type of every indexed entry, as the index says.
        index_sha256: Hash of `index.json`; what a signature covers.
    """

    content_id: str
    manifest: dict[str, Any]
    manifest_bytes: bytes
    signature: dict[str, Any] | None
    media_types: Mapping[str, str]
    index_sha256: bytes
    _data: bytes
    _entries: Mapping[str, _Entry]
    _hashes: Mapping[str, str]

    def size(self, name: str) -> int:
        """Bytes of an entry."""
        return self._entries[name].size

    def take(self, name: str) -> memoryview:
        """Return an entry's bytes after checking its hash and CRC (V9).

        Raises:
            FormatFault: `E_HASH`.
        """
        return _verified(self._data, self._entries[name], self._hashes[name])


def check_size(size: int) -> None:
    """Rule V1.

    Raises:
        FormatFault: `E_SIZE`.
    """
    if not MIN_FILE <= size <= MAX_FILE:
        fail("E_SIZE", "V1", "file", f"has {size} bytes; {MIN_FILE} to {MAX_FILE} are possible")


def check_magic(head: bytes) -> None:
    """Rule V2: the first 43 bytes say whether the file is ours at all.

    Raises:
        FormatFault: `E_FOREIGN`.
    """
    name = MANIFEST.encode()
    if head[:4] != b"PK\3\4" or head[30 : 30 + len(name)] != name:
        fail("E_FOREIGN", "V2", "file", "does not start as an HVIA file")


def open_container(data: bytes) -> Container:
    """Check the envelope (V1 to V8) and the manifest's hash (V9).

    Raises:
        FormatFault: With the rule that is broken.
    """
    check_size(len(data))
    check_magic(data[:64])
    entries = _directory(data)
    names = list(entries)
    if names[:2] != [MANIFEST, INDEX]:
        fail("E_ENVELOPE", "V3", "file", "does not begin with manifest.json and index.json")
    if SIGNATURE in names and names.index(SIGNATURE) != 2:
        fail("E_ENVELOPE", "V3", SIGNATURE, "is not the third entry")
    _bound_json(entries)
    index_bytes = bytes(_payload(data, entries[INDEX]))
    if zlib.crc32(index_bytes) != entries[INDEX].crc:
        fail("E_HASH", "V9", INDEX, "does not match its CRC")
    hashes, media_types = _index(parse_object(index_bytes, INDEX), entries)
    manifest_bytes = bytes(_verified(data, entries[MANIFEST], hashes[MANIFEST]))
    signature = None
    if SIGNATURE in entries:
        payload = bytes(_payload(data, entries[SIGNATURE]))
        if zlib.crc32(payload) != entries[SIGNATURE].crc:
            fail("E_HASH", "V9", SIGNATURE, "does not match its CRC")
        signature = parse_object(payload, SIGNATURE)
    digest = hashlib.sha256(index_bytes)
    return Container(
        content_id=f"sha256:{digest.hexdigest()}",
        manifest=parse_object(manifest_bytes, MANIFEST),
        manifest_bytes=manifest_bytes,
        signature=signature,
        media_types=media_types,
        index_sha256=digest.digest(),
        _data=data,
        _entries=entries,
        _hashes=hashes,
    )


def _directory(data: bytes) -> dict[str, _Entry]:
    """Read the central directory and every local header (V3 to V6), in file order."""
    end = len(data) - _END.size
    magic, disk, start_disk, here, count, size, offset, comment = _END.unpack_from(data, end)
    if magic != b"PK\5\6" or comment:
        fail("E_ENVELOPE", "V3", "end record", "is not the last 22 bytes")
    if disk or start_disk or here != count or not 2 <= count <= MAX_ENTRIES:
        fail("E_ENVELOPE", "V3", "end record", "has counts that are not possible")
    if offset == 0xFFFFFFFF or size == 0xFFFFFFFF or data[end - 20 : end - 16] == b"PK\6\7":
        fail("E_ENVELOPE", "V3", "end record", "is of the ZIP64 kind")
    if offset + size != end:
        fail("E_LAYOUT", "V5", "central directory", "does not lie just before the end record")
    entries: dict[str, _Entry] = {}
    at, expected_start = offset, 0
    for number in range(count):
        if at + _CENTRAL.size > end:
            fail("E_LAYOUT", "V5", f"entry {number}", "leaves the central directory")
        fields = _CENTRAL.unpack_from(data, at)
        entry, local_start, name_bytes = _central(fields, data, at, end, number)
        at += _CENTRAL.size + len(name_bytes)
        if local_start != expected_start:
            fail("E_LAYOUT", "V5", entry.name, "does not follow the entry before it")
        entry = _local(entry, fields, data, local_start, name_bytes, offset)
        expected_start = entry.start + entry.size
        if entry.name in entries:
            fail("E_NAME", "V6", entry.name, "stands in the file twice")
        entries[entry.name] = entry
    if at != end or expected_start != offset:
        fail("E_LAYOUT", "V5", "central directory", "leaves a gap")
    return entries


def _central(
    fields: tuple[Any, ...], data: bytes, at: int, end: int, number: int
) -> tuple[_Entry, int, bytes]:
    """One record of the central directory: V4 and V6."""
    where = f"entry {number}"
    magic, fixed, (crc, packed, size) = fields[0], fields[1:7], fields[7:10]
    name_size, extra, comment, disk, internal, external, start = fields[10:]
    if magic != b"PK\1\2":
        fail("E_LAYOUT", "V5", where, "has no central record")
    name_start = at + _CENTRAL.size
    if name_size > MAX_NAME or name_start + name_size > end:
        fail("E_NAME", "V6", where, f"has a name longer than {MAX_NAME} bytes")
    name_bytes = data[name_start : name_start + name_size]
    if not _NAME.fullmatch(name_bytes) or b".." in name_bytes:
        fail("E_NAME", "V6", where, "has a name that is not allowed")
    name = name_bytes.decode("ascii")
    if fixed != _FIXED or packed != size:
        fail("E_ENVELOPE", "V4", name, "is compressed, encrypted, streamed or dated")
    if extra or comment or disk or internal:
        fail("E_ENVELOPE", "V4", name, "has extra fields or a comment")
    if external != FILE_MODE << 16:
        fail("E_ENVELOPE", "V4", name, "is not a regular file")
    return _Entry(name, 0, size, crc), start, name_bytes


def _local(
    entry: _Entry,
    central: tuple[Any, ...],
    data: bytes,
    start: int,
    name_bytes: bytes,
    directory: int,
) -> _Entry:
    """The local header says the same as the central record, and the payload ends in time (V5)."""
    if start + _LOCAL.size > directory:
        fail("E_LAYOUT", "V5", entry.name, "lies outside the file")
    magic, *local, name_size, extra = _LOCAL.unpack_from(data, start)
    payload = start + _LOCAL.size + name_size
    name_there = data[start + _LOCAL.size : payload]
    # needed version, flags, method, time, date, CRC and both sizes stand in both records
    if magic != b"PK\3\4" or extra or tuple(local) != central[2:10] or name_there != name_bytes:
        fail("E_LAYOUT", "V5", entry.name, "differs between its local and central record")
    if payload + entry.size > directory:
        fail("E_LAYOUT", "V5", entry.name, "lies outside the file")
    return _Entry(entry.name, payload, entry.size, entry.crc)


def _bound_json(entries: Mapping[str, _Entry]) -> None:
    for name, limit in ((MANIFEST, MAX_MANIFEST), (INDEX, MAX_INDEX), (SIGNATURE, MAX_SIGNATURE)):
        if name in entries and entries[name].size > limit:
            fail("E_JSON", "V7", name, f"is larger than {limit} bytes")


def _index(
    index: dict[str, Any], entries: Mapping[str, _Entry]
) -> tuple[dict[str, str], dict[str, str]]:
    """Rule V8: the index lists every entry but itself and the signature, once and in order."""
    rows = index.get("entries")
    if set(index) != {"entries"} or not isinstance(rows, list):
        fail("E_INDEX", "V8", INDEX, "is not a list of entries")
    expected = [name for name in entries if name not in (INDEX, SIGNATURE)]
    if len(rows) != len(expected):
        fail("E_INDEX", "V8", INDEX, f"lists {len(rows)} entries; the file has {len(expected)}")
    hashes: dict[str, str] = {}
    media_types: dict[str, str] = {}
    for name, row in zip(expected, rows, strict=True):
        if not isinstance(row, dict) or set(row) != {"path", "size", "sha256", "type"}:
            fail("E_INDEX", "V8", INDEX, "has a row without path, size, sha256 and type")
        size, digest, media_type = row["size"], row["sha256"], row["type"]
        if row["path"] != name or type(size) is not int or size != entries[name].size:
            fail("E_INDEX", "V8", name, "is not what the index says")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            fail("E_INDEX", "V8", name, "has no sha256 in the index")
        if not isinstance(media_type, str) or not media_type:
            fail("E_INDEX", "V8", name, "has no media type in the index")
        hashes[name], media_types[name] = digest, media_type
    return hashes, media_types


def _payload(data: bytes, entry: _Entry) -> memoryview:
    return memoryview(data)[entry.start : entry.start + entry.size]


def _verified(data: bytes, entry: _Entry, sha256: str) -> memoryview:
    payload = _payload(data, entry)
    if zlib.crc32(payload) != entry.crc or hashlib.sha256(payload).hexdigest() != sha256:
        fail("E_HASH", "V9", entry.name, "does not match its hash")
    return payload
