from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from avatar_worker.avatars import Avatar
from avatar_worker.avatars.format import pack_avatar, read_avatar, write_avatar
from avatar_worker.avatars.format.images import decode, read_header
from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarError,
    AvatarNotFoundError,
    AvatarRefusedError,
)
from avatar_worker.frames import ARKIT_NAMES, CONTROL_INDEX, CONTROL_NAMES
from fakes.avatar_files import parts, with_manifest
from fakes.avatars import tiny_avatar, tiny_manifest


def same_geometry(a: Avatar, b: Avatar) -> None:
    assert (a.canvas, a.subject, a.rig.shapes) == (b.canvas, b.subject, b.rig.shapes)
    pairs = [(a.rig.landmarks, b.rig.landmarks), (a.rig.arkit_to_shape, b.rig.arkit_to_shape)]
    for kind in ("meshes", "slits"):
        for left, right in zip(getattr(a.rig, kind), getattr(b.rig, kind), strict=True):
            for field in dataclasses.fields(left):
                x, y = getattr(left, field.name), getattr(right, field.name)
                if isinstance(x, np.ndarray):
                    pairs.append((x, y))
                else:
                    assert x == y
    for x, y in pairs:
        assert x.dtype == y.dtype
        assert np.array_equal(x, y)


def test_geometry_survives_exactly(tmp_path: Path) -> None:
    avatar = tiny_avatar()
    path = tmp_path / "tiny.hvia"
    content_id = write_avatar(avatar, path)
    back = read_avatar(path, avatar_id="tiny")
    assert back.content_id == content_id
    same_geometry(avatar, back)


def test_masks_and_small_layers_survive_exactly_and_photographs_nearly() -> None:
    avatar = tiny_avatar()
    back = read_avatar(pack_avatar(avatar), avatar_id="tiny")
    assert list(back.layers) == list(avatar.layers)
    for role, layer in avatar.layers.items():
        pixels = back.layers[role].pixels
        assert back.layers[role].origin == layer.origin
        assert pixels.shape == layer.pixels.shape
        if role in ("plate", "skin"):
            seen = layer.pixels[..., -1] > 0 if role == "skin" else slice(None)
            assert np.abs(pixels[seen].astype(int) - layer.pixels[seen]).mean() < 4
        else:
            assert np.array_equal(pixels, layer.pixels)


def test_every_layer_can_be_stored_exactly() -> None:
    avatar = tiny_avatar()
    back = read_avatar(pack_avatar(avatar, lossy=()), avatar_id="tiny")
    for role, layer in avatar.layers.items():
        assert np.array_equal(back.layers[role].pixels, layer.pixels)
    same_geometry(avatar, back)
    assert pack_avatar(back, lossy=()) == pack_avatar(avatar, lossy=())


def test_the_same_avatar_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "tiny.hvia"
    write_avatar(tiny_avatar(), path)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fakes.avatars import tiny_avatar; "
        "from avatar_worker.avatars.format import pack_avatar; "
        "sys.stdout.buffer.write(pack_avatar(tiny_avatar()))"
    )
    tests = str(Path(__file__).parents[2])
    other = subprocess.run([sys.executable, "-c", script, tests], capture_output=True, check=True)
    assert other.stdout == path.read_bytes()


def test_an_opaque_skin_keeps_its_alpha_channel() -> None:
    avatar = tiny_avatar()
    skin = avatar.layers["skin"]
    pixels = skin.pixels.copy()
    pixels[..., 3] = 255
    layers = {**avatar.layers, "skin": dataclasses.replace(skin, pixels=pixels)}
    back = read_avatar(pack_avatar(dataclasses.replace(avatar, layers=layers)), avatar_id="tiny")
    assert back.layers["skin"].pixels.shape[2] == 4
    assert (back.layers["skin"].pixels[..., 3] == 255).all()


def test_what_the_builder_says_stands_in_the_manifest() -> None:
    avatar = tiny_avatar(name="Maya", controls={"gain": {"eyeLookInLeft": 2.2}})
    manifest = read_avatar(pack_avatar(avatar), avatar_id="tiny").manifest
    assert manifest["name"] == "Maya"
    assert manifest["controls"]["gain"] == {"eyeLookInLeft": 2.2}
    for key, value in tiny_manifest().items():
        assert key == "name" or manifest[key] == value


def test_the_preview_shows_the_person_over_the_plate() -> None:
    content = parts(pack_avatar(tiny_avatar()))["preview.webp"]
    pixels = decode(memoryview(content), read_header(memoryview(content), "p"), "p")
    assert pixels.shape == (40, 32, 3)
    assert np.abs(pixels[19, 16].astype(int) - [200, 165, 145]).max() < 30  # skin
    assert np.abs(pixels[1, 1].astype(int) - [42, 62, 90]).max() < 12  # plate


def test_a_preview_may_be_given() -> None:
    white = np.full((10, 8, 3), 255, np.uint8)
    content = parts(pack_avatar(tiny_avatar(), preview=white))["preview.webp"]
    assert decode(memoryview(content), read_header(memoryview(content), "p"), "p").min() > 250


def test_a_builder_that_forgets_a_key_is_told_which() -> None:
    avatar = tiny_avatar()
    manifest = {k: v for k, v in avatar.manifest.items() if k not in ("licence", "consent")}
    with pytest.raises(AvatarError, match="lacks licence, consent"):
        pack_avatar(dataclasses.replace(avatar, manifest=manifest))


def test_an_avatar_that_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    avatar = tiny_avatar()
    landmarks = avatar.rig.landmarks.copy()
    landmarks[5, 0] = np.nan
    broken = dataclasses.replace(avatar, rig=dataclasses.replace(avatar.rig, landmarks=landmarks))
    path = tmp_path / "tiny.hvia"
    path.write_bytes(b"what was there before")
    with pytest.raises(AvatarCorruptError, match="landmarks"):
        write_avatar(broken, path)
    assert path.read_bytes() == b"what was there before"
    assert os.listdir(tmp_path) == ["tiny.hvia"]


def test_a_real_person_without_consent_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AvatarRefusedError, match="real person"):
        write_avatar(tiny_avatar(consent={"subject": "real_person"}), tmp_path / "x.hvia")
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "x.hvia"
    target.mkdir()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the kind differs between systems
        write_avatar(tiny_avatar(), target)
    assert caught.value.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EACCES)
    assert os.listdir(tmp_path) == ["x.hvia"]


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(AvatarNotFoundError) as caught:
        read_avatar(tmp_path / "no.hvia", avatar_id="no")
    assert caught.value.avatar_id == "no"


def test_a_folder_is_no_avatar(tmp_path: Path) -> None:
    with pytest.raises(AvatarCorruptError, match="cannot be read"):
        read_avatar(tmp_path, avatar_id="no")


def test_controls_are_matched_by_name_not_by_place(tiny: bytes) -> None:
    """A file may carry other extra channels than this worker, in another order."""

    def swapped(m: dict[str, dict[str, object]]) -> None:
        m["controls"]["extra"] = ["earWiggle", "tongueUp"]

    before = read_avatar(tiny, avatar_id="tiny").rig.arkit_to_shape
    after = read_avatar(with_manifest(tiny, swapped), avatar_id="tiny").rig.arkit_to_shape
    assert after.shape == (len(CONTROL_NAMES), before.shape[1])
    assert np.array_equal(after[: len(ARKIT_NAMES)], before[: len(ARKIT_NAMES)])
    assert np.array_equal(after[CONTROL_INDEX["tongueUp"]], before[CONTROL_INDEX["breath"]])
    assert not after[CONTROL_INDEX["breath"]].any()


def test_arrays_are_read_only_because_sessions_share_them(tiny: bytes) -> None:
    rig = read_avatar(tiny, avatar_id="tiny").rig
    arrays = [rig.landmarks, rig.arkit_to_shape, rig.slits[0].seam]
    arrays += [getattr(rig.meshes[0], k) for k in ("xy", "depth", "tri", "delta", "pose_weight")]
    for array in arrays:
        assert not array.flags.writeable
