from __future__ import annotations

from pathlib import Path

import pytest

from avatar_worker.avatars.format import write_avatar
from avatar_worker.config import Settings, variable_name
from fakes.avatars import tiny_avatar


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine's; an empty folder to work in."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)
    monkeypatch.setenv("AVATAR_WORKER_AVATARS", str(tmp_path / "avatars"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with one sound avatar and one that is none."""
    folder = tmp_path / "avatars"
    folder.mkdir()
    write_avatar(tiny_avatar("tiny"), folder / "tiny.hvia")
    (folder / "broken.hvia").write_bytes(b"PK\x03\x04" + bytes(2000))
    return folder
