"""What `avatars build` writes into the manifest beside the picture."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from avatar_worker.avatars.format import pack_avatar, read_avatar
from avatar_worker.cli.build import (
    PRIVATE,
    _check_usable,
    _read,
    licence_block,
    provenance,
    real_person,
)
from avatar_worker.errors import AvatarRefusedError
from fakes.avatars import SHAPES, tiny_avatar

TODAY = datetime.now(UTC).date()
RGB = np.zeros((40, 30, 3), np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"the bytes of a photo")
    return path


def test_a_real_person_s_avatar_is_accepted_with_the_block_that_build_writes(photo: Path) -> None:
    avatar = tiny_avatar(
        consent=real_person("I agree.", "rights@example.test", 30, TODAY),
        licence=licence_block(PRIVATE, "", []),
        provenance=provenance(photo, RGB, synthetic=False),
    )
    read = read_avatar(pack_avatar(avatar), avatar_id="tiny")
    assert read.manifest["consent"]["subject"] == "real_person"


def test_consent_ends_on_the_day_that_was_asked_for() -> None:
    block = real_person("I agree.", None, 30, TODAY)
    assert block["granted_on"] == TODAY.isoformat()
    assert block["expires_on"] == (TODAY + timedelta(days=30)).isoformat()


def test_consent_that_has_ended_is_refused(photo: Path) -> None:
    old = real_person("I agree.", None, 30, TODAY - timedelta(days=31))
    with pytest.raises(AvatarRefusedError):
        read_avatar(pack_avatar(tiny_avatar(consent=old)), avatar_id="tiny")


def test_the_statement_is_kept_as_its_hash_only() -> None:
    block = real_person("canary statement", None, 30, TODAY)
    assert "canary" not in str(block)
    assert block["statement_sha256"] == hashlib.sha256(b"canary statement").hexdigest()


def test_by_default_an_avatar_may_not_be_passed_on() -> None:
    block = licence_block(PRIVATE, "", [])
    assert (block["redistribution"], block["commercial_use"]) == (False, False)
    assert block["credit"] == "unnecessary"


def test_a_public_licence_is_accepted_and_credits_its_authors(photo: Path) -> None:
    licence = licence_block("CC-BY-4.0", "", ["Example Studio"])
    assert licence["url"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert licence["credit"] == "required"
    source = provenance(photo, RGB, synthetic=True)
    avatar = tiny_avatar(licence=licence, provenance=source)
    assert read_avatar(pack_avatar(avatar), avatar_id="tiny").manifest["licence"] == licence


def test_the_source_is_named_by_hash_and_size(photo: Path) -> None:
    block = provenance(photo, RGB, synthetic=False)
    assert block["sources"] == [
        {
            "kind": "photo",
            "sha256": hashlib.sha256(photo.read_bytes()).hexdigest(),
            "size": [30, 40],
        }
    ]
    assert block["digital_source_type"] == "digitalCapture"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(AvatarRefusedError, match=r"x\.png: The ") as caught:
        _read(path)
    assert caught.value.code == "bad_picture"


def test_a_picture_is_read_as_rgb(tmp_path: Path) -> None:
    import cv2

    bgr = np.zeros((4, 6, 3), np.uint8)
    bgr[..., 0] = 200
    cv2.imwrite(str(tmp_path / "blue.png"), bgr)
    rgb = _read(tmp_path / "blue.png")
    assert rgb.shape == (4, 6, 3)
    assert rgb[0, 0].tolist() == [0, 0, 200]


def test_a_photo_whose_rig_folds_is_refused_in_words_about_the_photo() -> None:
    avatar = tiny_avatar()
    body = avatar.rig.meshes[0]
    delta = body.delta.copy()
    delta[0, SHAPES.index("jawOpen"), len(body.xy) // 2, 0] += 20
    meshes = (replace(body, delta=delta), *avatar.rig.meshes[1:])
    folding = replace(avatar, rig=replace(avatar.rig, meshes=meshes))
    with pytest.raises(AvatarRefusedError, match="cannot be moved without creases") as caught:
        _check_usable(folding)
    assert caught.value.code == "E_RIG"
    assert "folded" in str(caught.value)
    _check_usable(avatar)
