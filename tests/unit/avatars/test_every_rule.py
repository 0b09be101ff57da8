"""One broken file for every rule of docs/avatar-format.md, and no rule without one."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar_worker.avatars import AvatarLibrary
from avatar_worker.avatars.avatar import Avatar
from avatar_worker.avatars.format import Policy, pack_avatar, read_avatar
from avatar_worker.avatars.format.images import PNG, encode
from avatar_worker.avatars.format.signing import signed
from avatar_worker.avatars.judge.still import background_stays
from avatar_worker.cli.avatars_stage import RenderStage
from avatar_worker.cli.rig_rule import background_reached, check_rig
from avatar_worker.errors import AvatarError, AvatarFileError, AvatarRefusedError
from avatar_worker.frames import CONTROL_INDEX
from fakes.avatar_files import (
    central_record,
    local_record,
    parts,
    patched,
    with_entry,
    with_index,
    with_manifest,
    with_raw,
    with_tensor_header,
)
from fakes.avatars import SHAPES, tiny_avatar

SPECIFICATION = Path(__file__).parents[3] / "docs" / "avatar-format.md"
PERSON = {
    "subject": "real_person", "granted_on": "2026-01-01", "expires_on": "2026-12-31",
    "scope": ["realtime"], "statement_sha256": "00" * 32, "evidence": "held", "contact": "me",
}  # fmt: skip
AFTERWARDS = Policy(today=date(2027, 1, 1))

Json = dict[str, Any]


def of_kind(kind: str, *requires: str) -> Callable[[bytes], bytes]:
    """The manifest of something that this worker does not draw."""

    def change(manifest: Json) -> None:
        manifest.update(kind=kind, requires=["rig.slit/1", *requires])

    return lambda tiny: with_manifest(tiny, change)


def resealed(tiny: bytes, change: Callable[[Json], object]) -> bytes:
    return with_manifest(tiny, change)


def with_infinity(tiny: bytes) -> bytes:
    rig = parts(tiny)["rig.safetensors"]
    return with_entry(tiny, "rig.safetensors", rig[:-4] + struct.pack("<f", np.inf))


def turned_over(tiny: bytes) -> bytes:
    """A body whose first two columns of vertices have changed places."""
    avatar = read_avatar(tiny, avatar_id="tiny")
    body = avatar.rig.meshes[0]
    xy = body.xy.copy()
    xy[0], xy[1] = body.xy[1], body.xy[0]
    meshes = (replace(body, xy=xy), *avatar.rig.meshes[1:])
    return pack_avatar(replace(avatar, rig=replace(avatar.rig, meshes=meshes)))


def with_model(tiny: bytes) -> bytes:
    """An ONNX file that nobody asked for."""
    return with_entry(tiny, "net/mouth.onnx", b"\x08\x08")


# What is done to a sound file, the rule that notices it, and the code.
RULES: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "V1": (lambda tiny: tiny[:1000], "V1", "E_SIZE"),
    "V2": (lambda tiny: patched(tiny, 30, b"model"), "V2", "E_FOREIGN"),
    "V3": (lambda tiny: tiny + b"\0", "V3", "E_ENVELOPE"),
    "V4": (
        lambda tiny: patched(tiny, central_record(tiny, "preview.webp") + 10, b"\x08\0"),
        "V4",
        "E_ENVELOPE",
    ),
    "V5": (
        lambda tiny: patched(tiny, local_record(tiny, "preview.webp") + 14, b"\0\0\0\0"),
        "V5",
        "E_LAYOUT",
    ),
    "V6": (
        lambda tiny: patched(tiny, central_record(tiny, "preview.webp") + 46, b"P"),
        "V6",
        "E_NAME",
    ),
    "V7": (lambda tiny: with_raw(tiny, "index.json", b'{"entries": [], "entries": []}'), "V7", "E_JSON"),
    "V8": (lambda tiny: with_index(tiny, lambda rows: rows.pop()), "V8", "E_INDEX"),
    "V9": (
        lambda tiny: with_index(tiny, lambda rows: rows[-1].update(sha256="00" * 32)),
        "V9",
        "E_HASH",
    ),
    "V10": (lambda tiny: resealed(tiny, lambda m: m.update(version="2.0")), "V10", "E_VERSION"),
    "V11": (lambda tiny: resealed(tiny, lambda m: m.update(colour="red")), "V11", "E_MANIFEST"),
    "V12": (lambda tiny: of_kind("portrait", "rig.bones/1")(tiny), "V12", "E_REQUIRES"),
    "V13": (lambda tiny: with_entry(tiny, "tex/more.png", b"x"), "V13", "E_REFERENCE"),
    "V14": (
        lambda tiny: resealed(tiny, lambda m: m["resources"].update(host_bytes=1)),
        "V14",
        "E_RESOURCE",
    ),
    "V15": (
        lambda tiny: with_tensor_header(tiny, lambda h: h["landmarks"].update(dtype="F64")),
        "V15",
        "E_TENSOR",
    ),
    "V16": (
        lambda tiny: with_tensor_header(tiny, lambda h: h.update(spare=h.pop("landmarks"))),
        "V16",
        "E_TENSOR",
    ),
    "V17": (with_infinity, "V17", "E_VALUE"),
    "V18": (turned_over, "V18", "E_GEOMETRY"),
    "V19": (lambda tiny: with_entry(tiny, "tex/tongue.png", b"GIF89a"), "V19", "E_IMAGE"),
    "V20": (
        lambda tiny: with_entry(tiny, "tex/tongue.png", _emptied(parts(tiny)["tex/tongue.png"])),
        "V20",
        "E_IMAGE",
    ),
    # The video kind is recognised and refused before any of its clips or nets is looked at.
    "V21": (of_kind("video", "clip.h264/1"), "V12", "E_REQUIRES"),
    "V22": (of_kind("portrait", "clip.h264/1"), "V12", "E_REQUIRES"),
    "V23": (of_kind("portrait", "bank.patch/1"), "V12", "E_REQUIRES"),
    "V24": (of_kind("portrait", "net.mouth/1"), "V12", "E_REQUIRES"),
    "V25": (
        lambda tiny: _forged(signed(tiny, seed=bytes(32), key_id="me")),
        "V25",
        "E_SIGNATURE",
    ),
    "V26": (lambda tiny: resealed(tiny, lambda m: m.update(consent=PERSON)), "V26", "E_CONSENT"),
    "V27": (
        lambda tiny: resealed(tiny, lambda m: m["licence"].update(spdx="NONE")),
        "V27",
        "E_LICENCE",
    ),
}  # fmt: skip
ELSEWHERE = {"V28", "V29"}
"""Rules of a library and of a rig in motion, tested below."""


def _emptied(png: bytes) -> bytes:
    """The header of a picture, and far too few pixels behind it."""
    chunks = ((b"IDAT", zlib.compress(b"too short")), (b"IEND", b""))
    return png[:33] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _forged(content: bytes) -> bytes:
    signature = json.loads(parts(content)["signature.json"])
    signature["signature"] = "A" * 86 + "=="
    return with_raw(content, "signature.json", json.dumps(signature).encode())


def test_every_rule_of_the_specification_has_a_broken_file() -> None:
    text = SPECIFICATION.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (V\d+) \|", text, re.MULTILINE))
    assert documented == set(RULES) | ELSEWHERE == {f"V{i}" for i in range(1, 30)}


@pytest.mark.parametrize("rule", RULES)
def test_a_file_that_breaks_a_rule_is_refused_by_it(tiny: bytes, rule: str) -> None:
    breaks, found, code = RULES[rule]
    read_avatar(tiny, avatar_id="tiny", policy=AFTERWARDS)
    with pytest.raises(AvatarError) as caught:
        read_avatar(breaks(tiny), avatar_id="tiny", policy=AFTERWARDS)
    error = caught.value
    assert getattr(error, "code", None) == code
    if isinstance(error, AvatarFileError):
        assert error.rule == found
    else:
        assert isinstance(error, AvatarRefusedError)
        assert found in ("V25", "V26", "V27")


def test_a_model_that_nobody_requires_is_refused(tiny: bytes) -> None:
    """V24: there is no way to bring code or a net along."""
    with pytest.raises(AvatarError) as caught:
        read_avatar(with_model(tiny), avatar_id="tiny")
    assert getattr(caught.value, "code", None) == "E_REFERENCE"


def test_two_ids_that_differ_in_case_break_rule_28(tiny: bytes, tmp_path: Path) -> None:
    for name in ("Maya", "maya"):
        (tmp_path / f"{name}.hvia").write_bytes(tiny)
    with pytest.raises(AvatarFileError) as caught:
        AvatarLibrary([tmp_path], packaged=False).open("maya")
    assert (caught.value.code, caught.value.rule) == ("E_NAME", "V28")


# V29: what only a rig in motion shows


def moved(avatar: Avatar, mesh: int, shape: str, by: np.ndarray) -> Avatar:
    """Let a shape move one layer's vertices by (V, 2) pixels more."""
    meshes = list(avatar.rig.meshes)
    delta = meshes[mesh].delta.copy()
    delta[-1, SHAPES.index(shape)] += by.astype(np.float16)
    meshes[mesh] = replace(meshes[mesh], delta=delta)
    return replace(avatar, rig=replace(avatar.rig, meshes=tuple(meshes)))


def test_a_sound_rig_may_move() -> None:
    check_rig(tiny_avatar())


@pytest.mark.parametrize("shape", ["jawOpen", "breath"])
def test_a_rig_that_folds_breaks_rule_29(shape: str) -> None:
    body = tiny_avatar().rig.meshes[0]
    by = np.zeros_like(body.xy)
    by[len(by) // 2, 0] = 20.0
    with pytest.raises(AvatarFileError, match="fold") as caught:
        check_rig(moved(tiny_avatar(), 0, shape, by))
    assert (caught.value.code, caught.value.rule) == ("E_RIG", "V29")


def swept(avatar: Avatar) -> np.ndarray:
    """A way that carries the left edge's lower end far up, without a fold. (V, 2)."""
    x, y = avatar.rig.meshes[0].xy.astype(float).T
    height = avatar.canvas.height
    way = np.zeros((len(x), 2))
    way[:, 1] = -0.7 * height * np.clip(y / height, 0, 1) * np.clip((12 - x) / 6, 0, 1)
    return way


def speck(avatar: Avatar, left: int) -> Avatar:
    """The avatar, clear but for a few pixels near its lower edge."""
    skin = avatar.layers["skin"].pixels.copy()
    skin[..., 3] = 0
    skin[60:64, left : left + 3] = 255
    layers = {**avatar.layers, "skin": replace(avatar.layers["skin"], pixels=skin)}
    return replace(avatar, layers=layers)


def test_a_rig_that_moves_the_background_breaks_rule_29() -> None:
    """All that is left of the person is a speck, which the jaw carries away."""
    avatar = speck(tiny_avatar(), 2)
    index = CONTROL_INDEX["jawOpen"]
    assert avatar.rig.arkit_to_shape[index, SHAPES.index("jawOpen")] == 1
    far = moved(avatar, 0, "jawOpen", swept(avatar))
    with pytest.raises(AvatarFileError, match="background") as caught:
        check_rig(far)
    assert (caught.value.code, caught.value.rule) == ("E_RIG", "V29")
    drawn = background_stays(RenderStage(far, "reference"))
    assert not all(finding.ok for finding in drawn)


def test_what_is_clear_may_move_through_the_background() -> None:
    """The same way beside the speck: nothing can be seen of it, in no picture either."""
    avatar = speck(tiny_avatar(), 56)
    stage = RenderStage(moved(avatar, 0, "jawOpen", swept(avatar)), "reference")
    assert background_reached(stage).value == 0
    assert [finding.value for finding in background_stays(stage)] == [0]


def test_a_rig_is_judged_without_compiling_anything(tmp_path: Path) -> None:
    """Where an avatar is built or verified first, no compiler may be waited for."""
    code = (
        "from avatar_worker.cli.rig_rule import check_rig\n"
        "from fakes.avatars import tiny_avatar\n"
        "check_rig(tiny_avatar())\n"
        "import sys; print('done' if 'avatar_worker.render' in sys.modules else 'no rig')"
    )
    tests = str(Path(__file__).parents[2])
    paths = os.pathsep.join([tests, *filter(None, sys.path)])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["done"]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]


def test_encoding_and_decoding_agree_on_what_is_broken(tiny: bytes) -> None:
    """A control: the same entry with another sound picture of its size is read."""
    shape = read_avatar(tiny, avatar_id="tiny").layers["tongue"].pixels.shape
    grey = np.full(shape, 99, np.uint8)
    content = with_entry(tiny, "tex/tongue.png", encode(grey, PNG))
    assert read_avatar(content, avatar_id="tiny").layers["tongue"].pixels[0, 0, 0] == 99
