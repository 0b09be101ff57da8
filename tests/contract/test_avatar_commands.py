"""`avatar-worker avatars ...` as a process, and files that change under a running worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from avatar_worker.avatars.format import write_avatar
from avatar_worker.avatars.format.writer import replace_file
from fakes.avatars import tiny_avatar

COMMAND = [sys.executable, "-m", "avatar_worker"]
DEADLINE = 30.0


def environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AVATAR_WORKER_", "LIVEKIT_"))
    }
    return {**kept, "NO_COLOR": "1", "AVATAR_WORKER_AVATARS": str(folder)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one sound avatar and one that is cut short."""
    folder = tmp_path / "avatars"
    folder.mkdir()
    write_avatar(tiny_avatar("tiny"), folder / "tiny.hvia")
    (folder / "half.hvia").write_bytes((folder / "tiny.hvia").read_bytes()[:-100])
    return folder


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `avatar-worker avatars ...`, run beside the folder."""
    done = subprocess.run(
        [*COMMAND, "avatars", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder.parent,
        env=environment(folder),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_list_shows_every_file_and_why_one_cannot_be_used(folder: Path) -> None:
    code, text = run(folder, "list", "--json")
    rows = {row["id"]: row for row in map(json.loads, text.splitlines())}
    assert code == 0
    assert rows["tiny"]["ok"]
    assert (rows["half"]["ok"], rows["half"]["code"]) == (False, "E_ENVELOPE")


def test_inspect_shows_the_manifest(folder: Path) -> None:
    code, text = run(folder, "inspect", "tiny", "--json")
    assert code == 0
    assert json.loads(text)["canvas"]["width"] == 64
    assert run(folder, "inspect", "half")[0] == 1


def test_verify_reads_strangers_in_a_child_and_names_the_rule(folder: Path) -> None:
    code, text = run(folder, "verify", "tiny", "avatars/half.hvia")
    lines = text.splitlines()
    assert code == 1
    assert "sound, sha256:" in lines[0]
    assert "refused (E_ENVELOPE)" in lines[1]
    assert run(folder, "verify", "tiny")[0] == 0


def test_preview_draws_a_sheet(folder: Path) -> None:
    assert run(folder, "preview", "tiny", "-o", "sheet.png")[0] == 0
    sheet = cv2.imread(str(folder.parent / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] > 800


def test_check_measures_ten_criteria(folder: Path) -> None:
    code, text = run(folder, "check", "tiny", "--json")
    row = json.loads(text)
    assert {finding["criterion"] for finding in row["findings"]} == set(range(1, 11))
    assert code == (0 if row["ok"] else 1)


def test_sign_vouches_and_keeps_the_content(folder: Path) -> None:
    before = run(folder, "verify", "tiny")[1]
    assert run(folder, "new-key", "mine.key")[0] == 0
    assert run(folder, "sign", "tiny", "--key", "mine.key")[0] == 0
    assert run(folder, "verify", "tiny") == (0, before)
    assert b"signature.json" in (folder / "tiny.hvia").read_bytes()


# Hot reload


@pytest.fixture
def worker(folder: Path) -> Iterator[str]:
    """A worker on the folder; its base URL."""
    process = subprocess.Popen(
        [*COMMAND, "start", "--port", "0", "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
        env=environment(folder),
    )
    try:
        assert process.stderr is not None
        says = next(line for line in process.stderr if "listens on http://" in line)
        yield "http://" + says.split("http://")[1].split()[0].rstrip(".,/")
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


def served(url: str) -> dict[str, Any]:
    """Titles by id, without the avatars of the package."""
    with urllib.request.urlopen(f"{url}/v1/avatars") as answer:
        rows = json.load(answer)["avatars"]
    return {row["id"]: row["title"] for row in rows if row["id"] != "demo"}


def becomes(url: str, wanted: dict[str, str]) -> None:
    """The very next answer counts, but for a clock that is coarser than the test."""
    until = time.monotonic() + DEADLINE
    while served(url) != wanted:
        assert time.monotonic() < until, served(url)
        time.sleep(0.05)


def test_files_come_change_break_and_go_while_the_worker_runs(folder: Path, worker: str) -> None:
    becomes(worker, {"tiny": "Tiny"})
    write_avatar(tiny_avatar("new", name="New"), folder / "new.hvia")
    becomes(worker, {"tiny": "Tiny", "new": "New"})
    write_avatar(tiny_avatar("new", seed=1, name="Newer"), folder / "new.hvia")
    becomes(worker, {"tiny": "Tiny", "new": "Newer"})
    replace_file(b"no avatar" * 300, folder / "new.hvia")
    becomes(worker, {"tiny": "Tiny"})
    write_avatar(tiny_avatar("new", name="Mended"), folder / "new.hvia")
    (folder / "tiny.hvia").rename(folder / "moved.hvia")
    becomes(worker, {"moved": "Tiny", "new": "Mended"})
    (folder / "new.hvia").unlink()
    becomes(worker, {"moved": "Tiny"})
