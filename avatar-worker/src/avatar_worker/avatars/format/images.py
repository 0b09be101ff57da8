"""Textures: header checks before decoding, then exactly the announced picture (V19, V20).

Only the chunks that carry pixels are accepted: no metadata, no colour profile, no animation.
Sources: PNG 3rd edition (W3C), sections 5.3 and 11; RFC 9649 (WebP), sections 2 and 3.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .fault import fail

PNG: Final = "image/png"
WEBP: Final = "image/webp"
MAX_SIDE: Final = 4096

_PNG_CHANNELS: Final = {0: 1, 2: 3, 6: 4}  # grey, RGB, RGBA
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture says about itself before it is decoded."""

    media_type: str
    width: int
    height: int
    channels: int  # 1 grey, 3 RGB, 4 RGBA


def read_header(content: memoryview, where: str) -> ImageHeader:
    """Read and check everything but the pixels.

    Raises:
        FormatFault: `E_IMAGE` (V19).
    """
    head = bytes(content[:12])
    if head[:8] == _PNG_MAGIC:
        header = _png(content, where)
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        header = _webp(content, where)
    else:
        fail("E_IMAGE", "V19", where, "is neither PNG nor WebP")
    if not (0 < header.width <= MAX_SIDE and 0 < header.height <= MAX_SIDE):
        fail("E_IMAGE", "V19", where, f"is larger than {MAX_SIDE} pixels")
    return header


def decode(content: memoryview, header: ImageHeader, where: str) -> npt.NDArray[np.uint8]:
    """Return the pixels, sRGB, read-only. uint8, (h, w, channels).

    Raises:
        FormatFault: `E_IMAGE` (V20).
    """
    try:
        raw = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        raw = None
    if raw is None:
        fail("E_IMAGE", "V20", where, "cannot be decoded")
    if raw.dtype != np.uint8 or raw.shape[:2] != (header.height, header.width):
        fail("E_IMAGE", "V20", where, "decodes to another picture than announced")
    whole = np.asarray(raw, np.uint8).reshape(header.height, header.width, -1)
    pixels = _to_channels(whole, header.channels)
    if pixels is None:
        fail("E_IMAGE", "V20", where, "decodes to other channels than announced")
    pixels.flags.writeable = False
    return pixels


def encode(pixels: npt.NDArray[np.uint8], media_type: str, *, quality: int = 95) -> bytes:
    """Encode one picture. PNG is lossless; so is WebP at a quality above 100.

    Args:
        pixels: sRGB, straight alpha. uint8, (h, w, 1 | 3 | 4); one channel only as PNG.
        media_type: `image/png` or `image/webp`.
        quality: Of WebP's colours; its alpha is always lossless.

    Raises:
        ValueError: If the encoder cannot take the picture.
    """
    order = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[pixels.shape[2]]
    if order is None and media_type == WEBP:
        raise ValueError("WebP has no pictures of one channel")
    raw = pixels if order is None else cv2.cvtColor(pixels, order)
    if media_type == PNG:
        done, content = cv2.imencode(".png", raw, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    else:
        done, content = cv2.imencode(".webp", raw, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return content.tobytes()


def _to_channels(raw: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8] | None:
    if raw.shape[2] != channels:
        return None
    if channels == 1:
        return np.ascontiguousarray(raw)
    order = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(raw, order), np.uint8)


def _png(content: memoryview, where: str) -> ImageHeader:
    at = 8
    header: ImageHeader | None = None
    state = "start"
    while at < len(content):
        if at + 12 > len(content):
            fail("E_IMAGE", "V19", where, "ends inside a chunk")
        size = _u32(content, at)
        kind = bytes(content[at + 4 : at + 8])
        body = content[at + 8 : at + 8 + size]
        if size > len(content) - at - 12:
            fail("E_IMAGE", "V19", where, "has a chunk that leaves the file")
        if zlib.crc32(content[at + 4 : at + 8 + size]) != _u32(content, at + 8 + size):
            fail("E_IMAGE", "V19", where, "has a chunk with a wrong CRC")
        state = _PNG_ORDER.get((state, kind), "")
        if not state:
            fail("E_IMAGE", "V19", where, "has a chunk that is not allowed or in the wrong place")
        if kind == b"IHDR":
            header = _png_header(body, where)
        at += 12 + size
    if header is None or state != "end":
        fail("E_IMAGE", "V19", where, "has no end")
    return header


def _u32(content: memoryview, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


_PNG_ORDER: Final = {
    ("start", b"IHDR"): "head",
    ("head", b"sRGB"): "head",
    ("head", b"IDAT"): "data",
    ("data", b"IDAT"): "data",
    ("data", b"IEND"): "end",
}


def _png_header(body: memoryview, where: str) -> ImageHeader:
    if len(body) != 13:
        fail("E_IMAGE", "V19", where, "has no PNG header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">2I5B", body)
    if depth != 8 or colour not in _PNG_CHANNELS or packing or filtering or interlace:
        fail("E_IMAGE", "V19", where, "is not an 8-bit grey, RGB or RGBA picture")
    return ImageHeader(PNG, width, height, _PNG_CHANNELS[colour])


def _webp(content: memoryview, where: str) -> ImageHeader:
    (riff_size,) = struct.unpack_from("<I", content, 4)
    if riff_size + 8 != len(content):
        fail("E_IMAGE", "V19", where, "has another length than it says")
    chunks = _webp_chunks(content, where)
    kinds = [kind for kind, _ in chunks]
    bodies = dict(chunks)
    if kinds in ([b"VP8 "], [b"VP8L"]):
        return _webp_frame(kinds[0], bodies[kinds[0]], where)
    if kinds in ([b"VP8X", b"ALPH", b"VP8 "], [b"VP8X", b"VP8L"]):
        extended = bodies[b"VP8X"]
        if len(extended) != 10 or extended[0] & ~0x10 or not extended[0] & 0x10:
            fail("E_IMAGE", "V19", where, "has metadata, a colour profile or an animation")
        width = 1 + int.from_bytes(extended[4:7], "little")
        height = 1 + int.from_bytes(extended[7:10], "little")
        frame = _webp_frame(kinds[-1], bodies[kinds[-1]], where)
        if (frame.width, frame.height) != (width, height):
            fail("E_IMAGE", "V19", where, "has a canvas of another size than its picture")
        return ImageHeader(WEBP, width, height, 4)
    return fail("E_IMAGE", "V19", where, "has chunks that are not allowed")


def _webp_chunks(content: memoryview, where: str) -> list[tuple[bytes, memoryview]]:
    chunks: list[tuple[bytes, memoryview]] = []
    at = 12
    while at < len(content):
        if at + 8 > len(content) or len(chunks) == 3:
            fail("E_IMAGE", "V19", where, "has chunks that are not allowed")
        kind = bytes(content[at : at + 4])
        (size,) = struct.unpack_from("<I", content, at + 4)
        if size > len(content) - at - 8:
            fail("E_IMAGE", "V19", where, "has a chunk that leaves the file")
        chunks.append((kind, content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def _webp_frame(kind: bytes, body: memoryview, where: str) -> ImageHeader:
    if kind == b"VP8 ":
        if len(body) < 10 or body[0] & 1 or bytes(body[3:6]) != b"\x9d\x01\x2a":
            fail("E_IMAGE", "V19", where, "has no WebP key frame")
        width, height = struct.unpack_from("<2H", body, 6)
        return ImageHeader(WEBP, width & 0x3FFF, height & 0x3FFF, 3)
    if len(body) < 5 or body[0] != 0x2F:
        fail("E_IMAGE", "V19", where, "has no lossless WebP picture")
    bits = int.from_bytes(body[1:5], "little")
    if bits >> 29:
        fail("E_IMAGE", "V19", where, "is of an unknown WebP version")
    channels = 4 if bits >> 28 & 1 else 3
    return ImageHeader(WEBP, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), channels)
