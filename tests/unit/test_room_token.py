from __future__ import annotations

import contextlib
from typing import Any

import jwt
import pytest
from hypothesis import given, strategies as st

from avatar_worker.server.refusals import InvalidTokenError
from avatar_worker.server.token import MAX_LIFE, read_token

NOW = 1_800_000_000.0
SECRET = "s" * 40


def mint(secret: str = SECRET, algorithm: str = "HS256", **change: Any) -> str:
    claims = {
        "sub": "avatar-demo",
        "kind": "agent",
        "iss": "key",
        "exp": NOW + 100,
        "video": {"roomJoin": True, "room": "r"},
        "attributes": {"lk.publish_on_behalf": "agent-1", "x": "y"},
    }
    return jwt.encode({**claims, **change}, secret, algorithm=algorithm)


def read(token: str, **secrets: str) -> Any:
    return read_token(token, now=NOW, secrets=secrets)


def test_a_good_token_gives_what_the_join_needs() -> None:
    claims = read(mint())
    assert (claims.room, claims.identity, claims.on_behalf) == ("r", "avatar-demo", "agent-1")
    assert claims.attributes["x"] == "y"
    assert (claims.expires, claims.verified) == (NOW + 100, False)


def test_the_signature_counts_as_soon_as_we_hold_the_key() -> None:
    assert read(mint(), key=SECRET).verified
    assert not read(mint(), other=SECRET).verified
    with pytest.raises(InvalidTokenError, match="signature"):
        read(mint("t" * 40), key=SECRET)


def test_a_stripped_signature_does_not_pass() -> None:
    head, body, _ = mint().split(".")
    with pytest.raises(InvalidTokenError):
        read(f"{head}.{body}.", key=SECRET)


@pytest.mark.parametrize("algorithm", ["HS512", "none"])
def test_only_hs256_is_taken(algorithm: str) -> None:
    token = mint("s" * 64 if algorithm != "none" else "", algorithm)
    with pytest.raises(InvalidTokenError, match="HS256"):
        read(token)


def test_the_longest_life_is_what_livekit_mints_by_default() -> None:
    read(mint(exp=NOW + MAX_LIFE))
    read(mint(exp=NOW + MAX_LIFE + 30))  # a clock that runs half a minute ahead
    with pytest.raises(InvalidTokenError, match="6 hours"):
        read(mint(exp=NOW + MAX_LIFE + 120))


@pytest.mark.parametrize("exp", [NOW, NOW - 1, 0, True, float("nan"), "x", None])
def test_an_expiry_that_is_past_or_unclear_is_refused(exp: object) -> None:
    with pytest.raises(InvalidTokenError):
        read(mint(exp=exp))


@pytest.mark.parametrize("exp", [float("inf"), 1e300])
def test_an_endless_life_is_refused(exp: float) -> None:
    with pytest.raises(InvalidTokenError):
        read(mint(exp=exp))


def test_a_token_may_leave_out_what_is_allowed_by_default() -> None:
    video = {"roomJoin": True, "room": "r", "canPublishSources": ["camera", "microphone"]}
    claims = read(mint(video=video, attributes=None))
    assert (claims.on_behalf, claims.attributes) == (None, {})


@pytest.mark.parametrize("grant", ["roomAdmin", "roomCreate", "roomList", "roomRecord"])
def test_a_grant_that_is_there_but_false_is_fine(grant: str) -> None:
    assert read(mint(video={"roomJoin": True, "room": "r", grant: False})).room == "r"


def test_no_refusal_repeats_what_the_token_says() -> None:
    for change in (
        {"sub": ""},
        {"kind": "canary"},
        {"exp": 1},
        {"video": {"roomJoin": True, "room": "canary", "roomAdmin": True}},
        {"attributes": {"canary": 1}},
    ):
        with pytest.raises(InvalidTokenError) as caught:
            read(mint(**change))
        assert "canary" not in str(caught.value)


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_token_or_a_typed_refusal(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        read(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_CLAIM = st.sampled_from(["sub", "kind", "iss", "exp", "nbf", "video", "attributes"])


@given(st.dictionaries(_CLAIM, _JSON, min_size=1))
def test_any_claims_give_a_token_or_a_typed_refusal(change: dict[str, Any]) -> None:
    try:
        token = mint(**change)
    except TypeError:
        return  # PyJWT itself will not write this one
    with contextlib.suppress(InvalidTokenError):
        read(token, key=SECRET)
