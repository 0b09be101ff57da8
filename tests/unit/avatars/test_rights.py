"""Rules V25 to V27: the bytes are sound, the question is whether they may be used."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from avatar_worker.avatars.format import Policy, ed25519, read_avatar
from avatar_worker.errors import AvatarRefusedError
from fakes.avatar_files import parts, with_manifest, with_raw

CONSENT = {
    "subject": "real_person",
    "granted_on": "2026-01-10",
    "expires_on": "2026-12-31",
    "scope": ["realtime", "commercial"],
    "statement_sha256": "9f" * 32,
    "evidence": "held by the operator",
    "contact": "rights@example.org",
    "revocation": "",
}
DAY = date(2026, 6, 1)


def refusal(content: bytes, policy: Policy) -> AvatarRefusedError:
    with pytest.raises(AvatarRefusedError) as caught:
        read_avatar(content, avatar_id="tiny", policy=policy)
    assert str(caught.value).startswith("tiny.hvia may not be used: ")
    return caught.value


def with_consent(tiny: bytes, **change: object) -> bytes:
    return with_manifest(tiny, lambda m: m.update(consent=CONSENT | change))


def test_a_real_person_who_consented_is_shown(tiny: bytes) -> None:
    content = with_consent(tiny)
    assert read_avatar(content, avatar_id="tiny", policy=Policy(today=DAY)).canvas.fps == 25


@pytest.mark.parametrize("key", [k for k in CONSENT if k not in ("subject", "revocation")])
def test_a_real_person_needs_the_whole_block(tiny: bytes, key: str) -> None:
    fault = refusal(with_consent(tiny, **{key: None}), Policy(today=DAY))
    assert fault.code == "E_CONSENT"
    assert key in str(fault)


def test_consent_is_valid_from_its_first_to_its_last_day(tiny: bytes) -> None:
    content = with_consent(tiny)
    for day in (date(2026, 1, 10), date(2026, 12, 31)):
        assert read_avatar(content, avatar_id="tiny", policy=Policy(today=day))
    assert "not yet" in str(refusal(content, Policy(today=date(2026, 1, 9))))
    assert "ended on 2026-12-31" in str(refusal(content, Policy(today=date(2027, 1, 1))))


def test_consent_has_to_cover_the_use(tiny: bytes) -> None:
    fault = refusal(with_consent(tiny, scope=["commercial"]), Policy(today=DAY))
    assert "does not cover realtime" in str(fault)


def test_a_day_that_does_not_exist_is_no_consent(tiny: bytes) -> None:
    assert refusal(with_consent(tiny, expires_on="2026-02-30"), Policy(today=DAY))


def test_without_a_day_in_the_policy_today_counts(tiny: bytes) -> None:
    assert refusal(with_consent(tiny, expires_on="2020-01-01", granted_on="2019-01-01"), Policy())
    assert read_avatar(with_consent(tiny, expires_on="2999-01-01"), avatar_id="tiny")


def test_a_denied_content_is_refused_whatever_it_is_called(tiny: bytes) -> None:
    content_id = read_avatar(tiny, avatar_id="tiny").content_id
    assert refusal(tiny, Policy(denied=frozenset({content_id}))).code == "E_REVOKED"


@pytest.mark.parametrize(
    ("spdx", "url"),
    [("", "https://example.org"), ("NONE", ""), ("all rights reserved", ""), ("LicenseRef-X", "")],
)
def test_a_licence_has_to_say_what_it_is(tiny: bytes, spdx: str, url: str) -> None:
    content = with_manifest(tiny, lambda m: m["licence"].update(spdx=spdx, url=url))
    assert refusal(content, Policy()).code == "E_LICENCE"


def test_an_own_licence_that_lets_nobody_pass_it_on_needs_no_address(tiny: bytes) -> None:
    change = {"spdx": "LicenseRef-Private", "url": "", "redistribution": False}
    content = with_manifest(tiny, lambda m: m["licence"].update(change))
    assert read_avatar(content, avatar_id="tiny")


def test_an_own_licence_with_an_address_is_accepted(tiny: bytes) -> None:
    content = with_manifest(tiny, lambda m: m["licence"].update(spdx="LicenseRef-Studio"))
    assert read_avatar(content, avatar_id="tiny")


def test_the_operator_may_accept_fewer_licences(tiny: bytes) -> None:
    assert refusal(tiny, Policy(accepted_licences=frozenset({"MIT"}))).code == "E_LICENCE"
    policy = Policy(accepted_licences=frozenset({"CC0-1.0"}))
    assert read_avatar(tiny, avatar_id="tiny", policy=policy)


VECTORS = [  # RFC 8032, section 7.1, tests 1 and 2
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_signatures_of_the_standard_hold(key: str, message: str, signature: str) -> None:
    k, m, s = (bytes.fromhex(text) for text in (key, message, signature))
    assert ed25519.signature_holds(k, m, s)
    assert not ed25519.signature_holds(k, m + b"x", s)
    assert not ed25519.signature_holds(k, m, s[:63] + bytes([s[63] ^ 1]))
    assert not ed25519.signature_holds(k, m, bytes([s[0] ^ 1]) + s[1:])
    assert not ed25519.signature_holds(bytes([k[0] ^ 1]) + k[1:], m, s)


def test_encodings_that_are_not_canonical_do_not_hold() -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[0])
    response = int.from_bytes(signature[32:], "little") + ed25519.ORDER
    assert not ed25519.signature_holds(
        key, message, signature[:32] + response.to_bytes(32, "little")
    )
    assert not ed25519.signature_holds(b"\xff" * 32, message, signature)
    assert not ed25519.signature_holds(key[:31], message, signature)


def sign(secret: bytes, message: bytes) -> tuple[bytes, bytes]:
    """RFC 8032, section 5.1.6. For tests only: it takes its time by the secret."""
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    key = _encode(ed25519._times(scalar, ed25519._BASE))
    nonce = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little")
    commitment = _encode(ed25519._times(nonce % ed25519.ORDER, ed25519._BASE))
    challenge = int.from_bytes(hashlib.sha512(commitment + key + message).digest(), "little")
    response = (nonce + challenge * scalar) % ed25519.ORDER
    return key, commitment + response.to_bytes(32, "little")


def _encode(point: ed25519.Point) -> bytes:
    scale = pow(point[2], -1, ed25519.P)
    x, y = point[0] * scale % ed25519.P, point[1] * scale % ed25519.P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def signed(
    tiny: bytes, secret: bytes = b"s" * 32, change: Callable[[dict[str, Any]], object] | None = None
) -> tuple[bytes, bytes]:
    """The file with a signature, and the public key."""
    message = b"hvia-v1\n" + hashlib.sha256(parts(tiny)["index.json"]).digest()
    key, seal = sign(secret, message)
    signature = {
        "alg": "ed25519",
        "key_id": "studio-1",
        "public_key": base64.b64encode(key).decode(),
        "signature": base64.b64encode(seal).decode(),
    }
    if change is not None:
        change(signature)
    text = json.dumps(signature).encode()
    return with_raw(tiny, "signature.json", text, after="index.json"), key


def test_the_signer_of_these_tests_makes_the_signatures_of_the_standard() -> None:
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key, seal = sign(secret, b"")
    assert (key.hex(), seal.hex()) == (VECTORS[0][0], VECTORS[0][2])


def test_signing_does_not_change_the_identity(tiny: bytes) -> None:
    content, _ = signed(tiny)
    same = read_avatar(content, avatar_id="tiny")
    assert same.content_id == read_avatar(tiny, avatar_id="tiny").content_id


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(alg="rsa"),
        lambda s: s.update(signature=base64.b64encode(b"\0" * 64).decode()),
        lambda s: s.update(signature="!!!"),
        lambda s: s.update(signature="ü"),
        lambda s: s.update(public_key=base64.b64encode(b"k" * 31).decode()),
        lambda s: s.pop("key_id"),
        lambda s: s.update(more="x"),
        lambda s: s.update(key_id=7),
    ],
)
def test_a_signature_that_is_there_has_to_hold(
    tiny: bytes, change: Callable[[dict[str, Any]], object]
) -> None:
    content, _ = signed(tiny, change=change)
    assert refusal(content, Policy()).code == "E_SIGNATURE"


def test_a_signature_of_another_content_does_not_hold(tiny: bytes) -> None:
    content, _ = signed(tiny)
    other = with_manifest(tiny, lambda m: m.update(name="Somebody else"))
    signature = parts(content)["signature.json"]
    moved = with_raw(other, "signature.json", signature, after="index.json")
    assert refusal(moved, Policy()).code == "E_SIGNATURE"


def test_strict_operators_serve_only_what_a_trusted_key_signed(tiny: bytes) -> None:
    content, key = signed(tiny)
    strict = Policy(trusted_keys=frozenset({key}))
    assert read_avatar(content, avatar_id="tiny", policy=strict)
    assert refusal(tiny, strict).code == "E_UNTRUSTED"
    stranger, _ = signed(tiny, secret=b"t" * 32)
    assert refusal(stranger, strict).code == "E_UNTRUSTED"
