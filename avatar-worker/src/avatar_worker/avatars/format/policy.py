"""May this worker use a sound file (rules V25 to V27)? The file's bytes are fine; this is about rights."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from .container import Container
from .ed25519 import signature_holds
from .fault import fail
from .schema import ConsentPart, LicencePart

SIGNED_PREFIX: Final = b"hvia-v1\n"

_SPDX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,127}")
_NEEDED: Final = (
    "granted_on", "expires_on", "scope", "statement_sha256", "evidence", "contact",
)  # fmt: skip


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator allows.

    Attributes:
        scope: The use that a real person's consent has to cover.
        today: The day in UTC on which consent has to be valid; `None` is the day of the check.
        denied: Content ids that may not be used, whatever the file says.
        accepted_licences: SPDX ids; empty accepts every SPDX id; a LicenseRef that
            allows redistribution needs a URL.
        trusted_keys: Public keys, 32 bytes each. With any, only files they signed are used.
    """

    scope: str = "realtime"
    today: date | None = None
    denied: frozenset[str] = frozenset()
    accepted_licences: frozenset[str] = frozenset()
    trusted_keys: frozenset[bytes] = field(default=frozenset(), repr=False)


def check_signature(container: Container, policy: Policy) -> None:
    """Rule V25: a signature that is there verifies, always.

    Raises:
        FormatFault: `E_SIGNATURE`, or `E_UNTRUSTED` if the operator wants a known key.
    """
    key = None
    if container.signature is not None:
        key = _verified_key(container.signature, SIGNED_PREFIX + container.index_sha256)
    if policy.trusted_keys and key not in policy.trusted_keys:
        fail("E_UNTRUSTED", "V25", "signature.json", "it is not signed by a key trusted here")


def check_rights(
    content_id: str, consent: ConsentPart, licence: LicencePart, policy: Policy
) -> None:
    """Rules V26 and V27. Cheap: call it on every use, because consent ends.

    Raises:
        FormatFault: `E_REVOKED`, `E_CONSENT` or `E_LICENCE`.
    """
    if content_id in policy.denied:
        fail("E_REVOKED", "V26", "$.consent", "it is on this worker's list of denied avatars")
    if consent.subject == "real_person":
        _check_consent(consent, policy)
    if policy.accepted_licences:
        if licence.spdx not in policy.accepted_licences:
            fail("E_LICENCE", "V27", "$.licence.spdx", "its licence is not accepted here")
    elif not _SPDX.fullmatch(licence.spdx) or licence.spdx in ("NONE", "NOASSERTION"):
        fail("E_LICENCE", "V27", "$.licence.spdx", "its licence has no SPDX id")
    elif licence.spdx.startswith("LicenseRef") and licence.redistribution and not licence.url:
        fail(
            "E_LICENCE", "V27", "$.licence.url", "its own licence allows passing on, without a URL"
        )


def _check_consent(consent: ConsentPart, policy: Policy) -> None:
    missing = [key for key in _NEEDED if not getattr(consent, key)]
    if missing:
        reason = f"it shows a real person and lacks consent.{missing[0]}"
        fail("E_CONSENT", "V26", f"$.consent.{missing[0]}", reason)
    today = policy.today or _today()
    granted = _day(consent.granted_on, "$.consent.granted_on")
    expires = _day(consent.expires_on, "$.consent.expires_on")
    if granted > today:
        fail("E_CONSENT", "V26", "$.consent.granted_on", "the person's consent is not yet valid")
    if expires < today:
        reason = f"the person's consent ended on {expires.isoformat()}"
        fail("E_CONSENT", "V26", "$.consent.expires_on", reason)
    if policy.scope not in (consent.scope or ()):
        reason = f"the person's consent does not cover {policy.scope}"
        fail("E_CONSENT", "V26", "$.consent.scope", reason)


def _day(text: str | None, where: str) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        fail("E_CONSENT", "V26", where, "the date is not possible")


def _verified_key(signature: Mapping[str, Any], message: bytes) -> bytes:
    wanted = {"alg", "key_id", "public_key", "signature"}
    if set(signature) != wanted or not all(isinstance(v, str) for v in signature.values()):
        fail("E_SIGNATURE", "V25", "signature.json", "its signature has not the right keys")
    if signature["alg"] != "ed25519":
        fail("E_SIGNATURE", "V25", "signature.json", "its signature is not of the kind ed25519")
    key, sealed = (_base64(signature[name], size) for name, size in
                   (("public_key", 32), ("signature", 64)))  # fmt: skip
    if not signature_holds(key, message, sealed):
        fail("E_SIGNATURE", "V25", "signature.json", "its signature does not fit its content")
    return key


def _base64(text: str, size: int) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != size:
        fail("E_SIGNATURE", "V25", "signature.json", "its signature is not readable")
    return value
