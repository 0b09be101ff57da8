"""Who may call: API keys, kept as hashes and compared in constant time. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from avatar_worker.room.door import SpeechFrom

from .refusals import KeyMissingError, KeyWrongError

OPEN = "open"
"""Name of the caller where no key is configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One caller.

    Attributes:
        name: For logs and ownership; says nothing about the key.
        digest: SHA-256 of the key.
        avatars: The only avatars it may start, or none for all.
        max_sessions: Most sessions at a time, or none for the worker's own limit.
        speech_from: Its default policy, or none for the server's.
    """

    name: str
    digest: bytes
    avatars: frozenset[str] | None = None
    max_sessions: int | None = None
    speech_from: SpeechFrom | None = None


ANYBODY = ApiKey(name=OPEN, digest=b"")


class KeyRing:
    """The configured keys. Empty, it lets everybody in: the worker is on loopback then."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._keys = tuple(keys)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> KeyRing:
        """Return a ring with one unrestricted key for each of `secrets`."""
        return cls(
            ApiKey(name=f"key-{number}", digest=digest_of(secret))
            for number, secret in enumerate(secrets, start=1)
        )

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._keys

    @property
    def is_shared(self) -> bool:
        """Whether several callers use this worker, so that each sees only its own sessions."""
        return len(self._keys) > 1

    def identify(self, presented: str | None) -> ApiKey:
        """Return the caller behind a key.

        Raises:
            KeyMissingError: If there is none.
            KeyWrongError: If it is not one of ours.
        """
        if self.is_open:
            return ANYBODY
        if not presented:
            raise KeyMissingError
        digest = digest_of(presented)
        # Every key is compared, so that the time does not tell which one came close.
        matches = [key for key in self._keys if hmac.compare_digest(key.digest, digest)]
        if not matches:
            raise KeyWrongError
        return matches[0]


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def presented_key(headers: Mapping[str, str], body: Mapping[str, object]) -> str | None:
    """Return the key of a request: `api-secret`, else `Authorization: Bearer`, else the body's."""
    header = headers.get("api-secret")
    if header:
        return header
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    for name in ("avaluma_key", "avaluma_license_key", "license_key"):
        value = body.get(name)
        if isinstance(value, str) and value:
            return value
    return None
