"""Starting over HTTP: what is accepted and what is answered (protocol §2.2, §2.3)."""

from __future__ import annotations

import re

import pytest

from fakes.http_door import KEY, open_door, room_token

PATHS = [
    prefix + base + "/start-avatar" + suffix
    for base in ("/v1/livekit", "/livekit/v1", "/v1", "")
    for prefix in ("", "/")
    for suffix in ("", "/")
]


async def test_the_public_plugin_gets_the_answer_that_it_reads() -> None:
    async with open_door() as door:
        reply = await door.start()
        assert reply.status == 200
        session_id = reply.body.pop("session_id")
        assert re.fullmatch(r"sess_[0-9a-f]{16}", session_id)
        assert reply.body == {
            "status": "started",
            "avatar_participant_identity": "avatar-demo",
            "features": ["playback_started", "pause"],
            "sample_rate": 16000,
        }


async def test_the_room_gets_the_token_unchanged_and_everything_it_says() -> None:
    async with open_door() as door:
        token = room_token(room="r", identity="avatar-x", on_behalf="agent-9")
        await door.start(token=token)
        asked = door.livekit.asked[0]
        assert asked.token == token
        assert (asked.url, asked.room_name) == ("ws://livekit.test:7880", "r")
        assert (asked.identity, asked.on_behalf) == ("avatar-x", "agent-9")
        assert (asked.avatar_id, asked.avatar.id) == ("demo", "demo")
        assert asked.max_duration == 6 * 3600


async def test_neither_the_token_nor_the_key_shows_in_the_join_request() -> None:
    async with open_door() as door:
        token = room_token()
        await door.start(token=token)
        assert token not in repr(door.livekit.asked[0])


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_that_a_plugin_ever_posted_to_starts(path: str) -> None:
    async with open_door() as door:
        reply = await door.start(path=path)
        assert reply.status == 200
        assert len(door.livekit.asked) == 1


@pytest.mark.parametrize("path", PATHS)
async def test_every_start_path_has_its_stop_path(path: str) -> None:
    async with open_door() as door:
        started = await door.start(path=path)
        stop = path.replace("start", "stop")
        reply = await door.call("POST", stop, KEY, json={"session_id": started.body["session_id"]})
        assert (reply.status, reply.body) == (200, {"status": "stopped"})
        assert door.livekit.inside() == []


@pytest.mark.parametrize(
    "change",
    [
        {"avaluma_key": ..., "avaluma_license_key": KEY},
        {"avaluma_key": ..., "license_key": KEY},
        {"avaluma_key": KEY},
    ],
)
async def test_the_key_may_come_in_the_body_under_each_of_its_names(
    change: dict[str, str],
) -> None:
    async with open_door() as door:
        assert (await door.start(key=None, **change)).status == 200


async def test_the_key_may_come_as_a_bearer_token() -> None:
    async with open_door() as door:
        reply = await door.start(key=None, headers={"Authorization": f"Bearer {KEY}"})
        assert reply.status == 200


async def test_a_wrong_header_is_not_healed_by_a_right_body() -> None:
    async with open_door() as door:
        reply = await door.start(key="something-else-entirely", avaluma_key=KEY)
        assert (reply.status, reply.code) == (403, "INVALID_LICENSE")


async def test_the_avatar_may_be_called_avatar_id() -> None:
    async with open_door() as door:
        assert (await door.start(avaluma_avatar_id=..., avatar_id="demo")).status == 200


async def test_a_default_avatar_stands_in_for_none() -> None:
    async with open_door(default_avatar="demo") as door:
        assert (await door.start(avaluma_avatar_id=...)).status == 200
        assert door.shelf.opened == ["demo"]


@pytest.mark.parametrize("name", ["livekit_room_name", "room_name"])
async def test_a_room_name_must_be_the_one_of_the_token(name: str) -> None:
    async with open_door() as door:
        assert (await door.start(**{name: "room-1"})).status == 200
        reply = await door.start(token=room_token(room="room-2"), **{name: "room-1"})
        assert (reply.status, reply.code) == (400, "MISSING_PARAMETER")


async def test_unknown_keys_and_any_content_type_are_fine() -> None:
    async with open_door() as door:
        assert (await door.start(something="else")).status == 200
        body = '{"livekit_url": "ws://livekit.test", "livekit_token": "%s", "avatar_id": "demo"}'
        reply = await door.call(
            "POST",
            "/v1/start-avatar",
            KEY,
            data=(body % room_token(room="other")).encode(),
            headers={"Content-Type": "text/plain"},
        )
        assert reply.status == 200


async def test_without_a_configured_key_nobody_needs_one() -> None:
    async with open_door(api_keys="") as door:
        assert (await door.start(key=None)).status == 200


async def test_speech_from_comes_from_the_body_then_the_token_then_the_server() -> None:
    async with open_door(speech_from="on_behalf") as door:
        attributes = {"lk.publish_on_behalf": "agent-1", "avaluma.speech_from": "agents"}
        said = room_token(room="a", attributes=attributes)
        await door.start(token=said, speech_from="listed", speakers=["x"])
        await door.start(token=room_token(room="b", attributes=attributes))
        await door.start(token=room_token(room="c"))
        assert [asked.speech_from for asked in door.livekit.asked] == [
            "listed",
            "agents",
            "on_behalf",
        ]
        assert door.livekit.asked[0].speakers == ("x",)


async def test_no_request_gets_a_wider_policy_than_the_operator_allows() -> None:
    async with open_door(speech_from_max="agents") as door:
        await door.start(speech_from="any")
        assert door.livekit.asked[0].speech_from == "agents"


async def test_a_request_may_shorten_the_life_of_its_session_but_not_lengthen_it() -> None:
    async with open_door(max_duration=100.0) as door:
        await door.start(token=room_token(room="a"), max_duration_seconds=10)
        await door.start(token=room_token(room="b"), max_duration_seconds=1000)
        assert [asked.max_duration for asked in door.livekit.asked] == [10.0, 100.0]
