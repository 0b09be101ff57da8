"""Rules V1 to V9: one mutated file each, and the file they were made from is sound."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest

from avatar_worker.avatars.format import read_avatar
from avatar_worker.errors import AvatarCorruptError, AvatarUnsupportedError
from fakes.avatar_files import (
    central_record,
    local_record,
    parts,
    patched,
    with_entry,
    with_index,
    with_raw,
)

Change = Callable[[bytes], bytes]


def refusal(content: bytes) -> AvatarCorruptError:
    with pytest.raises(AvatarCorruptError) as caught:
        read_avatar(content, avatar_id="tiny")
    assert caught.value.avatar_id == "tiny"
    assert str(caught.value).startswith("tiny.hvia is damaged: ")
    return caught.value


def test_the_file_that_the_mutants_are_made_from_is_sound(tiny: bytes) -> None:
    avatar = read_avatar(tiny, avatar_id="tiny")
    assert avatar.canvas.width == 64
    assert avatar.content_id.startswith("sha256:")


@pytest.mark.parametrize("size", [0, 1, 1023])
def test_a_file_that_is_too_small_is_refused(tiny: bytes, size: int) -> None:
    fault = refusal(tiny[:size])
    assert (fault.code, fault.rule) == ("E_SIZE", "V1")


def test_a_foreign_file_gets_the_sentence_that_says_what_to_do() -> None:
    with pytest.raises(AvatarUnsupportedError) as caught:
        read_avatar(b"IMX\0" * 1000, avatar_id="kadda")
    assert (caught.value.code, caught.value.rule) == ("E_FOREIGN", "V2")
    assert str(caught.value) == (
        "kadda.hvia is not an open HVIA file. The suffix is also used by a proprietary format "
        "that this worker cannot read. Make one with `avatar-worker avatars build photo.jpg`."
    )


def test_a_zip_with_another_first_entry_is_foreign(tiny: bytes) -> None:
    with pytest.raises(AvatarUnsupportedError, match="is not an open HVIA file"):
        read_avatar(patched(tiny, 30, b"Manifest"), avatar_id="tiny")


def test_a_truncated_file_has_no_end_record(tiny: bytes) -> None:
    for size in (len(tiny) - 1, len(tiny) // 2, 1024):
        fault = refusal(tiny[:size])
        assert (fault.code, fault.rule) == ("E_ENVELOPE", "V3")


def test_bytes_behind_the_end_are_refused(tiny: bytes) -> None:
    assert refusal(tiny + b"\0").code == "E_ENVELOPE"


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (4, b"\1\0"),  # this disk
        (6, b"\1\0"),  # the directory's disk
        (8, b"\1\0"),  # entries here
        (20, b"\1\0"),  # length of a comment
        (12, b"\xff\xff\xff\xff"),  # ZIP64
        (16, b"\xff\xff\xff\xff"),
    ],
)
def test_an_end_record_that_is_not_ours_is_refused(tiny: bytes, at: int, new: bytes) -> None:
    fault = refusal(patched(tiny, len(tiny) - 22 + at, new))
    assert (fault.code, fault.rule) == ("E_ENVELOPE", "V3")


def test_more_entries_than_the_limit_are_refused(tiny: bytes) -> None:
    files = parts(tiny)
    files |= {f"ext/com.example/{i}": b"" for i in range(1100)}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    assert refusal(buffer.getvalue()).rule == "V3"


def _zip(tiny: bytes, change: Callable[[zipfile.ZipInfo], object], method: int = 0) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts(tiny).items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o100644 << 16
            info.compress_type = method
            if name == "rig.safetensors":
                change(info)
            archive.writestr(info, content)
    return buffer.getvalue()


def test_our_files_are_what_the_standard_library_writes(tiny: bytes) -> None:
    assert _zip(tiny, lambda info: None) == tiny


@pytest.mark.parametrize(
    "change",
    [
        lambda info: setattr(info, "external_attr", 0o120777 << 16),  # a link
        lambda info: setattr(info, "external_attr", 0o040755 << 16),  # a folder
        lambda info: setattr(info, "external_attr", 0o100644 << 16 | 0x10),
        lambda info: setattr(info, "comment", b"hello"),
        lambda info: setattr(info, "extra", b"\xff\xff\0\0"),
        lambda info: setattr(info, "date_time", (2026, 1, 1, 0, 0, 0)),
        lambda info: setattr(info, "internal_attr", 1),
        lambda info: setattr(info, "create_system", 0),
        lambda info: setattr(info, "compress_type", zipfile.ZIP_DEFLATED),
    ],
)
def test_an_entry_that_is_not_a_plain_stored_file_is_refused(
    tiny: bytes, change: Callable[[zipfile.ZipInfo], object]
) -> None:
    fault = refusal(_zip(tiny, change))
    assert (fault.code, fault.rule) == ("E_ENVELOPE", "V4")


def test_a_compressed_file_is_refused_before_anything_is_unpacked(tiny: bytes) -> None:
    content = _zip(tiny, lambda info: None, zipfile.ZIP_DEFLATED)
    assert refusal(content).code == "E_ENVELOPE"


@pytest.mark.parametrize("flag", [0x01, 0x08, 0x800])
def test_encrypted_and_streamed_entries_are_refused(tiny: bytes, flag: int) -> None:
    at = central_record(tiny, "preview.webp") + 8
    assert refusal(patched(tiny, at, struct.pack("<H", flag))).rule == "V4"


@pytest.mark.parametrize("offset", [4, 6, 8, 10, 12, 14, 18, 22])
def test_local_and_central_records_have_to_agree(tiny: bytes, offset: int) -> None:
    at = local_record(tiny, "preview.webp") + offset
    fault = refusal(patched(tiny, at, bytes([tiny[at] ^ 1])))
    assert (fault.code, fault.rule) == ("E_LAYOUT", "V5")


def test_a_local_name_that_differs_is_refused(tiny: bytes) -> None:
    at = local_record(tiny, "preview.webp") + 30
    assert refusal(patched(tiny, at, b"q")).rule == "V5"


def test_overlapping_entries_are_refused(tiny: bytes) -> None:
    first = local_record(tiny, "preview.webp")
    at = central_record(tiny, "rig.safetensors") + 42
    assert refusal(patched(tiny, at, struct.pack("<L", first))).rule == "V5"


def test_a_gap_between_entries_is_refused(tiny: bytes) -> None:
    directory = struct.unpack_from("<L", tiny, len(tiny) - 6)[0]
    content = tiny[:directory] + b"gap!" + tiny[directory:]
    content = patched(content, len(content) - 6, struct.pack("<L", directory + 4))
    assert refusal(content).rule == "V5"


def test_an_entry_that_leaves_the_file_is_refused(tiny: bytes) -> None:
    content = tiny
    for record, offset in ((local_record, 18), (central_record, 20)):
        at = record(content, "rig.safetensors") + offset
        content = patched(content, at, struct.pack("<LL", 2**31, 2**31))
    assert refusal(content).rule == "V5"


@pytest.mark.parametrize(
    "name",
    ["../x.png", "tex/../x.png", "/x.png", "Tex/x.png", "tex//x.png", "a/b/c/d/e.png", ".x",
     "tex\\x.png", "a" * 101, "c:x", "x\0.png", "tex/..x.png"],
)  # fmt: skip
def test_names_that_could_lead_elsewhere_are_refused(tiny: bytes, name: str) -> None:
    fault = refusal(_with_name(tiny, name))
    assert (fault.code, fault.rule) == ("E_NAME", "V6")


def _with_name(tiny: bytes, name: str) -> bytes:
    """A stand-in of the same length is written by the library, then renamed in both records."""
    stand_in = "z" * len(name)
    content = with_raw(tiny, stand_in, b"payload")
    return content.replace(stand_in.encode(), name.encode())


def test_two_entries_of_one_name_are_refused(tiny: bytes) -> None:
    content = with_raw(tiny, "previez.webp", b"payload").replace(b"previez.webp", b"preview.webp")
    fault = refusal(content)
    assert (fault.code, fault.rule) == ("E_NAME", "V6")


def test_the_index_may_not_be_larger_than_its_limit(tiny: bytes) -> None:
    fault = refusal(with_raw(tiny, "index.json", b" " * (2**20 + 1)))
    assert (fault.code, fault.rule, fault.where) == ("E_JSON", "V7", "index.json")


def test_the_manifest_may_not_be_larger_than_its_limit(tiny: bytes) -> None:
    fault = refusal(with_raw(tiny, "manifest.json", b" " * (2**18 + 1)))
    assert (fault.code, fault.rule, fault.where) == ("E_JSON", "V7", "manifest.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.reverse(),
        lambda rows: rows.append(rows[-1]),
        lambda rows: rows[-1].update(path="rig2.safetensors"),
        lambda rows: rows[-1].update(size=rows[-1]["size"] + 1),
        lambda rows: rows[-1].update(size=float(rows[-1]["size"])),
        lambda rows: rows[-1].update(sha256="0" * 63),
        lambda rows: rows[-1].update(sha256=7),
        lambda rows: rows[-1].update(type=""),
        lambda rows: rows[-1].update(more=1),
        lambda rows: rows[-1].pop("type"),
        lambda rows: rows.__setitem__(0, "manifest.json"),
    ],
)
def test_an_index_that_is_not_the_directory_is_refused(
    tiny: bytes, change: Callable[[list[dict[str, object]]], object]
) -> None:
    fault = refusal(with_index(tiny, change))
    assert (fault.code, fault.rule) == ("E_INDEX", "V8")


def test_an_index_of_another_form_is_refused(tiny: bytes) -> None:
    for text in (b'{"entries": {}}', b"{}", b'{"entries": [], "more": 1}'):
        assert refusal(with_raw(tiny, "index.json", text)).rule == "V8"


@pytest.mark.parametrize("path", ["preview.webp", "rig.safetensors", "tex/skin.webp"])
def test_a_payload_that_does_not_match_its_hash_is_refused(tiny: bytes, path: str) -> None:
    payload = bytearray(parts(tiny)[path])
    payload[len(payload) // 2] ^= 1
    fault = refusal(with_raw(tiny, path, bytes(payload)))
    assert (fault.code, fault.rule, fault.where) == ("E_HASH", "V9", path)


def test_a_manifest_that_does_not_match_its_hash_is_not_even_parsed(tiny: bytes) -> None:
    manifest = parts(tiny)["manifest.json"].replace(b'"hvia"', b'"HVIA"')
    fault = refusal(with_raw(tiny, "manifest.json", manifest))
    assert (fault.code, fault.where) == ("E_HASH", "manifest.json")


def test_the_crc_is_checked_too(tiny: bytes) -> None:
    content = tiny
    for record, offset in ((local_record, 14), (central_record, 16)):
        at = record(content, "preview.webp") + offset
        content = patched(content, at, b"\0\0\0\0")
    assert refusal(content).code == "E_HASH"


def test_manifest_and_index_come_first(tiny: bytes) -> None:
    files = parts(tiny)
    index = files.pop("index.json")
    content = with_raw(tiny, "signature.json", b"{}", after="preview.webp")
    assert refusal(content).rule == "V3"
    assert json.loads(index)["entries"][0]["path"] == "manifest.json"


def test_private_entries_are_kept_out_of_the_way(tiny: bytes) -> None:
    content = with_entry(tiny, "ext/com.example/note.json", b"{}")
    assert read_avatar(content, avatar_id="tiny").canvas.height == 80
