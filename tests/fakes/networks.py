"""The same scene on any network: an avatar, and people who speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.room_session import RoomSession
from livekit import rtc

from .memory_room import MemoryServer
from .scene import AGENT, Talker, avatar_in, join_request, talker
from .sender import Sender, sender
from .tokens import agent_token, fresh_room, viewer_token

PATIENCE = 15.0
SETTLES = 0.3
"""Seconds in which a report that should not be would have come."""


@dataclass(frozen=True)
class Network:
    """A server, and what makes a participant's end of a connection to it."""

    server: LiveKitServer | MemoryServer
    new_room: Callable[[], rtc.Room]

    @property
    def tokens_for(self) -> LiveKitServer:
        """The server as those see it who make tokens."""
        return cast(LiveKitServer, self.server)


@dataclass
class Scene:
    """One room of a network with an avatar in it."""

    network: Network
    room_name: str
    session: RoomSession
    _stack: AsyncExitStack = field(repr=False)

    async def agent(self, identity: str = AGENT) -> Talker:
        """Somebody of kind AGENT enters, and stays to the end unless it disconnects."""
        return await self._enter(
            agent_token(self.network.tokens_for, self.room_name, identity=identity)
        )

    async def guest(self, identity: str) -> Talker:
        """A person enters."""
        return await self._enter(
            viewer_token(self.network.tokens_for, self.room_name, identity=identity)
        )

    async def real_sender(self) -> Sender:
        """The avatar's agent enters with LiveKit's own output class."""
        new = self.network.new_room
        entering = sender(self.network.tokens_for, self.room_name, new_room=new)
        return await self._stack.enter_async_context(entering)

    def counter(self, name: str) -> int:
        """What the session has counted under a name."""
        return self.session.counters().get(name, 0)

    async def until_it_plays(self, more_than_ms: int = 0) -> None:
        """Wait until more speech than this has left the worker's queue since the start."""
        async with asyncio.timeout(PATIENCE):
            while self.counter("played_ms") <= more_than_ms:
                await asyncio.sleep(0.01)

    async def _enter(self, token: str) -> Talker:
        entering: AbstractAsyncContextManager[Talker] = talker(
            self.network.tokens_for, self.room_name, token=token, new_room=self.network.new_room
        )
        it = await self._stack.enter_async_context(entering)
        await it.until_avatar(PATIENCE)
        return it


@asynccontextmanager
async def scene(network: Network, engine: Engine, **changes: object) -> AsyncIterator[Scene]:
    """An avatar in a fresh room; `changes` of its request."""
    name = fresh_room()
    asked = join_request(network.tokens_for, name, **changes)
    async with (
        avatar_in(engine, asked, new_room=network.new_room) as session,
        AsyncExitStack() as stack,
    ):
        yield Scene(network, name, session, stack)
