from __future__ import annotations

import json
from typing import Any, NamedTuple

from livekit import rtc

from .errors import AvatarExpressionError, UnknownExpressionError

RPC_SET_MOOD = "avaluma.set_mood"
RPC_GESTURE = "avaluma.gesture"
CALL_TIMEOUT = 5.0

CODES = {
    2400: "BAD_CUE",
    2403: "NOT_ALLOWED",
    2404: "UNKNOWN_NAME",
    2429: "TOO_MANY_CALLS",
    rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD: "UNSUPPORTED",
    rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND: "AVATAR_ABSENT",
    rtc.RpcError.ErrorCode.RECIPIENT_DISCONNECTED: "AVATAR_ABSENT",
}


class Place(NamedTuple):
    """A moment of a speech stream."""

    stream: str
    """The id of the byte stream."""
    at: float
    """Seconds from its first sample."""


async def set_mood(
    room: rtc.Room | None,
    avatar_identity: str,
    mood: str,
    *,
    intensity: float,
    fade: float,
    place: Place | None = None,
) -> None:
    payload = {"mood": mood, "intensity": intensity, "fade": fade}
    await _call(room, avatar_identity, RPC_SET_MOOD, payload, place)


async def gesture(
    room: rtc.Room | None, avatar_identity: str, name: str, *, place: Place | None = None
) -> None:
    await _call(room, avatar_identity, RPC_GESTURE, {"gesture": name}, place)


async def _call(
    room: rtc.Room | None,
    avatar_identity: str,
    method: str,
    payload: dict[str, Any],
    place: Place | None,
) -> None:
    if place is not None:
        payload = {**payload, **place._asdict()}
    here = room is not None and room.isconnected() and avatar_identity in room.remote_participants
    if room is None or not here:
        raise AvatarExpressionError("the avatar is not in the room", code="AVATAR_ABSENT")
    try:
        await room.local_participant.perform_rpc(
            destination_identity=avatar_identity,
            method=method,
            payload=json.dumps(payload, allow_nan=False),
            response_timeout=CALL_TIMEOUT,
        )
    except ValueError:
        raise AvatarExpressionError("numbers must be finite", code="BAD_CUE") from None
    except rtc.RpcError as error:
        raise _typed(error) from None


def _typed(error: rtc.RpcError) -> AvatarExpressionError:
    facts = _facts(error.data)
    code = facts.get("code") or CODES.get(error.code, "NO_ANSWER")
    if code == "UNSUPPORTED":
        return AvatarExpressionError(
            "this avatar server knows no moods and gestures", code="UNSUPPORTED"
        )
    known = facts.get("known")
    if str(code).startswith("UNKNOWN_") and isinstance(known, list):
        return UnknownExpressionError(
            error.message, code=str(code), known=tuple(str(name) for name in known)
        )
    return AvatarExpressionError(error.message, code=str(code))


def _facts(data: str | None) -> dict[str, Any]:
    try:
        facts = json.loads(data) if data else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
