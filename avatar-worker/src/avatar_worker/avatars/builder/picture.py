"""Decode a photo that somebody gave us: size before pixels, upright, sRGB as it comes.

JPEG, PNG and WebP. Sources: ITU-T T.81 §B.2 (JPEG markers), PNG 3rd edition §11.2, RFC 9649.
"""

from __future__ import annotations

from typing import Final, NoReturn

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarRefusedError

MAX_BYTES: Final = 64 * 2**20
MAX_PIXELS: Final = 50_000_000
MAX_SIDE: Final = 16_384
WORKING_SIDE: Final = 4096
"""Larger photos are scaled down to this: no canvas shows more of them."""

TRANSPARENT: Final = 128
"""Grey that shows where a picture is transparent."""

_BRANDS: Final = {b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif"}


def read_picture(content: bytes) -> npt.NDArray[np.uint8]:
    """Return the picture in a file's bytes. uint8, (h, w, 3), RGB, turned as it was held.

    Nothing is decoded before the size that the file announces is known to be bearable.

    Args:
        content: The whole file.

    Raises:
        AvatarRefusedError: `bad_picture` or `large_picture`, with a sentence.
    """
    if len(content) > MAX_BYTES:
        _large(
            f"The file has {len(content) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} are read."
        )
    width, height = announced_size(content)
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        _large(
            f"The picture has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} million "
            "are read. Make it smaller."
        )
    try:
        # Alpha is kept by a flag that in turn ignores how the camera was held; PNG has no such.
        flags = cv2.IMREAD_UNCHANGED if _may_be_clear(content) else cv2.IMREAD_COLOR
        raw = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        raw = None
    if raw is None or 0 in raw.shape:
        _bad("The picture is damaged and cannot be decoded. Save it again as JPEG or PNG.")
    return _fitting(_rgb(np.asarray(raw)))


def announced_size(content: bytes) -> tuple[int, int]:
    """Return width and height that a file announces, before anything is decoded.

    Raises:
        AvatarRefusedError: `bad_picture`, if it is none of the known kinds.
    """
    size: tuple[int, int] | None = None
    if content[:3] == b"\xff\xd8\xff":
        size = _jpeg_size(content)
    elif content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR" and len(content) > 32:
        size = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        size = _webp_size(content)
    elif content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        _bad("HEIC and AVIF pictures cannot be read. Save the photo as JPEG or PNG.")
    else:
        _bad("The file is no JPEG, PNG or WebP picture.")
    if size is None or min(size) < 1:
        _bad("The picture is damaged: it does not say how large it is.")
    return size


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the markers to the frame header (SOF)."""
    at = 2
    while at + 9 <= len(content):
        if content[at] != 0xFF:
            return None
        kind = content[at + 1]
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(content[at + 5 : at + 7], "big")
            return int.from_bytes(content[at + 7 : at + 9], "big"), height
        if kind in (0xD9, 0xDA):
            return None
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind, body = content[12:16], content[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        across, down = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
        return across, down
    return None


def _may_be_clear(content: bytes) -> bool:
    """Whether the file may carry alpha: a PNG with it, or an extended or lossless WebP."""
    if content[:4] == b"\x89PNG":
        return content[25] in (3, 4, 6)
    return content[12:16] in (b"VP8X", b"VP8L") and content[:4] == b"RIFF"


def _rgb(raw: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Eight bits, three channels; what is clear becomes grey."""
    if raw.dtype == np.uint16:
        raw = raw >> np.uint16(8)  # type: ignore[operator]
    pixels = np.asarray(raw, np.uint8).reshape(*raw.shape[:2], -1)
    if pixels.shape[2] <= 2:
        alpha = pixels[..., 1:]
        pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), alpha], axis=2)
    rgb = pixels[..., 2::-1]
    if pixels.shape[2] == 4 and int(pixels[..., 3].min()) < 255:
        share = pixels[..., 3:].astype(np.float32) / 255
        rgb = np.rint(rgb * share + TRANSPARENT * (1 - share))
    return np.ascontiguousarray(rgb, np.uint8)


def _fitting(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _bad(sentence: str) -> NoReturn:
    raise AvatarRefusedError("bad_picture", sentence)


def _large(sentence: str) -> NoReturn:
    raise AvatarRefusedError("large_picture", sentence)
