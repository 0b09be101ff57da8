from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from .errors import AvatarSettingsError

MANAGED_URL = "https://api.avaluma.ai"
DEFAULT_AVATAR_ID = "demo"
DEFAULT_SPEECH_FROM = "agents"
MAX_IDENTITY_LENGTH = 256
MAX_SPEAKERS = 16

SpeechFrom = Literal["on_behalf", "agents", "listed", "until_agent", "any"]
"""Whom the avatar hears: the agent only; it and other agents; it and the listed identities;
anybody until the agent speaks for the first time; anybody."""

OnAvatarLost = Literal["agent_audio", "restart", "text_only"]
"""What follows when the avatar is gone unasked: the agent's own voice in the room; the same until
a new avatar is there; no more than what was before the avatar."""

# The first of each is canonical; the others were read by earlier plugins and by the examples.
KEY_NAMES = ("AVALUMA_API_KEY", "AVALUMA_LICENSE_KEY", "LICENSE_KEY")
AVATAR_NAMES = ("AVALUMA_AVATAR_ID", "AVATAR_ID")
URL_NAMES = (
    "AVALUMA_API_URL",
    "AVALUMA_AVATAR_SERVER_URL",
    "AVATAR_SERVER_URL",
    "AVALUMA_HVI_SERVER_URL",
)

# Earlier plugins were configured with the whole endpoint; longest first.
_ENDPOINTS = tuple(
    f"{prefix}/{action}-avatar"
    for prefix in ("/v1/livekit", "/livekit/v1", "/v1", "")
    for action in ("start", "stop")
)

_warned: set[str] = set()


@dataclass(frozen=True)
class Settings:
    """Which avatar is asked for, and at which door."""

    avatar_id: str
    avatar_identity: str
    avatar_name: str
    server_url: str | None
    """Base URL of the avatar server without a trailing slash; None means dispatch."""
    agent_name: str | None
    """Name under which the avatar worker waits for dispatched jobs; None means HTTP."""
    license_key: str | None
    speech_from: SpeechFrom | None
    """None means that nothing was asked for: ``agents`` on servers that know policies."""
    speakers: tuple[str, ...]
    on_avatar_lost: OnAvatarLost = "agent_audio"


def resolve(
    *,
    license_key: str | None = None,
    avatar_id: str | None = None,
    avatar_server_url: str | None = None,
    agent_name: str | None = None,
    avatar_identity: str | None = None,
    avatar_name: str | None = None,
    speech_from: SpeechFrom | None = None,
    speakers: Sequence[str] | None = None,
    on_avatar_lost: OnAvatarLost | None = None,
) -> Settings:
    """Complete the arguments from the environment.

    Raises:
        AvatarSettingsError: Both doors are named, the URL is no HTTP URL, the managed service
            is addressed without a key or without an avatar, the identity is empty or longer
            than 256 characters, policy and speakers do not fit together, or ``on_avatar_lost``
            is none of its words.
    """
    if agent_name is not None:
        if avatar_server_url is not None:
            raise AvatarSettingsError(
                "avatar_server_url and agent_name exclude each other: the first starts the avatar "
                "by HTTP, the second by LiveKit dispatch"
            )
        if not agent_name.strip():
            raise AvatarSettingsError("agent_name must not be empty")
        url = None
    else:
        url = normalize_server_url(avatar_server_url or from_environment(URL_NAMES) or MANAGED_URL)

    key = (license_key or from_environment(KEY_NAMES) or "").strip()
    avatar = (avatar_id or from_environment(AVATAR_NAMES) or "").strip()

    if url is not None and is_managed(url):
        if not key:
            raise AvatarSettingsError(
                "the managed service needs a key: pass license_key or set AVALUMA_API_KEY. "
                "To use your own avatar server, set AVALUMA_API_URL=http://localhost:8080"
            )
        if not avatar:
            raise AvatarSettingsError(
                "the managed service needs an avatar: pass avatar_id or set AVALUMA_AVATAR_ID"
            )
    avatar = avatar or DEFAULT_AVATAR_ID
    identity = f"avatar-{avatar}" if avatar_identity is None else avatar_identity
    if not 0 < len(identity) <= MAX_IDENTITY_LENGTH:
        raise AvatarSettingsError(
            f"the avatar's identity must have 1 to {MAX_IDENTITY_LENGTH} characters"
        )
    if on_avatar_lost is not None and on_avatar_lost not in get_args(OnAvatarLost):
        raise AvatarSettingsError(
            f"on_avatar_lost must be one of {', '.join(get_args(OnAvatarLost))}"
        )
    return Settings(
        avatar_id=avatar,
        avatar_identity=identity,
        avatar_name=avatar_name or identity,
        server_url=url,
        agent_name=agent_name,
        license_key=key or None,
        speech_from=speech_from,
        speakers=_listed_speakers(speech_from, speakers),
        on_avatar_lost=on_avatar_lost or "agent_audio",
    )


def from_environment(names: tuple[str, ...]) -> str | None:
    """Return the first variable that is set and not blank; older names warn once each."""
    for name in names:
        value = os.environ.get(name, "").strip()
        if not value:
            continue
        if name != names[0] and name not in _warned:
            _warned.add(name)
            warnings.warn(
                f"the environment variable {name} is deprecated, set {names[0]} instead",
                DeprecationWarning,
                stacklevel=4,
            )
        return value
    return None


def normalize_server_url(url: str) -> str:
    """Return the base URL: no trailing slash, no endpoint of an earlier plugin.

    Raises:
        AvatarSettingsError: The URL is not http(s), names no host, or carries a query.
    """
    base = url.strip().rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AvatarSettingsError(
            "the avatar server URL must look like http://localhost:8080 or https://example.com"
        )
    if parts.query or parts.fragment or parts.username is not None:
        raise AvatarSettingsError(
            "the avatar server URL must not carry a user, a query or a fragment"
        )
    for endpoint in _ENDPOINTS:
        if parts.path.endswith(endpoint):
            return base[: -len(endpoint)].rstrip("/")
    return base


def is_managed(url: str) -> bool:
    """Whether the URL is the managed service, where a key is required."""
    return urlsplit(url).hostname == urlsplit(MANAGED_URL).hostname


def _listed_speakers(
    speech_from: SpeechFrom | None, speakers: Sequence[str] | None
) -> tuple[str, ...]:
    if speech_from is not None and speech_from not in get_args(SpeechFrom):
        raise AvatarSettingsError(f"speech_from must be one of {', '.join(get_args(SpeechFrom))}")
    if speech_from != "listed":
        if speakers is not None:
            raise AvatarSettingsError('speakers needs speech_from="listed"')
        return ()
    if speakers is None or isinstance(speakers, str) or not 0 < len(speakers) <= MAX_SPEAKERS:
        raise AvatarSettingsError(f"speakers must list 1 to {MAX_SPEAKERS} identities")
    return tuple(speakers)
