"""The command line, run inside this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from avatar_worker.avatars.builder import models
from avatar_worker.cli import files
from avatar_worker.cli.main import exit_code, run, sentence
from avatar_worker.errors import ConfigError, DeviceError, PeerError
from avatar_worker.version import __version__
from fakes.command_line import failed, said

pytestmark = pytest.mark.usefixtures("bare")

COMMANDS = ["start", "dev", "demo", "render", "doctor", "bench", "download-files", "avatars"]


def test_help_names_every_command() -> None:
    code, text = said("--help")
    assert code == 0
    for command in COMMANDS:
        assert command in text


@pytest.mark.parametrize("command", [*COMMANDS, "avatars build", "avatars list", "avatars verify"])
def test_every_command_explains_itself(command: str) -> None:
    code, text = said(*command.split(), "--help")
    assert code == 0
    assert len(text.splitlines()) > 5


def test_the_version_is_printed_alone() -> None:
    assert said("--version") == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("x"), 78), (DeviceError("x"), 70), (PeerError("x"), 1)]
)
def test_the_exit_code_tells_a_supervisor_what_to_do(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_is_one_line_whatever_it_was() -> None:
    assert sentence(ConfigError("a\nb")) == "a b"
    assert sentence(FileNotFoundError(2, "No such file", "x.wav")) == "No such file: x.wav"
    assert "secret" not in sentence(ValueError("wss://secret"))


def test_a_wrong_setting_is_a_sentence_and_78(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_WORKER_PORT", "eighty")
    code, text = failed(capsys, "start")
    assert code == 78
    assert text.startswith("avatar-worker: AVATAR_WORKER_PORT: ")
    assert text.count("\n") == 1


def test_listening_beyond_loopback_without_a_key_is_78(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = failed(capsys, "start", "--host", "0.0.0.0")
    assert code == 78
    assert "AVATAR_WORKER_API_KEYS" in text


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "strat")[0] == 2


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(ConfigError):
        run(["--debug", "bench", "render"])


def test_avatars_are_listed_with_the_reason_against_some(shelf: Path) -> None:
    code, text = said("avatars", "list")
    assert code == 0
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "fps" in lines["tiny"]
    assert "refused (E_" in lines["broken"]


def test_the_list_can_be_read_by_a_machine(shelf: Path) -> None:
    entries = [json.loads(line) for line in said("avatars", "list", "--json")[1].splitlines()]
    assert {entry["id"]: entry["ok"] for entry in entries if entry["id"] != "demo"} == {
        "broken": False,
        "tiny": True,
    }


def test_verify_is_0_only_if_every_file_is_sound(shelf: Path) -> None:
    assert said("avatars", "verify", "tiny")[0] == 0
    code, text = said("avatars", "verify", "tiny", str(shelf / "broken.hvia"))
    assert code == 1
    assert "tiny.hvia: sound, sha256:" in text
    assert "broken.hvia: refused (E_" in text


def test_inspect_tells_rights_and_size_or_everything(shelf: Path) -> None:
    text = said("avatars", "inspect", "tiny")[1]
    for word in ("picture", "licence", "shows", "sha256:"):
        assert word in text
    assert json.loads(said("avatars", "inspect", "tiny", "--json")[1])["format"] == "hvia"


def test_an_avatar_that_is_not_there_is_a_sentence(
    capsys: pytest.CaptureFixture[str], shelf: Path
) -> None:
    for arguments in (("avatars", "inspect", "nobody"), ("avatars", "verify", "./no.hvia")):
        code, text = failed(capsys, *arguments)
        assert code == 1
        assert "no avatar" in text


def test_building_from_a_real_person_needs_consent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "me.png").write_bytes(b"a picture")
    code, text = failed(capsys, "avatars", "build", "me.png", "-o", "me.hvia")
    assert code == 1
    assert "--consent" in text
    assert "--synthetic" in text
    assert not (tmp_path / "me.hvia").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("no.png", "-o", "me.hvia"), "no.png"),
        (("me.png", "-o", "me.zip"), ".hvia"),
        (("me.png", "-o", "none/me.hvia"), "folder"),
        (("me.png", "-o", "me.hvia", "--size", "large"), "--size"),
        (("me.png", "-o", "me.hvia", "--synthetic", "--public-domain"), "one of"),
    ],
)
def test_what_cannot_be_built_is_said_before_any_work(
    arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "me.png").write_bytes(b"a picture")
    code, text = failed(capsys, "avatars", "build", *arguments)
    assert code == 78
    assert word in text


def test_rendering_needs_a_sound_an_avatar_and_an_mp4(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert "no.wav" in failed(capsys, "render", "no.wav", "-o", "a.mp4")[1]
    assert ".mp4" in failed(capsys, "render", "a.wav", "-o", "a.avi")[1]
    assert "folder" in failed(capsys, "render", "a.wav", "-o", "none/a.mp4")[1]
    code, text = failed(capsys, "render", "a.wav", "-o", "a.mp4", "--avatar", "nobody")
    assert code == 1
    assert "nobody" in text


def test_marks_that_make_no_sense_are_a_sentence_that_names_the_known_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path("a.wav").write_bytes(b"RIFF")
    command = ("render", "a.wav", "-o", "a.mp4", "--marks", "m.json")
    code, text = failed(capsys, *command)
    assert code == 78
    assert "m.json" in text
    Path("m.json").write_text('{"marks": [{"at": 0, "gesture": "jump"}]}')
    code, text = failed(capsys, *command)
    assert code == 78
    assert "mark 1" in text
    assert "nod" in text


def test_benchmarks_need_a_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = failed(capsys, "bench", "render")
    assert code == 78
    assert "repository" in text


def test_a_benchmark_runs_in_the_repository_and_gives_its_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "avatar-worker").mkdir()
    (tmp_path / "benchmarks").mkdir()
    program = (
        "import sys, pathlib\npathlib.Path('ran').write_text(' '.join(sys.argv[1:]))\nsys.exit(3)\n"
    )
    (tmp_path / "benchmarks" / "render.py").write_text(program)
    assert failed(capsys, "bench", "render", "--json", "--short")[0] == 3
    assert (tmp_path / "ran").read_text() == "--json --short"
    code, text = failed(capsys, "bench", "nothing")
    assert code == 78
    assert "render" in text


# The doctor


def test_download_files_leaves_nothing_to_compile_for_the_first_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "face_landmarker.task"
    monkeypatch.setattr(models, "download_models", lambda tell: here)
    code, text = said("download-files")
    assert code == 0
    assert f"the face landmark model is at {here}" in text
    assert "compiling what cuts persons out" in text
    assert "pymatting" in sys.modules
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    code, text = said("download-files")
    assert (code, "avatar-worker[build]" in text) == (0, True)
    assert "compiling" not in text
