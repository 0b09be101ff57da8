"""A start or stop request, from bytes to checked values. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from avatar_worker.avatars.avatar import Avatar
from avatar_worker.room.door import JoinRequest, SpeechFrom

from .livekit_url import HostRules, normalise
from .refusals import MissingParameterError
from .token import RoomToken, read_token

MAX_BODY: Final = 65_536
MAX_AVATAR_IDENTITY: Final = 256
MAX_SPEAKERS: Final = 16
MAX_IDEMPOTENCY_KEY: Final = 200
SPEECH_FROM_ATTRIBUTE: Final = "avaluma.speech_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPolicy:
    """What the operator allows a start request to be.

    Attributes:
        hosts: LiveKit servers that may be named.
        secrets: API secrets by API key, to verify tokens of our own LiveKit.
        default_avatar: Used where the request names none.
        max_duration: Longest life of a session in seconds.
    """

    hosts: HostRules
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_avatar: str | None = None
    max_duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A checked start request.

    Attributes:
        url: The LiveKit server, normalised.
        token: The room token as it came.
        claims: What the token says.
        avatar_id: Which avatar to open.
        speech_from: The policy that the request or its token asks for, if any.
        speakers: Identities for the policy `listed`.
        max_duration: Longest life in seconds.
        idempotency_key: Equal over the tries of one start, or none.
    """

    url: str
    token: str = field(repr=False)
    claims: RoomToken
    avatar_id: str
    speech_from: SpeechFrom | None
    speakers: tuple[str, ...]
    max_duration: float
    idempotency_key: str | None

    def joining(self, session_id: str, policy: SpeechFrom, avatar: Avatar) -> JoinRequest:
        """Return what the room needs of this request.

        Args:
            session_id: The id given to the session.
            policy: The policy in force, after defaults and ceiling.
            avatar: The opened avatar.
        """
        return JoinRequest(
            session_id=session_id,
            url=self.url,
            token=self.token,
            room_name=self.claims.room,
            identity=self.claims.identity,
            on_behalf=self.claims.on_behalf,
            avatar=avatar,
            avatar_id=self.avatar_id,
            speech_from=policy,
            speakers=self.speakers,
            max_duration=self.max_duration,
        )


def read_object(body: bytes) -> dict[str, Any]:
    """Return the body as a JSON object, whatever content type it came with.

    Raises:
        MissingParameterError: If it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise MissingParameterError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise MissingParameterError("the body is not a JSON object")
    return value


def read_start(
    body: Mapping[str, object], headers: Mapping[str, str], *, policy: StartPolicy, now: float
) -> StartRequest:
    """Check a start request.

    Args:
        body: From `read_object`. Unknown keys are ignored.
        headers: Of the request, case-insensitive.
        policy: What the operator allows.
        now: Seconds since 1970.

    Raises:
        MissingParameterError: If a field is absent or of the wrong type.
        UrlNotAllowedError: If the LiveKit server is not allowed.
        InvalidTokenError: If the token cannot be used.
    """
    url = _required(body, "livekit_url")
    token = _required(body, "livekit_token")
    avatar_id = _string(body, "avaluma_avatar_id", "avatar_id") or policy.default_avatar
    if avatar_id is None:
        raise MissingParameterError(
            "avaluma_avatar_id is missing, and this worker has no default avatar",
            "avaluma_avatar_id",
        )
    if len(f"avatar-{avatar_id}") > MAX_AVATAR_IDENTITY:
        raise MissingParameterError("avaluma_avatar_id is too long", "avaluma_avatar_id")
    livekit_url = normalise(url, policy.hosts)
    claims = read_token(token, now=now, secrets=policy.secrets)
    room = _string(body, "livekit_room_name", "room_name")
    if room is not None and room != claims.room:
        raise MissingParameterError(
            "livekit_room_name is not the room of the token", "livekit_room_name"
        )
    return StartRequest(
        url=livekit_url,
        token=token,
        claims=claims,
        avatar_id=avatar_id,
        speech_from=_speech_from(body, claims),
        speakers=_speakers(body),
        max_duration=_max_duration(body, policy.max_duration),
        idempotency_key=headers.get("Idempotency-Key", "")[:MAX_IDEMPOTENCY_KEY] or None,
    )


def read_session_id(body: Mapping[str, object]) -> str:
    """Return the `session_id` of a stop request.

    Raises:
        MissingParameterError: If it is absent.
    """
    return _required(body, "session_id")


def _string(body: Mapping[str, object], *names: str) -> str | None:
    """Return the first of these fields that is there and not empty."""
    for name in names:
        value = body.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise MissingParameterError(f"{name} is not a string", name)
        return value
    return None


def _required(body: Mapping[str, object], name: str) -> str:
    value = _string(body, name)
    if value is None:
        raise MissingParameterError(f"{name} is missing", name)
    return value


def _speech_from(body: Mapping[str, object], claims: RoomToken) -> SpeechFrom | None:
    asked = _string(body, "speech_from") or claims.attributes.get(SPEECH_FROM_ATTRIBUTE)
    if not asked:
        return None
    try:
        return SpeechFrom(asked)
    except ValueError:
        known = ", ".join(SpeechFrom)
        raise MissingParameterError(f"speech_from is none of {known}", "speech_from") from None


def _speakers(body: Mapping[str, object]) -> tuple[str, ...]:
    value = body.get("speakers")
    if value is None:
        return ()
    if (
        not isinstance(value, list)
        or len(value) > MAX_SPEAKERS
        or not all(isinstance(item, str) and 0 < len(item) <= 256 for item in value)
    ):
        raise MissingParameterError(
            f"speakers is not a list of at most {MAX_SPEAKERS} identities", "speakers"
        )
    return tuple(value)


def _max_duration(body: Mapping[str, object], longest: float) -> float:
    value = body.get("max_duration_seconds")
    if value is None:
        return longest
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise MissingParameterError(
            "max_duration_seconds is not a number above 0", "max_duration_seconds"
        )
    return min(float(value), longest)
