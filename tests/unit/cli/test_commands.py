"""The command line, run inside this process."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avatar_worker.avatars.builder import models
from avatar_worker.avatars.format import write_avatar
from avatar_worker.cli import files
from avatar_worker.cli.checks import Level, examine
from avatar_worker.cli.main import app, exit_code, run, sentence
from avatar_worker.config import Settings, variable_name
from avatar_worker.errors import ConfigError, DeviceError, PeerError
from avatar_worker.version import __version__
from fakes.avatars import tiny_avatar

COMMANDS = ["start", "dev", "demo", "render", "doctor", "bench", "download-files", "avatars"]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(arguments)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    return code, captured.err


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


def topics(**flags: int) -> dict[str, list[tuple[Level, str]]]:
    found: dict[str, list[tuple[Level, str]]] = {}
    for finding in examine(**flags):
        found.setdefault(finding.topic, []).append((finding.level, finding.says))
        assert finding.level is not Level.BAD or finding.remedy
    return found


def test_the_doctor_looks_at_everything_that_a_start_needs(shelf: Path) -> None:
    found = topics(port=0)
    assert set(found) >= {
        "python",
        "sdk",
        "livekit",
        "gpu",
        "sessions",
        "avatars",
        "models",
        "port",
    }
    assert found["python"][0][0] is Level.GOOD
    assert (Level.GOOD) in [level for level, _ in found["avatars"]]


def test_the_doctor_names_avatars_that_are_refused_and_why(shelf: Path) -> None:
    says = [says for level, says in topics(port=0)["avatars"] if level is Level.NOTE]
    assert any(text.startswith("broken.hvia is refused: ") and "E_" in text for text in says)


def test_the_doctor_finds_a_taken_port(shelf: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert topics(port=port)["port"] == [(Level.BAD, f"{port} on 127.0.0.1 is taken")]
        code, text = said("doctor", "--port", str(port))
    assert code == 1
    assert text.rstrip().endswith("This machine cannot serve yet.")


def test_the_doctor_says_what_livekit_lacks(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    assert topics(port=0)["livekit"][0][0] is Level.NOTE
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:9")
    assert topics(port=0)["livekit"][0][0] is Level.BAD
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "s" * 32)
    assert topics(port=0)["livekit"] == [
        (Level.BAD, "ws://127.0.0.1:9 cannot be used: nothing listens there")
    ]


def test_a_default_avatar_that_is_not_there_is_bad(
    monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    monkeypatch.setenv("AVATAR_WORKER_DEFAULT_AVATAR", "nobody")
    assert (Level.BAD, "the default avatar 'nobody' is not there") in topics(port=0)["avatars"]


def test_a_setting_that_cannot_be_read_is_a_finding_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_WORKER_PORT", "eighty")
    assert topics()["settings"][0][0] is Level.BAD


def test_every_default_that_was_opened_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    assert "opened" not in topics(port=0)
    opened = {
        "HOST": "0.0.0.0",
        "SPEECH_FROM": "any",
        "DISPATCH_SPEECH_FROM": "any",
        "LIVEKIT_HOSTS": "*.livekit.test",
        "HEAR_CALLER": "true",
        "METRICS_NETWORKS": "10.0.0.0/8",
        "LOG_PERSONAL": "true",
    }
    monkeypatch.setenv("AVATAR_WORKER_API_KEYS", "a-long-enough-key")
    for name, value in opened.items():
        monkeypatch.setenv(f"AVATAR_WORKER_{name}", value)
    says = [says for _, says in topics(port=0)["opened"]]
    assert len(says) == len(opened)
    for name in opened:
        assert any(f"AVATAR_WORKER_{name}" in text for text in says)


def test_the_doctor_speaks_json(shelf: Path) -> None:
    code, text = said("doctor", "--json", "--port", "0")
    content = json.loads(text)
    assert content["can_serve"] is (code == 0) is True
    assert {"topic", "level", "says", "remedy"} == set(content["findings"][0])


def test_the_doctor_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    monkeypatch.setenv("AVATAR_WORKER_API_KEYS", "canary-api-key")
    monkeypatch.setenv("LIVEKIT_URL", "ws://user:canary@127.0.0.1:9?token=canary")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "canary-" * 6)
    assert "canary" not in said("doctor", "--port", "0")[1]


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
