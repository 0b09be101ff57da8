"""Every refusal has its status and its stable code, and none talks too much (protocol §2.5)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from avatar_worker.errors import (
    AvatarCorruptError,
    AvatarRefusedError,
    DeviceError,
    PeerError,
)
from fakes.http_door import KEY, PATH, SECRET, open_door, room_token


def assert_refused(reply: Any, status: int, code: str) -> None:
    assert (reply.status, reply.code) == (status, code)
    assert set(reply.body) == {"error", "code", "details"}
    assert reply.body["error"]
    assert "Traceback" not in reply.body["error"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"text"', b"null", b"\xff\xfe", b"[" * 50_000, b"0" * 5000]
)
async def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    async with open_door() as door:
        reply = await door.call("POST", PATH, KEY, data=body)
        assert_refused(reply, 400, "MISSING_PARAMETER")


@pytest.mark.parametrize("field", ["livekit_url", "livekit_token", "avaluma_avatar_id"])
@pytest.mark.parametrize("value", [..., "", None, 5, ["x"], {"a": 1}])
async def test_a_field_that_is_absent_or_no_text_is_named(field: str, value: object) -> None:
    async with open_door() as door:
        reply = await door.start(**{field: value})
        if field == "livekit_token" and value in ("", None):
            # The helper mints one; post it by hand instead.
            body = {"livekit_url": "ws://livekit.test", "livekit_token": value, "avatar_id": "demo"}
            reply = await door.call("POST", PATH, KEY, json=body)
        assert_refused(reply, 400, "MISSING_PARAMETER")
        assert reply.body["details"] == {"field": field}
        assert door.livekit.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"speech_from": "everybody"},
        {"speakers": "me"},
        {"speakers": ["x"] * 17},
        {"speakers": [""]},
        {"max_duration_seconds": 0},
        {"max_duration_seconds": "long"},
        {"max_duration_seconds": True},
        {"avaluma_avatar_id": "x" * 260},
    ],
)
async def test_a_field_with_a_wrong_value_is_refused(change: dict[str, Any]) -> None:
    async with open_door() as door:
        assert_refused(await door.start(**change), 400, "MISSING_PARAMETER")


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        ({"exp": 1}, "exp"),
        ({"exp": ...}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"life": 7 * 3600}, "exp"),
        ({"nbf": 4_000_000_000}, "nbf"),
        ({"sub": ""}, "sub"),
        ({"sub": ...}, "sub"),
        ({"sub": "x" * 257}, "sub"),
        ({"kind": "standard"}, "kind"),
        ({"kind": ...}, "kind"),
        ({"video": {"roomJoin": False}}, "video.roomJoin"),
        ({"video": {"room": ""}}, "video.room"),
        ({"video": {"canPublish": False}}, "video.canPublish"),
        ({"video": {"canPublishData": False}}, "video.canPublishData"),
        ({"video": {"canPublishSources": ["microphone"]}}, "video.canPublishSources"),
        ({"video": {"roomAdmin": True}}, "video.roomAdmin"),
        ({"video": {"roomCreate": True}}, "video.roomCreate"),
        ({"video": {"roomList": True}}, "video.roomList"),
        ({"video": {"roomRecord": True}}, "video.roomRecord"),
        ({"video": {"ingressAdmin": True}}, "video.ingressAdmin"),
        ({"attributes": ["x"]}, "attributes"),
        ({"on_behalf": "avatar-demo"}, "lk.publish_on_behalf"),
    ],
)
async def test_a_token_is_refused_for_each_claim_before_any_join(
    claims: dict[str, Any], claim: str
) -> None:
    async with open_door() as door:
        reply = await door.start(token=room_token(**claims))
        assert_refused(reply, 400, "INVALID_TOKEN")
        assert reply.body["details"] == {"claim": claim}
        assert door.livekit.asked == []


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "é" * 10, "e" * 20_000])
async def test_what_is_no_token_is_refused(token: str) -> None:
    async with open_door() as door:
        assert_refused(await door.start(token=token), 400, "INVALID_TOKEN")


async def test_a_token_of_our_own_livekit_must_carry_its_signature() -> None:
    own: dict[str, Any] = {"livekit_api_key": "devkey", "livekit_api_secret": "secret" * 6}
    async with open_door(livekit_url="ws://livekit.test:7880", **own) as door:
        forged = room_token(issuer="devkey", secret=SECRET)
        assert_refused(await door.start(token=forged), 400, "INVALID_TOKEN")
        assert door.livekit.asked == []
        real = room_token(issuer="devkey", secret="secret" * 6)
        assert (await door.start(token=real)).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "ws://169.254.169.254",
        "ws://10.0.0.1:7880",
        "ws://127.0.0.1:7880",
        "wss://livekit.test@evil.test",
        "wss://evil.test#livekit.test",
        "wss://evil.test?livekit.test",
        "wss://livekit.test.evil.test",
        "wss://livekit.test.",
        "ws://2130706433",
        "ws://0177.0.0.1",
        "ws://[::ffff:127.0.0.1]",
        "ws://livekit.test/rtc",
        "ftp://livekit.test",
        "livekit.test",
        "ws://livekit.test:99999",
        "ws://livekit\\.test",
        "ws://liv ekit.test",
    ],
)
async def test_a_livekit_server_that_is_not_listed_is_never_contacted(url: str) -> None:
    async with open_door() as door:
        assert_refused(await door.start(livekit_url=url), 400, "URL_NOT_ALLOWED")
        assert door.livekit.asked == []


async def test_no_key_is_401_and_a_wrong_one_403() -> None:
    async with open_door() as door:
        assert_refused(await door.start(key=None), 401, "INVALID_LICENSE")
        assert_refused(await door.start(key="wrong-wrong-wrong"), 403, "INVALID_LICENSE")
        assert_refused(await door.call("POST", PATH, data=b"garbage"), 401, "INVALID_LICENSE")
        assert_refused(await door.call("GET", "/v1/sessions"), 401, "INVALID_LICENSE")


async def test_an_unknown_avatar_is_404_and_its_place_is_free_again() -> None:
    async with open_door(max_sessions=1) as door:
        assert_refused(await door.start(avaluma_avatar_id="nobody"), 404, "AVATAR_NOT_FOUND")
        assert door.livekit.asked == []
        assert (await door.start()).status == 200


async def test_an_avatar_that_cannot_be_used_is_422() -> None:
    async with open_door() as door:
        door.shelf.faults = {
            "broken": AvatarCorruptError("broken", "E_ZIP", "V1", "file", "not a zip file"),
            "refused": AvatarRefusedError("E_CONSENT", "consent has expired"),
        }
        for avatar_id in door.shelf.faults:
            reply = await door.start(avaluma_avatar_id=avatar_id)
            assert_refused(reply, 422, "AVATAR_UNUSABLE")


async def test_stopping_what_never_was_is_404() -> None:
    async with open_door() as door:
        reply = await door.call("POST", "/v1/stop-avatar", KEY, json={"session_id": "sess_0"})
        assert_refused(reply, 404, "SESSION_NOT_FOUND")
        reply = await door.call("POST", "/v1/stop-avatar", KEY, json={})
        assert_refused(reply, 400, "MISSING_PARAMETER")


async def test_a_full_worker_says_so_and_when_to_come_back() -> None:
    async with open_door(max_sessions=1) as door:
        await door.start()
        reply = await door.start(token=room_token(room="room-2"))
        assert_refused(reply, 503, "AT_CAPACITY")
        assert reply.body["details"] == {"active": 1, "capacity": 1, "reason": "sessions"}
        assert int(reply.headers["Retry-After"]) > 0
        # A repeated start is not counted twice.
        assert (await door.start()).status == 200


async def test_too_many_starts_are_429_while_stops_go_on() -> None:
    async with open_door(rate_limit=3) as door:
        started = await door.start()
        statuses = [(await door.start()).status for _ in range(5)]
        assert statuses[:2] == [200, 200]
        reply = await door.start()
        assert_refused(reply, 429, "RATE_LIMIT_EXCEEDED")
        assert 0 < int(reply.headers["Retry-After"]) <= 60
        stop = {"session_id": started.body["session_id"]}
        assert (await door.call("POST", "/stop-avatar", KEY, json=stop)).status == 200


async def test_guessing_keys_is_limited_and_does_not_lock_the_owner_out() -> None:
    async with open_door(rate_limit=3) as door:
        guesses = [(await door.start(key=f"guess-number-{n}")).status for n in range(5)]
        assert guesses[-1] == 429
        assert (await door.start()).status == 200


async def test_a_body_of_more_than_64_kib_is_413() -> None:
    async with open_door() as door:
        assert_refused(await door.start(more="x" * 70_000), 413, "BODY_TOO_LARGE")


async def test_unknown_paths_and_methods_answer_in_the_same_form() -> None:
    async with open_door() as door:
        assert_refused(await door.call("GET", "/nothing/here"), 404, "NOT_FOUND")
        reply = await door.call("GET", PATH)
        assert_refused(reply, 405, "METHOD_NOT_ALLOWED")
        assert "POST" in reply.headers["Allow"]


async def test_a_bug_is_500_and_keeps_its_text_to_itself() -> None:
    async with open_door() as door:
        door.livekit.gate.error = ValueError("wss://secret-host?access_token=abc")
        reply = await door.start()
        assert_refused(reply, 500, "INTERNAL_ERROR")
        assert "secret-host" not in json.dumps(reply.body)


async def test_what_livekit_says_is_not_repeated() -> None:
    async with open_door() as door:
        error = PeerError("the room could not be joined")
        error.__cause__ = RuntimeError("wss://secret-host?access_token=abc")
        door.livekit.gate.error = error
        reply = await door.start()
        assert_refused(reply, 502, "ROOM_JOIN_FAILED")
        assert "secret-host" not in json.dumps(reply.body)


async def test_a_lost_device_during_a_start_is_an_internal_error() -> None:
    async with open_door() as door:
        door.livekit.gate.error = DeviceError("the device is gone")
        assert_refused(await door.start(), 500, "INTERNAL_ERROR")


async def test_raw_requests_with_two_slashes_reach_the_start() -> None:
    async with open_door() as door:
        host, port = door.url.removeprefix("http://").split(":")
        body = json.dumps(
            {"livekit_url": "ws://livekit.test", "livekit_token": room_token(), "avatar_id": "demo"}
        )
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST /{PATH} HTTP/1.1\r\nHost: x\r\napi-secret: {KEY}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 200 ")
        assert "aiohttp" not in answer
