from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from avatar_worker.config import (
    SESSIONS_PER_CORE,
    Settings,
    is_loopback,
    read_settings,
    usable_cores,
    variable_name,
)
from avatar_worker.errors import ConfigError
from avatar_worker.room.door import SpeechFrom


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)


def test_without_any_variable_the_worker_serves_this_machine_only() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.api_keys) == ("127.0.0.1", 8080, ())
    assert settings.avatars == (Path("assets/avatars"),)
    assert settings.max_sessions == SESSIONS_PER_CORE * usable_cores()
    assert not settings.can_dispatch


def test_defaults_of_who_may_speak_are_those_of_the_wire() -> None:
    settings = read_settings()
    assert settings.speech_from is SpeechFrom.UNTIL_AGENT
    assert settings.dispatch_speech_from is SpeechFrom.AGENTS


def test_the_grace_periods_are_those_of_the_protocol() -> None:
    settings = read_settings()
    graces = (settings.agent_gone_grace, settings.agent_never_came_grace, settings.alone_grace)
    assert graces == (20.0, 60.0, 20.0)
    assert settings.start_budget == 10.0


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_WORKER_API_KEYS", "first-long-key, second-long-key,")
    monkeypatch.setenv("AVATAR_WORKER_AVATARS", "a/b,/c")
    monkeypatch.setenv("AVATAR_WORKER_LIVEKIT_HOSTS", "one.test, *.two.test")
    monkeypatch.setenv("AVATAR_WORKER_METRICS_NETWORKS", "10.0.0.0/8")
    settings = read_settings()
    keys = [key.get_secret_value() for key in settings.api_keys]
    assert keys == ["first-long-key", "second-long-key"]
    assert settings.avatars == (Path("a/b"), Path("/c"))
    assert settings.livekit_hosts == ("one.test", "*.two.test")
    assert [str(network) for network in settings.metrics_networks] == ["10.0.0.0/8"]


def test_a_flag_wins_over_the_environment_and_none_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVATAR_WORKER_PORT", "9000")
    assert read_settings(port=None).port == 9000
    assert read_settings(port=9001).port == 9001


def test_livekit_keeps_its_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "wss://livekit.test")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    assert not read_settings().can_dispatch
    monkeypatch.setenv("LIVEKIT_API_SECRET", "a-very-secret-secret")
    settings = read_settings()
    assert settings.can_dispatch
    assert not read_settings(dispatch=False).can_dispatch
    assert "a-very-secret-secret" not in repr(settings)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_WORKER_PORT", "")
    assert read_settings().port == 8080


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        read_settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("MAX_SESSIONS", "0"),
        ("RENDERER", "gpu"),
        ("SPEECH_FROM", "everybody"),
        ("LOG_LEVEL", "loud"),
        ("METRICS_NETWORKS", "10.0.0.0/99"),
        ("DRAIN_TIMEOUT", "-1"),
        ("VIDEO_FPS", "23"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AVATAR_WORKER_{name}", value)
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert f"AVATAR_WORKER_{name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_variable_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_WORKER_MAX_SESSION", "3")
    with pytest.raises(ConfigError, match="AVATAR_WORKER_MAX_SESSION"):
        read_settings()


def test_beyond_loopback_a_key_is_needed() -> None:
    with pytest.raises(ConfigError, match="AVATAR_WORKER_API_KEYS"):
        read_settings(host="0.0.0.0")
    assert read_settings(host="0.0.0.0", api_keys="a-long-enough-key").host == "0.0.0.0"


@pytest.mark.parametrize("key", ["CHANGE_THIS", "changeme", "secret", "short", "good-long-key,x"])
def test_a_weak_key_refuses_to_start_and_is_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(api_keys=key)
    assert "API_KEYS" in str(caught.value)
    assert key not in str(caught.value)


def test_the_same_key_twice_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="twice"):
        read_settings(api_keys="a-long-enough-key,a-long-enough-key")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.test", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, local: bool) -> None:
    assert is_loopback(host) is local
