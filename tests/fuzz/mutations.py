"""Sound avatar files, and what becomes of them when one or a few things in them change.

A mutant is a function of a number alone, so that a case that fails can be made again.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from avatar_worker.avatars.format import pack_avatar
from avatar_worker.avatars.format.container import MEDIA_TYPES
from avatar_worker.avatars.format.signing import signed
from avatar_worker.avatars.format.writer import seal
from fakes.avatar_files import parts
from fakes.avatars import tiny_avatar

Random = random.Random

NUMBERS: Final = (
    0, 1, -1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 79, 80, 127, 128, 255, 256, 478, 1023, 1024, 4095,
    4096, 4097, 16_384, 16_385, 32_767, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40,
    2**53, 2**53 + 1, 2**63 - 1, 2**64 - 1, 2**64, -(2**31), 10**30, 0.0, -0.0, 0.5, 1e-300, 1e38,
    1e300, 3.5, -8.5,
)  # fmt: skip
TEXTS: Final = (
    "", "a", "body", "mouth", "skin", "plate", "tex/skin.webp", "rig.safetensors", "manifest.json",
    "index.json", "signature.json", "../up", "/etc/passwd", "tex//x", "\0", "\ud83d\ude00", "é" * 40,
    "x" * 4096, "x" * 4097, "1.0", "1.1", "2.0", "9999.9999", "hvia", "video", "portrait", "F32",
    "F64", "rig.slit/1", "net.onnx/1", "real_person", "synthetic", "2026-02-30", "0000-00-00",
    "2999-12-31", "LicenseRef-X", "NONE", "jawOpen", "١.٢",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file that somebody might send.

    Attributes:
        kind: What was done to it.
        content: The bytes.
        sealed: Whether index and hashes were computed anew; if not, any change has to be noticed.
    """

    kind: str
    content: bytes
    sealed: bool


@cache
def sound_files() -> tuple[bytes, ...]:
    """Small files that are read without complaint."""
    plain = pack_avatar(tiny_avatar())
    exact = pack_avatar(tiny_avatar(seed=1), lossy=())
    consent = {
        "subject": "real_person", "granted_on": "2026-01-01", "expires_on": "2999-12-31",
        "scope": ["realtime"], "statement_sha256": "00" * 32, "evidence": "held by the operator",
        "contact": "rights@example.org",
    }  # fmt: skip
    person = pack_avatar(tiny_avatar(seed=2, consent=consent, ext={"com.example": {"a": [1, "b"]}}))
    return plain, exact, person, signed(plain, seed=bytes(range(32)), key_id="fuzz")


def mutant(seed: int, number: int) -> Mutant:
    """Make one case."""
    rng = random.Random(seed << 40 | number)
    base = rng.choice(sound_files())
    kind, change, sealed = rng.choices(_KINDS, _SHARES)[0]
    return Mutant(kind, change(base, rng), sealed)


@cache
def _unpacked(base: bytes) -> tuple[tuple[str, bytes], ...]:
    return tuple(parts(base).items())


def _files(base: bytes) -> dict[str, bytes]:
    return dict(_unpacked(base))


def _bytes(base: bytes, rng: Random) -> bytes:
    """Other bytes in a few places."""
    content = bytearray(base)
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def _slices(base: bytes, rng: Random) -> bytes:
    """Something is cut out, doubled, moved, or stands in another's place."""
    a, b = sorted(rng.randrange(len(base) + 1) for _ in range(2))
    if rng.random() < 0.5:
        b = min(a + rng.randint(0, 64), len(base))
    way = rng.randrange(5)
    if way == 0:
        return base[:a] + base[b:]
    if way == 1:
        return base[:b] + base[a:b] + base[b:]
    if way == 2:
        return base[:a] + rng.randbytes(rng.randint(0, 64)) + base[b:]
    if way == 3:
        return base[: rng.choice((a, 0, 1, 22, 43, 1023, 1024))]
    return base[b:] + base[:b]


def _records(base: bytes, rng: Random) -> bytes:
    """Numbers in the ZIP's own records."""
    content = bytearray(base)
    starts = [_find(base, magic, rng) for magic in (b"PK\3\4", b"PK\1\2", b"PK\5\6")]
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(starts) + rng.randrange(0, 46)
        width = rng.choice((1, 2, 4))
        value = int(rng.choice(NUMBERS)) % (1 << 8 * width)
        at = min(at, len(content) - width)
        content[at : at + width] = value.to_bytes(width, "little")
    return bytes(content)


def _find(base: bytes, magic: bytes, rng: Random) -> int:
    found = [0]
    while (at := base.find(magic, found[-1] + 1)) >= 0:
        found.append(at)
    return rng.choice(found)


def _manifest(base: bytes, rng: Random) -> bytes:
    """Other values, more keys, fewer keys."""
    files = _files(base)
    manifest = json.loads(files["manifest.json"])
    for _ in range(rng.randint(1, 3)):
        _change_json(manifest, rng)
    return _resealed({**files, "manifest.json": _text(manifest)})


def _manifest_text(base: bytes, rng: Random) -> bytes:
    files = _files(base)
    return _resealed({**files, "manifest.json": _some_bytes(files["manifest.json"], rng)})


def _index(base: bytes, rng: Random) -> bytes:
    """Another index, as JSON or as text; nothing else follows it."""
    files = _files(base)
    if rng.random() < 0.5:
        index = json.loads(files["index.json"])
        _change_json(index, rng)
        return seal({**files, "index.json": _text(index)})
    return seal({**files, "index.json": _some_bytes(files["index.json"], rng)})


def _signature(base: bytes, rng: Random) -> bytes:
    files = _files(base)
    signature = json.loads(_files(sound_files()[3])["signature.json"])
    _change_json(signature, rng)
    head = {name: files.pop(name) for name in ("manifest.json", "index.json")}
    return seal({**head, **files, "signature.json": _text(signature)} if rng.random() < 0.1
                else {**head, "signature.json": _text(signature), **files})  # fmt: skip


def _tensor_header(base: bytes, rng: Random) -> bytes:
    files = _files(base)
    rig = files["rig.safetensors"]
    (length,) = struct.unpack_from("<Q", rig)
    text = rig[8 : 8 + length]
    if rng.random() < 0.7:
        header = json.loads(text)
        _change_json(header, rng)
        text = _text(header)
    else:
        text = _some_bytes(text, rng)
    said = int(rng.choice(NUMBERS)) % 2**64 if rng.random() < 0.1 else len(text)
    files["rig.safetensors"] = struct.pack("<Q", said) + text + rig[8 + len(text) :]
    return _resealed(files)


def _tensor_values(base: bytes, rng: Random) -> bytes:
    """Numbers that are no numbers, too large, or somebody else's index."""
    files = _files(base)
    rig = bytearray(files["rig.safetensors"])
    (length,) = struct.unpack_from("<Q", rig)
    values = (b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x01\0\0\0",
              b"\0\0\x80\x46", b"\0\x7c\0\x7c", rng.randbytes(4))  # fmt: skip
    for _ in range(rng.randint(1, 4)):
        at = 8 + length + 2 * rng.randrange((len(rig) - 8 - length - 4) // 2)
        rig[at : at + 4] = rng.choice(values)
    return _resealed({**files, "rig.safetensors": bytes(rig)})


def _picture(base: bytes, rng: Random) -> bytes:
    """Broken pictures; half of the PNGs get checksums that fit."""
    files = _files(base)
    path = rng.choice([name for name in files if name.endswith((".png", ".webp"))])
    content = _some_bytes(files[path], rng)
    if content[:4] == b"\x89PNG" and rng.random() < 0.6:
        content = _with_checksums(content)
    elif content[:4] == b"RIFF" and rng.random() < 0.5:
        content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
    return _resealed({**files, path: content})


def _with_checksums(content: bytes) -> bytes:
    done, at = content[:8], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + size]
        done += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return done + content[at:]


def _entries(base: bytes, rng: Random) -> bytes:
    """Entries are missing, renamed, exchanged, in another order, or too many."""
    files = _files(base)
    names = list(files)
    name, other = rng.sample(names, 2)
    way = rng.randrange(5)
    if way == 0:
        del files[name]
    elif way == 1:
        files[name], files[other] = files[other], files[name]
    elif way == 2:
        files = {rng.choice(("x.png", "a/b/c/d/e", "ext/com.example/x.png", other.upper(), "x" * 101))
                 if key == name else key: value for key, value in files.items()}  # fmt: skip
    elif way == 3:
        files = {key: files[key] for key in rng.sample(names, len(names))}
    else:
        files |= {f"ext/com.example/{i}.png": b"" for i in range(rng.choice((1, 2, 1100)))}
    try:
        return _resealed(files) if rng.random() < 0.7 else seal(files)
    except (KeyError, ValueError):  # a name that has no media type, or that no ZIP can hold
        return seal({key: value for key, value in files.items() if key in names})


def _change_json(value: Any, rng: Random) -> None:
    """Change one place in a tree of dicts and lists."""
    places: list[tuple[Any, Any]] = []
    _collect(value, places)
    if not places:
        return
    holder, key = rng.choice(places)
    way = rng.random()
    if way < 0.1:
        del holder[key]
    elif way < 0.2 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = _value(rng)
    elif way < 0.3 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    elif way < 0.4:
        other, other_key = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[other_key]))
    else:
        holder[key] = _value(rng)


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    keys: Any = value.keys() if isinstance(value, dict) else ()
    if isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        places.append((value, key))
        _collect(value[key], places)


def _value(rng: Random) -> Any:
    way = rng.randrange(10)
    if way < 4:
        return rng.choice(NUMBERS)
    if way < 7:
        return rng.choice(TEXTS)
    if way < 8:
        return rng.choice((None, True, False))
    inner = [_value(rng) for _ in range(rng.randint(0, 3))]
    return inner if way < 9 else dict(zip(rng.sample(TEXTS, len(inner)), inner, strict=True))


def _some_bytes(text: bytes, rng: Random) -> bytes:
    content = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not content:
            break
        at, way = rng.randrange(len(content)), rng.randrange(4)
        if way == 0:
            content[at] = rng.randrange(256)
        elif way == 1:
            content[at] ^= 1 << rng.randrange(8)
        elif way == 2:
            del content[at : at + rng.randint(1, 8)]
        else:
            content[at:at] = rng.choice((b"[" * 20, b"{", b'"', b"\\", b"\0", b"\xff", b"1e999",
                                         b"-", rng.randbytes(4)))  # fmt: skip
    return bytes(content)


def _text(value: Any) -> bytes:
    # A lone surrogate is no UTF-8 and stays escaped.
    return json.dumps(value, separators=(",", ":")).encode()


def _resealed(files: dict[str, bytes]) -> bytes:
    """Put files together with an index that fits them."""
    files = {name: content for name, content in files.items() if name != "signature.json"}
    rows = [
        {
            "path": path,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "type": MEDIA_TYPES["." + path.rpartition(".")[2]],
        }
        for path, content in files.items()
        if path != "index.json"
    ]
    index = _text({"entries": rows})
    return seal({name: index if name == "index.json" else part for name, part in files.items()})


_KINDS: Final[tuple[tuple[str, Callable[[bytes, Random], bytes], bool], ...]] = (
    ("bytes", _bytes, False),
    ("slices", _slices, False),
    ("records", _records, False),
    ("manifest", _manifest, True),
    ("manifest text", _manifest_text, True),
    ("index", _index, True),
    ("signature", _signature, True),
    ("tensor header", _tensor_header, True),
    ("tensor values", _tensor_values, True),
    ("picture", _picture, True),
    ("entries", _entries, True),
)
_SHARES: Final = (15, 15, 15, 15, 8, 8, 2, 8, 6, 6, 2)
KINDS: Final = tuple(kind for kind, _, _ in _KINDS)
