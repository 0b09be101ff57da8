"""Room tokens as the parties of a test would hold them."""

from __future__ import annotations

import secrets
from datetime import timedelta

from avatar_worker.demo.livekit_server import LiveKitServer
from livekit import api
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF


def fresh_room() -> str:
    """A room name that no other test uses."""
    return f"test-{secrets.token_hex(6)}"


def _token(server: LiveKitServer, identity: str, ttl: timedelta) -> api.AccessToken:
    token = api.AccessToken(server.api_key, server.api_secret)
    return token.with_identity(identity).with_name(identity).with_ttl(ttl)


def viewer_token(
    server: LiveKitServer,
    room: str,
    *,
    identity: str = "viewer",
    can_publish: bool = True,
    ttl: timedelta = timedelta(minutes=10),
) -> str:
    """A person who watches, and may send data and tracks."""
    grants = api.VideoGrants(room_join=True, room=room, can_publish=can_publish)
    return _token(server, identity, ttl).with_grants(grants).to_jwt()


def agent_token(server: LiveKitServer, room: str, *, identity: str = "agent-AJ_test") -> str:
    """An agent's participant, as the job's own token makes it."""
    grants = api.VideoGrants(room_join=True, room=room, agent=True, can_update_own_metadata=True)
    token = _token(server, identity, timedelta(minutes=10)).with_kind("agent")
    return token.with_grants(grants).to_jwt()


def avatar_token(
    server: LiveKitServer,
    room: str,
    *,
    identity: str = "avatar-demo",
    on_behalf: str | None = "agent-AJ_test",
    ttl: timedelta = timedelta(hours=6),
) -> str:
    """What the public plugin mints: kind agent, publish on behalf, six hours."""
    token = _token(server, identity, ttl).with_kind("agent")
    token = token.with_grants(api.VideoGrants(room_join=True, room=room))
    if on_behalf is not None:
        token = token.with_attributes({ATTRIBUTE_PUBLISH_ON_BEHALF: on_behalf})
    return token.to_jwt()


def admin(server: LiveKitServer) -> api.LiveKitAPI:
    """The server API, to be used as an async context manager."""
    return api.LiveKitAPI(server.url, server.api_key, server.api_secret)
