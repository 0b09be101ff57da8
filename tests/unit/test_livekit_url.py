from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from avatar_worker.errors import ConfigError
from avatar_worker.server.livekit_url import HostRule, normalise, parse_rule, rules
from avatar_worker.server.refusals import UrlNotAllowedError


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("livekit.test", HostRule("livekit.test")),
        ("LiveKit.Test:7880", HostRule("livekit.test", 7880)),
        ("*.livekit.cloud", HostRule("livekit.cloud", None, wildcard=True)),
        ("10.1.2.3", HostRule("10.1.2.3")),
        ("[::1]:7880", HostRule("::1", 7880)),
    ],
)
def test_an_entry_is_a_host_a_host_with_port_or_a_wildcard(entry: str, rule: HostRule) -> None:
    assert parse_rule(entry) == rule


@pytest.mark.parametrize(
    "entry", ["", "*", "*.cloud", "ws://x", "a/b", "a@b", "a b", "x:99999", "a_b", "x.", "*.*.x.y"]
)
def test_anything_else_refuses_to_start(entry: str) -> None:
    with pytest.raises(ConfigError, match="LIVEKIT_HOSTS"):
        parse_rule(entry)


def test_the_list_wins_over_our_own_server_which_wins_over_loopback() -> None:
    assert rules(["a.test"], "wss://b.test", local=True) == (HostRule("a.test"),)
    assert rules([], "wss://B.test:7880", local=True) == (HostRule("b.test"),)
    assert rules([], None, local=True) == (HostRule("localhost"),)


def test_a_public_worker_that_knows_no_livekit_takes_no_http_starts() -> None:
    assert rules([], None, local=False) == ()
    with pytest.raises(UrlNotAllowedError, match="off"):
        normalise("wss://livekit.test", ())


def test_a_livekit_url_without_a_host_refuses_to_start() -> None:
    with pytest.raises(ConfigError, match="LIVEKIT_URL"):
        rules([], "livekit", local=True)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("ws://livekit.test", "ws://livekit.test:80"),
        ("wss://livekit.test", "wss://livekit.test:443"),
        ("http://livekit.test:7880", "ws://livekit.test:7880"),
        ("https://LIVEKIT.test/", "wss://livekit.test:443"),
        ("WSS://livekit.TEST:443", "wss://livekit.test:443"),
    ],
)
def test_spellings_of_one_server_become_one_url(url: str, normal: str) -> None:
    assert normalise(url, (HostRule("livekit.test"),)) == normal


def test_a_port_in_the_list_is_the_only_port() -> None:
    allowed = (HostRule("livekit.test", 7880),)
    assert normalise("ws://livekit.test:7880", allowed) == "ws://livekit.test:7880"
    with pytest.raises(UrlNotAllowedError):
        normalise("ws://livekit.test:22", allowed)


def test_a_wildcard_means_names_below_it_and_only_by_tls() -> None:
    allowed = (HostRule("livekit.cloud", None, wildcard=True),)
    assert normalise("wss://a.livekit.cloud", allowed) == "wss://a.livekit.cloud:443"
    for url in ("ws://a.livekit.cloud", "wss://livekit.cloud", "wss://evil-livekit.cloud"):
        with pytest.raises(UrlNotAllowedError):
            normalise(url, allowed)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_is_one_host_by_three_names(name: str) -> None:
    assert normalise(f"ws://{name}:7880", (HostRule("localhost"),)) == f"ws://{name}:7880"


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.2",
        "ws://2130706433",
        "ws://0x7f000001",
        "ws://0177.0.0.1",
        "ws://127.1",
        "ws://[::ffff:127.0.0.1]",
        "ws://[::1%25lo]",
        "ws://localhost.",
        "ws://localhost.evil.test",
        "ws://169.254.169.254",
        "ws://user@localhost",
        "ws://localhost@evil.test",
        "ws://localhost#@evil.test",
        "ws://localhost?x",
        "ws://localhost/rtc",
        "ws://localhost:0",
        "ws://localhost:99999",
        "ws://localhost:port",
        "ws:localhost",
        "//localhost",
        "localhost",
        "file://localhost",
        "ws://local\thost",
        "ws://local\nhost",
        "ws://ｌocalhost",
        "ws://localhost\\@evil.test",
        "ws://[::1",
        "",
        "ws://" + "a" * 400,
    ],
)
def test_other_spellings_and_disguises_are_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowedError):
        normalise(url, (HostRule("localhost"),))


@given(st.text(max_size=60) | st.text(alphabet="wshtp:/@[]#?.%\\livektes0127", max_size=40))
def test_whatever_comes_out_is_a_listed_host_and_nothing_else(text: str) -> None:
    try:
        found = normalise(text, (HostRule("livekit.test"),))
    except UrlNotAllowedError:
        return
    scheme, _, rest = found.partition("://")
    host, _, port = rest.partition(":")
    assert (scheme in ("ws", "wss"), host, port.isdigit()) == (True, "livekit.test", True)
