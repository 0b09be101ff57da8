"""`avatars preview | check | sign | new-key`, run inside this process."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from avatar_worker.avatars.avatar import Layer
from avatar_worker.avatars.builder.background import Background, parse_background, with_background
from avatar_worker.avatars.format import Policy, read_avatar, write_avatar
from avatar_worker.avatars.format.ed25519 import public_key_of
from avatar_worker.avatars.format.signing import read_seed
from avatar_worker.avatars.judge import Finding
from avatar_worker.cli import avatars_preview
from avatar_worker.cli.avatars_check import table
from avatar_worker.cli.build import canvas_size
from avatar_worker.config import Settings, variable_name
from avatar_worker.errors import AvatarError, ConfigError
from avatar_worker.frames import CONTROL_INDEX
from fakes.avatars import tiny_avatar
from fakes.command_line import failed, said


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of avatars with a tiny one in it."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)
    monkeypatch.setenv("AVATAR_WORKER_AVATARS", str(tmp_path / "avatars"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "avatars"
    folder.mkdir()
    write_avatar(tiny_avatar("tiny"), folder / "tiny.hvia")
    return folder


# preview


def test_a_preview_shows_every_still_with_its_caption(tmp_path: Path) -> None:
    code, text = said("avatars", "preview", "tiny", "-o", "sheet.png")
    assert code == 0
    assert "sheet.png" in text
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    rows = -(-len(avatars_preview.stills()) // avatars_preview.COLUMNS)
    tile = avatars_preview.TILE_HEIGHT + avatars_preview.LABEL_HEIGHT
    assert sheet.shape == (rows * tile, avatars_preview.COLUMNS * 256, 3)
    captions = sheet[: avatars_preview.LABEL_HEIGHT]
    assert captions.max() > 180


def test_the_stills_are_what_people_look_for() -> None:
    names = set(avatars_preview.stills())
    assert {"rest", "A", "MBP", "blink", "smile", "look left", "turned right", "bowed"} <= names


def test_the_film_is_five_seconds_long_and_moves(tmp_path: Path) -> None:
    code, _ = said("avatars", "preview", "tiny", "--clip", "-o", "film.mp4")
    assert code == 0
    with av.open(str(tmp_path / "film.mp4")) as film:
        pictures = [f.to_ndarray(format="gray").astype(int) for f in film.decode(video=0)]
    assert len(pictures) == 125
    assert max(np.abs(b - a).max() for a, b in zip(pictures, pictures[1:], strict=False)) > 10


def test_the_film_talks_then_rests_then_blinks_and_turns() -> None:
    faces = avatars_preview.film(25)
    jaw = np.array([f.weights[CONTROL_INDEX["jawOpen"]] for f in faces])
    blink = np.array([f.weights[CONTROL_INDEX["eyeBlinkLeft"]] for f in faces])
    assert jaw[0] == 0
    assert jaw[:65].max() > 0.6
    assert jaw[66:].max() == 0
    assert blink.max() > 0.95
    assert max(f.head.yaw for f in faces) > 4
    assert all(np.abs(np.diff(w)).max() < 0.75 for w in (jaw, blink))


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("tiny", "-o", "x.jpg"), 78, ".png"),
        (("tiny", "-o", "x.png", "--clip"), 78, ".mp4"),
        (("tiny", "-o", "none/x.png"), 78, "folder"),
        (("nobody", "-o", "x.png"), 1, "no avatar 'nobody'"),
    ],
)
def test_a_preview_that_cannot_be_is_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, word: str
) -> None:
    found, text = failed(capsys, "avatars", "preview", *arguments)
    assert found == code
    assert word in text


# check


def test_the_judge_says_which_goals_are_missed_and_exits_with_1() -> None:
    """The tiny avatar has six shapes and no iris layers to speak of."""
    code, text = said("avatars", "check", "demo", "--json")
    row = json.loads(text)
    assert row["avatar"] == "demo"
    assert code == (0 if row["ok"] else 1)
    assert {finding["criterion"] for finding in row["findings"]} == set(range(1, 11))


def test_an_avatar_that_cannot_be_judged_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "avatars", "check", "nobody")[0] == 1
    Path("broken.hvia").write_bytes(b"PK\x03\x04" + bytes(2000))
    code, text = failed(capsys, "avatars", "check", "./broken.hvia")
    assert code == 1
    assert text.count("\n") == 1


def test_the_table_counts_criteria_and_marks_what_fails() -> None:
    lines = table(
        "me", [Finding(1, "gap", 0.2, None, 0.1, "u", "m"), Finding(2, "still", 0.0, 0, 1)]
    )
    assert lines[0] == "me: 1 of 2 criteria are met"
    assert "FAIL" in lines[1]
    assert "<= 0.1 u" in lines[1]
    assert lines[1].endswith("(m)")
    assert "pass" in lines[2]


# sign


def test_a_signed_file_keeps_its_id_and_is_trusted(shelf: Path, tmp_path: Path) -> None:
    before = read_avatar(shelf / "tiny.hvia", avatar_id="tiny").content_id
    code, text = said("avatars", "new-key", "mine.key")
    assert code == 0
    seed = read_seed((tmp_path / "mine.key").read_text())
    assert stat.S_IMODE(os.stat("mine.key").st_mode) == 0o600
    for _ in range(2):  # the second one replaces the first
        assert said("avatars", "sign", "tiny", "--key", "mine.key")[0] == 0
    trusting = Policy(trusted_keys=frozenset({public_key_of(seed)}))
    after = read_avatar(shelf / "tiny.hvia", avatar_id="tiny", policy=trusting)
    assert after.content_id == before
    assert said("avatars", "verify", "tiny")[0] == 0


def test_a_strangers_signature_is_not_trusted(shelf: Path, tmp_path: Path) -> None:
    said("avatars", "new-key", "mine.key")
    said("avatars", "sign", "tiny", "--key", "mine.key", "-o", "signed.hvia", "--key-id", "me")
    other = Policy(trusted_keys=frozenset({public_key_of(bytes(32))}))
    with pytest.raises(AvatarError, match="trusted"):
        read_avatar(tmp_path / "signed.hvia", avatar_id="signed", policy=other)
    with pytest.raises(AvatarError, match="trusted"):
        read_avatar(shelf / "tiny.hvia", avatar_id="tiny", policy=other)


def test_a_key_is_never_overwritten_nor_guessed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.key").write_text("c2hvcnQ=\n")
    assert "never overwritten" in failed(capsys, "avatars", "new-key", "a.key")[1]
    assert "folder" in failed(capsys, "avatars", "new-key", "none/a.key")[1]
    assert "32 bytes" in failed(capsys, "avatars", "sign", "tiny", "--key", "a.key")[1]
    assert "new-key" in failed(capsys, "avatars", "sign", "tiny", "--key", "b.key")[1]
    said("avatars", "new-key", "c.key")
    for extra in (("--key-id", "no name"), ("-o", "x.zip")):
        code, text = failed(capsys, "avatars", "sign", "tiny", "--key", "c.key", *extra)
        assert code in (1, 78)
        assert text.count("\n") == 1


# build: canvas and background


@pytest.mark.parametrize("text", ["512x640", "480x640", "720x960", "512x512", "640X512"])
def test_sizes_are_width_by_height(text: str) -> None:
    width, height = canvas_size(text)
    assert f"{width}x{height}" == text.lower()


@pytest.mark.parametrize(
    "text", ["", "512", "511x640", "512x-640", "100x100", "4096x4096", "256x1280", "5e2x640"]
)
def test_sizes_that_no_portrait_has_are_sentences(text: str) -> None:
    with pytest.raises(ConfigError, match="--size"):
        canvas_size(text)


def plate() -> Layer:
    rng = np.random.default_rng(1)
    return Layer("plate", (0, 0), rng.integers(0, 256, (64, 48, 3), np.uint8))


def test_a_background_is_kept_blurred_coloured_or_another_picture() -> None:
    before = plate()
    kept = with_background(before, Background(), 20.0)
    np.testing.assert_array_equal(kept.pixels, before.pixels)
    blurred = with_background(before, Background("blur"), 20.0).pixels
    assert blurred.std() < 0.3 * before.pixels.std()
    coloured = parse_background("#1f3a5f")
    assert coloured is not None
    assert (with_background(before, coloured, 20.0).pixels == (0x1F, 0x3A, 0x5F)).all()
    for shape in ((10, 200, 3), (300, 20, 3), (64, 48, 3)):
        image = np.full(shape, 77, np.uint8)
        shown = with_background(before, Background("image", image=image), 20.0).pixels
        assert shown.shape == before.pixels.shape
        assert (shown == 77).all()


def test_a_background_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("me.png").write_bytes(b"a picture")
    Path("text.txt").write_text("no picture")
    for text, word in (
        ("transparent", "no transparency"),
        ("#12", "#rrggbb"),
        ("nowhere.png", "neither"),
        ("text.txt", "JPEG, PNG or WebP"),
    ):
        arguments = ("me.png", "-o", "me.hvia", "--synthetic", "--background", text)
        code, said_so = failed(capsys, "avatars", "build", *arguments)
        assert code in (1, 78)
        assert word in said_so


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("me.png", "-o", "my avatar.hvia"), "could not be served"),
        (("me.png", "-o", "me.hvia", "--fps", "23"), "--fps"),
        (("me.png", "-o", "me.hvia", "--size", "511x640"), "even"),
    ],
)
def test_what_could_never_be_served_is_said_before_any_work(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    Path("me.png").write_bytes(b"a picture")
    code, text = failed(capsys, "avatars", "build", *arguments)
    assert code == 78
    assert word in text


@pytest.mark.parametrize(
    "content", [b"a picture", b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_a_file_that_is_no_photo_is_a_sentence_with_its_name(
    capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    Path("me.jpg").write_bytes(content)
    code, text = failed(capsys, "avatars", "build", "me.jpg", "-o", "me.hvia", "--synthetic")
    assert code == 1
    assert "me.jpg: The" in text
    assert not Path("me.hvia").exists()
