"""Whatever file somebody gives, it becomes pixels or a sentence."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st

from avatar_worker.avatars.builder import picture
from avatar_worker.avatars.builder.picture import announced_size, read_picture
from avatar_worker.errors import AvatarRefusedError

Bytes = npt.NDArray[np.uint8]


def scene(height: int = 48, width: int = 64) -> Bytes:
    """Red at the left, green at the right, brighter downwards. RGB."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 200 * (x < width / 2) + 20, 200 * (x >= width / 2) + 20
    return np.stack([red, green, 40 + 100 * y // height], -1).astype(np.uint8)


def encoded(suffix: str, rgb: Bytes, *flags: int) -> bytes:
    order = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[
        rgb.shape[2] if rgb.ndim == 3 else 1
    ]
    raw = rgb if order is None else cv2.cvtColor(rgb, order)
    return cv2.imencode(suffix, raw, list(flags))[1].tobytes()


def turned_by_camera(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that says how the camera was held."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def refused(content: bytes) -> AvatarRefusedError:
    with pytest.raises(AvatarRefusedError) as caught:
        read_picture(content)
    assert str(caught.value).endswith(".")
    return caught.value


def outcome(content: bytes) -> str:
    """The refusal's code, or `picture`. Anything else that is raised fails the test."""
    try:
        found = read_picture(content)
    except AvatarRefusedError as fault:
        return fault.code if str(fault).endswith(".") else "no sentence"
    return "picture" if found.dtype == np.uint8 and found.shape[2:] == (3,) else "no pixels"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_three_kinds_are_read_in_rgb(suffix: str) -> None:
    found = read_picture(encoded(suffix, scene()))
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - scene()).mean() < 4


@pytest.mark.parametrize(
    ("orientation", "back"),
    [
        (1, lambda p: p),
        (3, lambda p: np.rot90(p, 2)),
        (6, lambda p: np.rot90(p, -1)),
        (8, lambda p: np.rot90(p, 1)),
    ],
)
def test_a_photo_is_turned_as_its_camera_was_held(
    orientation: int, back: Callable[[Bytes], Bytes]
) -> None:
    found = read_picture(turned_by_camera(encoded(".jpg", scene()), orientation))
    assert found.shape == back(scene()).shape
    assert np.abs(found.astype(int) - back(scene())).mean() < 4


def test_grey_pictures_get_three_equal_channels() -> None:
    grey = scene()[..., 2]
    for suffix in (".png", ".jpg"):
        found = read_picture(encoded(suffix, grey))
        assert found.shape == (48, 64, 3)
        assert (found.max(-1) == found.min(-1)).all()


def test_what_is_transparent_becomes_grey_and_never_what_lay_hidden() -> None:
    for suffix in (".png", ".webp"):
        rgba = np.dstack([scene(), np.full((48, 64), 255, np.uint8)])
        rgba[:24, :, 3] = 0
        found = read_picture(encoded(suffix, rgba, cv2.IMWRITE_WEBP_QUALITY, 101))
        assert (found[:24] == picture.TRANSPARENT).all()
        np.testing.assert_array_equal(found[24:], scene()[24:])


def test_sixteen_bits_become_eight() -> None:
    deep = scene().astype(np.uint16) * 257
    np.testing.assert_array_equal(read_picture(encoded(".png", deep)), scene())


def test_a_cmyk_jpeg_is_read() -> None:
    """Four components in one scan, as print shops save them; all grey here."""
    grey = encoded(".jpg", np.full((16, 16), 128, np.uint8))
    assert announced_size(grey) == (16, 16)
    frame = grey.index(b"\xff\xc0")
    length = int.from_bytes(grey[frame + 2 : frame + 4], "big")
    assert grey[frame + 9] == 1
    components = b"".join(bytes([i, 0x11, 0]) for i in range(1, 5))
    head = b"\xff\xc0" + struct.pack(">HBHHB", 8 + 12, 8, 8, 8, 4) + components
    scan = grey.index(b"\xff\xda")
    spec = b"\xff\xda" + struct.pack(">HB", 6 + 8, 4)
    spec += b"".join(bytes([i, 0]) for i in range(1, 5)) + bytes([0, 63, 0])
    # 8 x 8 pixels are one block a component; DC 0 and end of block, from the standard's tables.
    bits = "00" + "1010"
    stream = (bits * 4).ljust(24, "1")
    data = bytes(int(stream[i : i + 8], 2) for i in range(0, 24, 8))
    content = grey[:frame] + head + grey[frame + 2 + length : scan] + spec + data + b"\xff\xd9"
    found = read_picture(content)
    assert found.shape == (8, 8, 3)
    assert found.max() - found.min() < 3


def test_a_picture_of_one_pixel_is_a_picture() -> None:
    assert read_picture(encoded(".png", scene(1, 1))).shape == (1, 1, 3)


def test_large_photos_are_scaled_to_what_a_canvas_can_show() -> None:
    found = read_picture(encoded(".jpg", scene(100, 6000)))
    assert found.shape == (68, picture.WORKING_SIDE, 3)


def png_head(width: int, height: int) -> bytes:
    body = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    crc = zlib.crc32(b"IHDR" + body)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", crc)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 6_000), (20_000, 2)])
def test_a_bomb_is_refused_by_its_head(width: int, height: int) -> None:
    fault = refused(png_head(width, height))
    assert fault.code == "large_picture"
    assert str(width) in str(fault)


def test_a_file_of_many_megabytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_BYTES", 100)
    assert refused(encoded(".png", scene())).code == "large_picture"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, I am text", b"GIF89a" + bytes(40), b"BM" + bytes(60), b"%PDF-1.7" + bytes(40)],
)
def test_what_is_no_picture_is_said_to_be_none(content: bytes) -> None:
    fault = refused(content)
    assert fault.code == "bad_picture"
    assert "JPEG, PNG or WebP" in str(fault)


def test_a_telephones_own_format_gets_its_own_advice() -> None:
    assert "Save the photo as JPEG" in str(refused(b"\0\0\0\x18ftypheic" + bytes(40)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kept", [4, 13, 25, 31, 120])
def test_a_cut_off_file_is_refused_or_read(suffix: str, kept: int) -> None:
    content = encoded(suffix, scene(400, 400))[:kept]
    assert outcome(content) in ("picture", "bad_picture")


@settings(max_examples=300, deadline=None)
@given(
    head=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ", b""]),
    tail=st.binary(max_size=200),
)
def test_any_bytes_are_a_picture_or_a_sentence(head: bytes, tail: bytes) -> None:
    assert outcome(head + tail) in ("picture", "bad_picture", "large_picture")


@settings(max_examples=150, deadline=None)
@given(data=st.data(), suffix=st.sampled_from([".png", ".jpg", ".webp"]))
def test_a_picture_with_flipped_bytes_is_a_picture_or_a_sentence(
    data: st.DataObject, suffix: str
) -> None:
    content = bytearray(encoded(suffix, scene()))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(content)) in ("picture", "bad_picture", "large_picture")
