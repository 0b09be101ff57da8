"""A LiveKit room in memory: tokens, people, calls and byte streams, in the order of the SDK.

Tracks are announced and not carried: sources are the SDK's own, so what is queued and played is
measured as in a real room. One event loop; nothing leaves the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from livekit import api, rtc

from .memory_participant import MemoryParticipant, MemoryPeer
from .memory_streams import Reader

NEWS_AFTER = 0.1
"""Seconds until somebody without tracks is announced; livekit-server takes up to 3."""
OUTAGE = 0.2
"""Seconds that a full reconnect takes."""
STATES = rtc.ConnectionState


@dataclass
class MemoryServer:
    """Who is in which room. It has what `LiveKitServer` has, so that tokens can be made for it."""

    url: str = "ws://memory.test"
    api_key: str = "memory-key"
    api_secret: str = "memory-secret-memory-secret-0123"
    rooms: dict[str, dict[str, MemoryRoom]] = field(default_factory=dict)

    def claims(self, token: str) -> api.access_token.Claims:
        """Read a token.

        Raises:
            ConnectError: As the real server's answer to a foreign or expired one.
        """
        try:
            return api.TokenVerifier(self.api_key, self.api_secret).verify(token)
        except Exception as error:
            raise rtc.ConnectError(str(error)) from None


class MemoryRoom(rtc.EventEmitter[str]):
    """What one participant holds; `as_room()` is the same object under the SDK's type."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__()
        self.server = server
        self.name = ""
        self.byte_handlers: dict[str, Callable[[Any, str], None]] = {}
        self.readers: list[Reader] = []
        self.remote_participants: dict[str, MemoryPeer] = {}
        self.me = MemoryPeer("", 0, {})
        self.local = MemoryParticipant(self)
        self.gone = asyncio.Event()
        self.reachable = False
        self._ffi_handle = None
        self._news: asyncio.TimerHandle | None = None

    def as_room(self) -> rtc.Room:
        return cast(rtc.Room, self)

    @property
    def local_participant(self) -> MemoryParticipant:
        if not self.me.identity:
            raise Exception("cannot access local participant before connecting")
        return self.local

    def isconnected(self) -> bool:
        return self.members().get(self.me.identity) is self

    @property
    def connection_state(self) -> int:
        if not self.isconnected():
            return STATES.CONN_DISCONNECTED
        return STATES.CONN_CONNECTED if self.reachable else STATES.CONN_RECONNECTING

    def members(self) -> dict[str, MemoryRoom]:
        """Everybody in the room, ourselves included, announced or not."""
        return self.server.rooms.setdefault(self.name, {})

    def others(self) -> list[MemoryRoom]:
        """Everybody else whom the server reaches."""
        return [room for room in self.members().values() if room is not self and room.reachable]

    def register_byte_stream_handler(self, topic: str, handler: Callable[[Any, str], None]) -> None:
        if topic in self.byte_handlers:
            raise ValueError(f"byte stream handler for topic {topic!r} already set")
        self.byte_handlers[topic] = handler

    def unregister_byte_stream_handler(self, topic: str) -> None:
        self.byte_handlers.pop(topic, None)

    def register_text_stream_handler(self, topic: str, handler: Callable[[Any, str], None]) -> None:
        """Nobody sends text here."""

    async def connect(self, url: str, token: str, options: Any = None) -> None:
        claims = self.server.claims(token)
        await asyncio.sleep(0)
        self.name = claims.video.room if claims.video is not None else ""
        kind = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
        if claims.kind == "agent":
            kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        self.me = MemoryPeer(claims.identity, kind, dict(claims.attributes or {}))
        if older := self.members().get(claims.identity):
            older._end(rtc.DisconnectReason.DUPLICATE_IDENTITY)
        self._enter()
        self.emit("connection_state_changed", STATES.CONN_CONNECTED)

    async def disconnect(self) -> None:
        if self.isconnected():
            self._end(rtc.DisconnectReason.CLIENT_INITIATED)

    async def simulate_scenario(self, kind: int) -> None:
        """Lose the connection and everything under way; come back under the same identity."""
        assert kind == rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT
        self.emit("reconnecting")
        self._leave(rtc.DisconnectReason.UNKNOWN_REASON)
        await asyncio.sleep(OUTAGE)
        self.gone = asyncio.Event()
        for identity in list(self.remote_participants):
            self.emit("participant_disconnected", self.remote_participants.pop(identity))
        self._enter()
        for peer in self.remote_participants.values():
            self.emit("participant_connected", peer)
        self.emit("reconnected")

    def announce(self) -> None:
        """Tell the others who is there, once."""
        if self._news is not None:
            self._news.cancel()
            self._news = None
            for other in self.others():
                other.remote_participants[self.me.identity] = self.me
                other.emit("participant_connected", self.me)
                other.emit("participant_active", self.me)

    def _enter(self) -> None:
        self.reachable = True
        self.members()[self.me.identity] = self
        self.remote_participants.update({o.me.identity: o.me for o in self.others()})
        self._news = asyncio.get_running_loop().call_later(NEWS_AFTER, self.announce)
        if self.me.track_publications:
            self.announce()
            for other in self.others():
                for publication in self.me.track_publications.values():
                    other.emit("track_published", publication, self.me)

    def _leave(self, reason: int) -> None:
        self.reachable = False
        for writer in self.local.writers:
            writer.cut()
        for reader in self.readers:
            reader.lose()
        self.gone.set()
        self.me.disconnect_reason = reason
        if self._news is not None:
            self._news.cancel()
            self._news = None
        for other in self.others():
            if other.remote_participants.get(self.me.identity) is self.me:
                del other.remote_participants[self.me.identity]
                other.emit("participant_disconnected", self.me)

    def _end(self, reason: int) -> None:
        self._leave(reason)
        del self.members()[self.me.identity]
        for reader in self.readers:
            reader.disconnect()
        self.emit("connection_state_changed", STATES.CONN_DISCONNECTED)
        self.emit("disconnected", reason)
