"""An agent, a room, an avatar server, and the plugin's session between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from livekit.agents import AgentSession, APIConnectOptions, utils
from livekit.plugins.avaluma import AvatarSession

from .agent_room import AgentRoom, handler_count
from .avatar_server import Answer, AvatarServerStub, serving

FAST = APIConnectOptions(max_retry=1, retry_interval=0.01, timeout=2.0)
IDENTITY = "avatar-demo"


class Stage:
    """An agent, a room, an avatar server and a session that is not started."""

    def __init__(self, server: AvatarServerStub, **options: Any) -> None:
        self.server = server
        self.agent: AgentSession[Any] = AgentSession()
        self.room = AgentRoom()
        self.avatar = AvatarSession(avatar_server_url=server.url, conn_options=FAST, **options)
        self.handlers_before = handler_count(self.agent)

    async def start(self, **access: str) -> None:
        await self.avatar.start(self.agent, self.room.as_room(), **access)

    def assert_nothing_left(self) -> None:
        assert self.room.handler_count() == 0
        assert handler_count(self.agent) == self.handlers_before
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("avaluma.")]


@asynccontextmanager
async def stage(*script: Answer, connected: bool = True, **options: Any) -> AsyncIterator[Stage]:
    async with serving(*script) as server, utils.http_context.open():
        set_up = Stage(server, **options)
        if connected:
            set_up.room.connect()
        try:
            yield set_up
        finally:
            await set_up.avatar.aclose()
            set_up.assert_nothing_left()
