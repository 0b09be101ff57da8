"""Rules V19 and V20: one mutated picture each, and what encoding keeps."""

from __future__ import annotations

import json
import struct
import zlib

import cv2
import numpy as np
import pytest

from avatar_worker.avatars.format import read_avatar
from avatar_worker.avatars.format.images import PNG, WEBP, decode, encode, read_header
from avatar_worker.errors import AvatarCorruptError
from fakes.avatar_files import parts, with_entry, with_manifest


def refusal(content: bytes) -> AvatarCorruptError:
    with pytest.raises(AvatarCorruptError) as caught:
        read_avatar(content, avatar_id="tiny")
    return caught.value


PICTURE = np.random.default_rng(0).integers(0, 255, (6, 12, 4), np.uint8)


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """The tongue's picture with more chunks behind its header."""
    content = encode(PICTURE, PNG)
    extra = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return content[:33] + extra + content[33:]


def png_header(**change: int) -> bytes:
    fields = {"width": 12, "height": 6, "depth": 8, "colour": 6, "pack": 0, "filter": 0, "lace": 0}
    body = struct.pack(">2I5B", *(fields | change).values())
    content = encode(PICTURE, PNG)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + body))
    return content[:16] + body + crc + content[33:]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"GIF89a" + b"\0" * 100,
        encode(PICTURE, WEBP),  # not what the index says
        encode(PICTURE[:5], PNG),  # not what the manifest says
        encode(PICTURE[..., :1], PNG),
        png_with((b"tEXt", b"Author\0somebody")),
        png_with((b"eXIf", b"II*\0")),
        png_with((b"iCCP", b"profile\0\0")),
        png_with((b"acTL", struct.pack(">II", 2, 0))),
        png_with((b"IHDR", b"\0" * 13)),
        png_header(depth=16),
        png_header(colour=3),
        png_header(lace=1),
        png_header(width=100_000),
        png_header(height=0),
        png_header(width=2**32 - 1, height=2**32 - 1),
        encode(PICTURE, PNG)[:-12],
        encode(PICTURE, PNG)[:-20],
        encode(PICTURE, PNG) + b"behind the end",
        encode(PICTURE, PNG)[:8],
        encode(PICTURE, PNG)[:40] + b"\0" + encode(PICTURE, PNG)[41:],
    ],
)
def test_a_picture_that_is_not_the_announced_one_is_refused(tiny: bytes, payload: bytes) -> None:
    fault = refusal(with_entry(tiny, "tex/tongue.png", payload))
    assert (fault.code, fault.rule, fault.where) == ("E_IMAGE", "V19", "tex/tongue.png")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2)
        for kind, part in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 12
    while at < len(content):
        (size,) = struct.unpack_from("<I", content, at + 4)
        chunks.append((content[at : at + 4], content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def bad_webps(skin: bytes) -> list[bytes]:
    extended, alpha, frame = webp_chunks(skin)
    assert [extended[0], alpha[0], frame[0]] == [b"VP8X", b"ALPH", b"VP8 "]
    flags, rest = extended[1][0], extended[1][1:]
    exif = (b"VP8X", bytes([flags | 0x08]) + rest)
    wide = (b"VP8X", extended[1][:4] + b"\xff\xff\0" + extended[1][7:])
    return [
        riff(exif, alpha, frame, (b"EXIF", b"II*\0")),
        riff((b"VP8X", bytes([flags | 0x20]) + rest), (b"ICCP", b"profile"), alpha, frame),
        riff((b"VP8X", bytes([flags | 0x02]) + rest), alpha, frame),  # animated
        riff(extended, alpha, frame, (b"XMP ", b"<x/>")),
        riff(exif, alpha, frame),
        riff(wide, alpha, frame),
        riff(extended, frame),
        riff(alpha, frame),
        riff((b"VP8 ", b"\1" + frame[1][1:])),
        riff((b"VP8 ", b"\0" * 5)),
        riff((b"VP8L", b"\x2e\0\0\0\0")),
        riff((b"VP8L", b"\x2f\0\0\0\xff")),
        riff(),
        skin + b"xx",
        skin[:-2],
    ]


@pytest.mark.parametrize("number", range(15))
def test_webp_with_anything_but_pixels_is_refused(tiny: bytes, number: int) -> None:
    payload = bad_webps(parts(tiny)["tex/skin.webp"])[number]
    fault = refusal(with_entry(tiny, "tex/skin.webp", payload))
    assert (fault.code, fault.rule, fault.where) == ("E_IMAGE", "V19", "tex/skin.webp")


def test_alpha_has_to_be_announced(tiny: bytes) -> None:
    fault = refusal(with_manifest(tiny, lambda m: m["layers"][1].update(alpha=False)))
    assert (fault.code, fault.rule) == ("E_IMAGE", "V19")


def test_a_sound_header_over_rubbish_is_found_by_decoding(tiny: bytes) -> None:
    rubbish = zlib.compress(b"too short")
    chunk = b"IDAT" + rubbish
    content = encode(PICTURE, PNG)[:33]
    content += struct.pack(">I", len(rubbish)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    content += struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    fault = refusal(with_entry(tiny, "tex/tongue.png", content))
    assert (fault.code, fault.rule) == ("E_IMAGE", "V20")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_keeps_every_pixel(channels: int) -> None:
    picture = PICTURE[..., :channels]
    content = memoryview(encode(picture, PNG))
    header = read_header(content, "x")
    assert (header.width, header.height, header.channels) == (12, 6, channels)
    assert np.array_equal(decode(content, header, "x"), picture)


def test_lossless_webp_keeps_colours_and_alpha() -> None:
    picture = PICTURE.copy()
    picture[..., 3] |= 1  # clear pixels have no colour to keep
    content = memoryview(encode(picture, WEBP, quality=101))
    header = read_header(content, "x")
    assert (header.media_type, header.channels) == (WEBP, 4)
    assert np.array_equal(decode(content, header, "x"), picture)


def test_lossy_webp_keeps_alpha_exactly_and_colours_nearly() -> None:
    y, x = np.mgrid[:80, :64]
    picture = np.stack([x * 3, y * 3, x + y, np.minimum(255, x * 5)], -1).astype(np.uint8)
    content = memoryview(encode(picture, WEBP))
    pixels = decode(content, read_header(content, "x"), "x")
    assert np.array_equal(pixels[..., 3], picture[..., 3])
    seen = picture[..., 3] > 0
    assert np.abs(pixels.astype(int) - picture)[seen][:, :3].mean() < 3


def test_one_channel_does_not_fit_into_webp() -> None:
    with pytest.raises(ValueError, match="one channel"):
        encode(PICTURE[..., :1], WEBP)


def test_pictures_are_read_only(tiny: bytes) -> None:
    layer = read_avatar(tiny, avatar_id="tiny").layers["plate"]
    with pytest.raises(ValueError, match="read-only"):
        layer.pixels[0, 0, 0] = 1


def test_the_header_agrees_with_opencv(tiny: bytes) -> None:
    for path, content in parts(tiny).items():
        if path.endswith((".png", ".webp")):
            header = read_header(memoryview(content), path)
            raw = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            assert raw is not None
            assert raw.shape[:2] == (header.height, header.width)
            assert (raw.shape[2] if raw.ndim == 3 else 1) == header.channels
    assert json.loads(parts(tiny)["index.json"])["entries"][1]["type"] == WEBP
