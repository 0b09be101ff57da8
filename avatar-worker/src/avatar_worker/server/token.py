"""What a LiveKit room token says, checked before any connection is made. Pure.

LiveKit verifies the signature at the join. We verify it too when the issuer is a key we hold.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from .refusals import InvalidTokenError

MAX_LENGTH: Final = 16_384
MAX_IDENTITY: Final = 256
MAX_LIFE: Final = 6 * 3600  # seconds; what LiveKit's AccessToken mints unless told otherwise
CLOCK_SKEW: Final = 60  # seconds
FORBIDDEN_GRANTS: Final = ("roomAdmin", "roomCreate", "roomList", "roomRecord", "ingressAdmin")
NEEDED_SOURCES: Final = frozenset({"camera", "microphone"})
ON_BEHALF: Final = "lk.publish_on_behalf"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomToken:
    """The claims that matter here.

    Attributes:
        room: The one room that the token is for.
        identity: The avatar's identity.
        on_behalf: The agent that it speaks for, or none.
        attributes: The participant attributes it will join with.
        expires: Seconds since 1970.
        verified: Whether the signature was checked with a secret of ours.
    """

    room: str
    identity: str
    on_behalf: str | None
    attributes: Mapping[str, str]
    expires: int
    verified: bool


def read_token(token: str, *, now: float, secrets: Mapping[str, str]) -> RoomToken:
    """Read and check a token.

    Args:
        token: The JSON web token of the start request.
        now: Seconds since 1970.
        secrets: API secrets by API key; a token of one of these issuers must be signed with it.

    Raises:
        InvalidTokenError: If a claim is missing, wrong or too wide. Its text holds no claim value.
    """
    header, claims = _decode(token)
    if header.get("alg") != "HS256":
        raise InvalidTokenError("the room token is not signed with HS256", "alg")
    verified = _verify(token, claims, secrets)
    expires = _check_time(claims, now)
    identity = _text(claims.get("sub"))
    if not identity or len(identity) > MAX_IDENTITY:
        raise InvalidTokenError("the room token names no usable identity", "sub")
    if claims.get("kind") != "agent":
        raise InvalidTokenError("the room token is not of kind agent", "kind")
    room = _check_grants(claims.get("video"))
    attributes = _attributes(claims.get("attributes"))
    on_behalf = attributes.get(ON_BEHALF) or None
    if on_behalf == identity:
        raise InvalidTokenError("the avatar cannot speak on behalf of itself", ON_BEHALF)
    return RoomToken(
        room=room,
        identity=identity,
        on_behalf=on_behalf,
        attributes=attributes,
        expires=expires,
        verified=verified,
    )


def _decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if not token or len(token) > MAX_LENGTH:
        raise InvalidTokenError("the room token is not a JSON web token", "token")
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidTokenError("the room token is not a JSON web token", "token") from None
    claims = decoded["payload"]
    return decoded["header"], claims


def _verify(token: str, claims: Mapping[str, Any], secrets: Mapping[str, str]) -> bool:
    secret = secrets.get(_text(claims.get("iss")))
    if secret is None:
        return False
    signed, _, signature = token.rpartition(".")
    expected = hmac.digest(secret.encode(), signed.encode("ascii", "replace"), "sha256")
    given = signature.rstrip("=").encode("ascii", "replace")
    if not hmac.compare_digest(base64.urlsafe_b64encode(expected).rstrip(b"="), given):
        raise InvalidTokenError("the room token's signature is wrong", "iss")
    return True


def _check_time(claims: Mapping[str, Any], now: float) -> int:
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool) or expires != expires:
        raise InvalidTokenError("the room token does not say when it expires", "exp")
    if expires <= now:
        raise InvalidTokenError("the room token has expired", "exp")
    if expires > now + MAX_LIFE + CLOCK_SKEW:
        raise InvalidTokenError("the room token lives longer than 6 hours", "exp")
    begins = claims.get("nbf", 0)
    if not isinstance(begins, int | float) or not begins <= now + CLOCK_SKEW:
        raise InvalidTokenError("the room token is not valid yet", "nbf")
    return int(expires)


def _check_grants(grants: object) -> str:
    if not isinstance(grants, Mapping) or grants.get("roomJoin") is not True:
        raise InvalidTokenError("the room token does not allow joining", "video.roomJoin")
    room = _text(grants.get("room"))
    if not room or len(room) > MAX_IDENTITY:
        raise InvalidTokenError("the room token names no room", "video.room")
    for grant in ("canPublish", "canPublishData"):
        if grants.get(grant, True) is not True:
            raise InvalidTokenError(f"the room token denies {grant}", f"video.{grant}")
    sources = grants.get("canPublishSources")
    if sources and not (isinstance(sources, list) and {*map(str, sources)} >= NEEDED_SOURCES):
        raise InvalidTokenError(
            "the room token allows neither camera nor microphone, or only one of them",
            "video.canPublishSources",
        )
    for grant in FORBIDDEN_GRANTS:
        if grants.get(grant):
            raise InvalidTokenError(
                f"the room token grants {grant}, which an avatar must not have", f"video.{grant}"
            )
    return room


def _attributes(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidTokenError("the room token's attributes are not strings", "attributes")
    return {str(name): item for name, item in value.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
