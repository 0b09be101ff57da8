from __future__ import annotations

import warnings

import pytest

from livekit.plugins.avaluma import AvalumaException, AvatarSession, AvatarSettingsError
from livekit.plugins.avaluma.settings import (
    AVATAR_NAMES,
    KEY_NAMES,
    URL_NAMES,
    is_managed,
    normalize_server_url,
    resolve,
)


@pytest.mark.parametrize(
    ("names", "field", "value"),
    [
        (KEY_NAMES, "license_key", "a-key"),
        (AVATAR_NAMES, "avatar_id", "ada"),
        (URL_NAMES, "server_url", "https://avatars.example"),
    ],
)
def test_each_older_name_is_read_and_warns_once_without_its_value(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], field: str, value: str
) -> None:
    url = None if names is URL_NAMES else "http://localhost:8080"
    for name in names[1:]:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.warns(DeprecationWarning, match=f"{name} is deprecated.*{names[0]}") as got:
                assert getattr(resolve(avatar_server_url=url), field) == value
            assert value not in str(got[0].message)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert getattr(resolve(avatar_server_url=url), field) == value


@pytest.mark.parametrize("names", [KEY_NAMES, AVATAR_NAMES, URL_NAMES])
def test_an_earlier_name_wins_over_every_later_one(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    field = {KEY_NAMES: "license_key", AVATAR_NAMES: "avatar_id", URL_NAMES: "server_url"}[names]
    url = None if names is URL_NAMES else "http://localhost:8080"
    for position, name in reversed(list(enumerate(names))):
        monkeypatch.setenv(name, f"http://server-{position}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert getattr(resolve(avatar_server_url=url), field) == f"http://server-{position}"


def test_the_canonical_names_do_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEY_NAMES, *AVATAR_NAMES, *URL_NAMES):
        monkeypatch.setenv(name, "http://value")
    settings = resolve()
    assert settings.license_key == "http://value"


def test_a_blank_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVALUMA_API_URL", " ")
    monkeypatch.setenv("AVALUMA_AVATAR_ID", "")
    settings = resolve(license_key="k", avatar_id="a")
    assert settings.server_url == "https://api.avaluma.ai"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVALUMA_API_KEY", "environment")
    monkeypatch.setenv("AVALUMA_AVATAR_ID", "environment")
    monkeypatch.setenv("AVALUMA_API_URL", "http://environment")
    settings = resolve(license_key="k", avatar_id="a", avatar_server_url="http://argument")
    assert (settings.license_key, settings.avatar_id) == ("k", "a")
    assert settings.server_url == "http://argument"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://localhost:8080//", "http://localhost:8080"),
        (" https://avatars.example ", "https://avatars.example"),
        ("https://example.com/avatars/", "https://example.com/avatars"),
        ("https://a.example/v1/livekit/start-avatar", "https://a.example"),
        ("https://a.example/v1/livekit/start-avatar/", "https://a.example"),
        ("https://a.example/livekit/v1/start-avatar", "https://a.example"),
        ("https://a.example/v1/start-avatar", "https://a.example"),
        ("https://a.example/start-avatar", "https://a.example"),
        ("https://a.example/stop-avatar", "https://a.example"),
        ("https://a.example/x/v1/livekit/start-avatar", "https://a.example/x"),
    ],
)
def test_the_base_url_has_no_slash_and_no_endpoint(given: str, base: str) -> None:
    assert normalize_server_url(given) == base


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ws://a", "https://", "http://u:p@a", "http://a?x=1", "http://a#x"]
)
def test_a_url_that_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(AvatarSettingsError, match="avatar server URL"):
        normalize_server_url(url)


def test_a_server_of_ones_own_needs_neither_key_nor_avatar() -> None:
    settings = resolve(avatar_server_url="http://localhost:8080")
    assert (settings.license_key, settings.avatar_id) == (None, "demo")


def test_the_managed_service_needs_both() -> None:
    with pytest.raises(AvatarSettingsError, match="AVALUMA_API_KEY"):
        AvatarSession(avatar_id="a")
    with pytest.raises(AvatarSettingsError, match="AVALUMA_AVATAR_ID"):
        AvatarSession(license_key="k")
    assert resolve(license_key="k", avatar_id="a").server_url == "https://api.avaluma.ai"


def test_a_name_that_only_looks_managed_is_not() -> None:
    assert is_managed("https://api.avaluma.ai/x")
    assert is_managed("https://API.avaluma.ai:443")
    assert not is_managed("https://api.avaluma.ai.example")


def test_dispatch_uses_no_url_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVALUMA_API_URL", "https://elsewhere.example")
    settings = resolve(agent_name="avaluma-avatar")
    assert (settings.server_url, settings.agent_name) == (None, "avaluma-avatar")
    assert settings.avatar_id == "demo"


def test_both_doors_at_once_are_refused() -> None:
    with pytest.raises(AvatarSettingsError, match="exclude each other"):
        AvatarSession(agent_name="avaluma-avatar", avatar_server_url="http://localhost:8080")
    with pytest.raises(AvatarSettingsError, match="agent_name"):
        AvatarSession(agent_name=" ")


def test_identity_and_name_follow_the_avatar_unless_given() -> None:
    url = "http://localhost:8080"
    plain = resolve(avatar_server_url=url, avatar_id="Ada")
    assert (plain.avatar_identity, plain.avatar_name) == ("avatar-Ada", "avatar-Ada")
    given = resolve(avatar_server_url=url, avatar_identity="anna", avatar_name="Anna")
    assert (given.avatar_identity, given.avatar_name) == ("anna", "Anna")


@pytest.mark.parametrize("identity", ["", "x" * 257])
def test_an_identity_that_livekit_would_refuse_is_refused_here(identity: str) -> None:
    with pytest.raises(AvatarSettingsError, match="1 to 256"):
        AvatarSession(
            avatar_server_url="http://localhost:8080", avatar_participant_identity=identity
        )


def test_listed_speakers_need_the_policy_and_the_policy_needs_them() -> None:
    url = "http://localhost:8080"
    settings = resolve(avatar_server_url=url, speech_from="listed", speakers=["a", "b"])
    assert settings.speakers == ("a", "b")
    with pytest.raises(AvatarSettingsError, match="listed"):
        resolve(avatar_server_url=url, speakers=["a"])
    with pytest.raises(AvatarSettingsError, match="listed"):
        resolve(avatar_server_url=url, speech_from="any", speakers=["a"])
    for wrong in ([], ["x"] * 17, "one string"):
        with pytest.raises(AvatarSettingsError, match="1 to 16"):
            resolve(avatar_server_url=url, speech_from="listed", speakers=wrong)
    with pytest.raises(AvatarSettingsError, match="on_behalf, agents"):
        resolve(avatar_server_url=url, speech_from="everybody")  # type: ignore[arg-type]


def test_every_error_of_the_settings_is_an_avaluma_exception() -> None:
    with pytest.raises(AvalumaException):
        AvatarSession(avatar_server_url="no url")


def test_what_follows_a_lost_avatar_is_one_of_three_words() -> None:
    url = "http://localhost:8080"
    assert resolve(avatar_server_url=url).on_avatar_lost == "agent_audio"
    assert resolve(avatar_server_url=url, on_avatar_lost="restart").on_avatar_lost == "restart"
    with pytest.raises(AvatarSettingsError, match="agent_audio, restart, text_only"):
        resolve(avatar_server_url=url, on_avatar_lost="panic")  # type: ignore[arg-type]
