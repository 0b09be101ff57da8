"""Which LiveKit servers a start request may name. Pure; no name is looked up.

The SDK resolves the name itself, so this list is the guard and an address check would be none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from avatar_worker.config import is_loopback
from avatar_worker.errors import ConfigError

from .refusals import UrlNotAllowedError

SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
MAX_LENGTH: Final = 300

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS_6 = re.compile(r"[0-9a-f:]+")
_VISIBLE = re.compile(r"[!-~]+")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry of the operator's list.

    Attributes:
        host: Lower case; for a wildcard the part behind `*.`.
        port: The only port, or none for any.
        wildcard: Names below `host`, by TLS only.
    """

    host: str
    port: int | None = None
    wildcard: bool = False

    def admits(self, scheme: str, host: str, port: int) -> bool:
        """Return whether a URL of this scheme, host and port matches."""
        if self.port is not None and port != self.port:
            return False
        if self.wildcard:
            return scheme == "wss" and host.endswith("." + self.host)
        if self.host in _LOOPBACK:
            return host in _LOOPBACK
        return host == self.host


HostRules = tuple[HostRule, ...]


def parse_rule(entry: str) -> HostRule:
    """Read `host`, `host:port`, `[v6]:port` or `*.domain`.

    Raises:
        ConfigError: If the entry is none of these.
    """
    text = entry.strip().lower()
    wildcard = text.startswith("*.")
    try:
        split = urlsplit("//" + text.removeprefix("*."))
        host, port = split.hostname, split.port
    except ValueError:
        host, port = None, None
    plain = host is not None and (_NAME.fullmatch(host) or _ADDRESS_6.fullmatch(host))
    if host is None or not plain or re.search(r"[@/?#]", text) or (wildcard and "." not in host):
        raise ConfigError(
            f"AVATAR_WORKER_LIVEKIT_HOSTS: {entry!r} is not `host`, `host:port` or `*.domain`"
        )
    return HostRule(host, port, wildcard)


def rules(listed: Iterable[str], livekit_url: str | None, *, local: bool) -> HostRules:
    """Return the rules in force.

    Args:
        listed: The operator's list; where it is not empty nothing else counts.
        livekit_url: The worker's own server, whose host is the default.
        local: Whether the worker listens on loopback only; then loopback is the last default.

    Raises:
        ConfigError: If an entry, or `livekit_url`, cannot be read.
    """
    named = tuple(parse_rule(entry) for entry in listed)
    if named:
        return named
    if livekit_url:
        host = urlsplit(livekit_url).hostname
        if not host:
            raise ConfigError("LIVEKIT_URL is not a URL such as wss://livekit.example.org")
        return (HostRule(host.lower()),)
    return (HostRule("localhost"),) if local else ()


def normalise(url: str, allowed: HostRules) -> str:
    """Return `url` as `ws[s]://host:port`, rebuilt from its parts.

    Two parsers never see the same text: what the SDK gets is what was checked.

    Raises:
        UrlNotAllowedError: If the URL has a user, path, query, fragment or odd characters, or
            its host is not allowed.
    """
    if not allowed:
        raise UrlNotAllowedError(
            "starting over HTTP is off: no LiveKit host is configured on this worker"
        )
    if len(url) > MAX_LENGTH or not _VISIBLE.fullmatch(url) or re.search(r"[@?#\\%]", url):
        raise UrlNotAllowedError("livekit_url must be ws[s]://host[:port] and nothing more")
    try:
        split = urlsplit(url)
        host, port = (split.hostname or "").lower(), split.port
    except ValueError:
        raise UrlNotAllowedError("livekit_url is not a URL") from None
    scheme = SCHEMES.get(split.scheme.lower())
    if scheme is None or not host or split.path not in ("", "/"):
        raise UrlNotAllowedError("livekit_url must be ws[s]://host[:port] and nothing more")
    if not (_NAME.fullmatch(host) or (":" in host and _ADDRESS_6.fullmatch(host))):
        raise UrlNotAllowedError("livekit_url holds a host name that is written unusually")
    port = DEFAULT_PORTS[scheme] if port is None else port
    if port == 0 or not any(rule.admits(scheme, host, port) for rule in allowed):
        raise UrlNotAllowedError("livekit_url names a server that this worker may not join")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def is_local(host: str) -> bool:
    """Return whether a worker that listens on `host` is reachable from this machine only."""
    return is_loopback(host)
