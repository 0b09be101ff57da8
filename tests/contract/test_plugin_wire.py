"""What goes over the wire: our plugin beside the public one it replaces."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from fakes.agent_room import AgentRoom
from fakes.avatar_server import Received, refused, serving, started
from fakes.public_plugin import PublicPlugin
from livekit.agents import AgentSession, APIConnectionError, utils
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.plugins import avaluma

SECRET = "secret-secret-secret-secret-0123"
ACCESS = {
    "livekit_url": "ws://livekit.test:7880",
    "livekit_api_key": "livekit-key",
    "livekit_api_secret": SECRET,
}


async def ask_with_the_public_plugin(url: str) -> Received:
    async with serving() as server:
        plugin = PublicPlugin(
            base_url=server.url + url, license_key="K", agent_identity="agent-AJ_1"
        )
        await plugin.start(AgentSession(), AgentRoom().as_room(), **ACCESS)
        return server.requests[0]


async def ask_with_ours(url: str) -> Received:
    async with serving() as server, utils.http_context.open():
        room = AgentRoom()
        room.connect()
        avatar = avaluma.AvatarSession(
            license_key="K", avatar_id="demo", avatar_server_url=server.url + url
        )
        await avatar.start(AgentSession(), room.as_room(), **ACCESS)
        await avatar.aclose()
        return server.starts[0]


def without_token(request: Received) -> bytes:
    return request.body.replace(request.json["livekit_token"].encode(), b"<jwt>")


def claims(request: Received) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(
        request.json["livekit_token"], SECRET, algorithms=["HS256"]
    )
    return decoded


async def test_both_send_the_same_request_byte_for_byte() -> None:
    public, ours = await ask_with_the_public_plugin(""), await ask_with_ours("")
    wire = {
        "livekit_url": "ws://livekit.test:7880",
        "livekit_token": "<jwt>",
        "avaluma_key": "K",
        "avaluma_avatar_id": "demo",
    }
    assert without_token(public) == without_token(ours) == json.dumps(wire).encode()
    for request in (public, ours):
        assert (request.method, request.path) == ("POST", "/v1/livekit/start-avatar")
        assert request.headers["api-secret"] == "K"
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Accept"] == "*/*"
    assert "Idempotency-Key" not in public.headers
    assert len(ours.headers["Idempotency-Key"]) == 32


async def test_our_token_is_the_public_one_and_three_things_more() -> None:
    public, ours = claims(await ask_with_the_public_plugin("")), claims(await ask_with_ours(""))
    for decoded in (public, ours):
        assert decoded.pop("exp") - decoded.pop("nbf") == 21600
    assert public == {
        "sub": "avatar-demo",
        "name": "avatar-demo",
        "kind": "agent",
        "iss": "livekit-key",
        "video": {
            "roomJoin": True,
            "room": "room-1",
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
        },
        "attributes": {"lk.publish_on_behalf": "agent-AJ_1"},
    }
    assert ours["video"].pop("canUpdateOwnMetadata") is True
    assert ours["attributes"].pop("avaluma.ai_generated") == "true"
    assert ours["attributes"].pop("avaluma.speech_from") == "agents"
    assert ours == public


async def test_a_trailing_slash_is_harmless_in_ours_only() -> None:
    assert (await ask_with_the_public_plugin("/")).path == "//v1/livekit/start-avatar"
    assert (await ask_with_ours("/")).path == "/v1/livekit/start-avatar"


async def test_the_public_plugin_tries_three_times_on_every_failure_and_never_stops() -> None:
    script = [refused(404, "AVATAR_NOT_FOUND")] * 9
    async with serving(*script) as server:
        plugin = PublicPlugin(
            base_url=server.url, license_key="K", agent_identity="a", retry_interval=0
        )
        with pytest.raises(APIConnectionError):
            await plugin.start(AgentSession(), AgentRoom().as_room(), **ACCESS)
        assert len(server.starts) == 3
        assert len({request.body for request in server.starts}) == 1
        assert server.stops == []


async def test_the_public_plugin_succeeds_on_its_second_try_and_reads_the_session() -> None:
    async with serving(refused(503, "AT_CAPACITY"), started("sess_2")) as server:
        plugin = PublicPlugin(
            base_url=server.url, license_key="K", agent_identity="a", retry_interval=0
        )
        session: AgentSession[Any] = AgentSession()
        await plugin.start(session, AgentRoom().as_room(), **ACCESS)
        assert plugin.session_id == "sess_2"
        assert type(session.output.audio) is DataStreamAudioOutput
        assert session.output.audio.sample_rate == 16000
