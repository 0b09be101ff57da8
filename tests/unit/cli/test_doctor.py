"""What the doctor finds on a machine, and what it says."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from avatar_worker.cli.checks import Level, examine
from fakes.command_line import said

pytestmark = pytest.mark.usefixtures("bare")


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
