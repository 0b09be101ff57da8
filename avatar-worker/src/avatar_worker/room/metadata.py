"""What a dispatch says in its job metadata. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from avatar_worker.errors import PeerError

from .door import SpeechFrom

MAX_BYTES = 512 * 1024
MAX_IDENTITY = 256
MAX_SPEAKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchMetadata:
    """A checked dispatch.

    Attributes:
        avatar_id: Which avatar.
        agent_identity: The agent that it speaks for; None for external audio.
        identity: The avatar's identity in the room.
        name: Its display name.
        speech_from: Whom it hears; None: the worker's default.
        speakers: Identities for `listed`.
        max_duration: In seconds; None: the worker's default.
    """

    avatar_id: str
    agent_identity: str | None
    identity: str
    name: str
    speech_from: SpeechFrom | None
    speakers: tuple[str, ...]
    max_duration: float | None


def parse_metadata(text: str, *, default_avatar: str) -> DispatchMetadata:
    """Check job metadata: a JSON object, unknown keys are ignored, every key has a default.

    Raises:
        PeerError: If it is too long, no JSON object, or a key has a wrong value.
    """
    if len(text.encode()) > MAX_BYTES:
        raise PeerError(f"job metadata may have {MAX_BYTES} bytes")
    try:
        data = json.loads(text) if text.strip() else {}
    except ValueError:
        raise PeerError('job metadata must be JSON, e.g. {"avatar_id": "demo"}') from None
    if not isinstance(data, dict):
        raise PeerError('job metadata must be a JSON object, e.g. {"avatar_id": "demo"}')
    avatar_id = _string(data, "avatar_id") or default_avatar
    agent = _string(data, "agent_identity")
    identity = _string(data, "avatar_participant_identity") or f"avatar-{avatar_id}"
    if agent == identity:
        raise PeerError("agent_identity and avatar_participant_identity must differ")
    return DispatchMetadata(
        avatar_id=avatar_id,
        agent_identity=agent,
        identity=identity,
        name=_string(data, "avatar_participant_name") or identity,
        speech_from=_speech_from(data),
        speakers=_speakers(data),
        max_duration=_duration(data),
    )


def _string(data: dict[str, object], key: str) -> str | None:
    value = data.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_IDENTITY:
        raise PeerError(f"{key} must be a string of at most {MAX_IDENTITY} characters")
    return value


def _speech_from(data: dict[str, object]) -> SpeechFrom | None:
    value = _string(data, "speech_from")
    if value is None:
        return None
    if value not in list(SpeechFrom):
        raise PeerError(f"speech_from must be one of {', '.join(SpeechFrom)}")
    return SpeechFrom(value)


def _speakers(data: dict[str, object]) -> tuple[str, ...]:
    value = data.get("speakers") or []
    good = isinstance(value, list) and all(isinstance(v, str) and v for v in value)
    if not good or len(value) > MAX_SPEAKERS:  # type: ignore[arg-type]
        raise PeerError(f"speakers must be a list of at most {MAX_SPEAKERS} identities")
    return tuple(value)  # type: ignore[arg-type]


def _duration(data: dict[str, object]) -> float | None:
    value = data.get("max_duration_seconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise PeerError("max_duration_seconds must be a positive number")
    return float(value)
