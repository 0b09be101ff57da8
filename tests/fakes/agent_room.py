"""The agent's end of a room without a server: people come and go, RPC and streams arrive.

It emits the events of `rtc.Room` in the order of the SDK, and answers RPC with its error codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc

from .memory_streams import stream_info

Handler = Callable[[rtc.RpcInvocationData], str]


@dataclass
class Stream:
    """One byte stream that the agent opened."""

    topic: str
    destination_identities: list[str]
    attributes: dict[str, str]
    info: rtc.ByteStreamInfo
    data: bytearray = field(default_factory=bytearray)
    closed: bool = False

    async def write(self, data: bytes) -> None:
        assert not self.closed
        self.data += data

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Peer:
    """Another participant: what it publishes, and which calls it answers."""

    identity: str
    state: int = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
    kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    track_publications: dict[str, Any] = field(default_factory=dict)
    methods: dict[str, Handler] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    disconnect_reason: int | None = None
    dead: bool = False
    """Its process was killed: it is listed and answers nothing."""


class Publication:
    """A track of our own that everybody in the room hears at once."""

    def __init__(self, sid: str, track: Any) -> None:
        self.sid = sid
        self.track = track

    async def wait_for_subscription(self) -> None:
        return


class AgentParticipant:
    """The local participant."""

    def __init__(self, room: AgentRoom, identity: str) -> None:
        self.identity = identity
        self.kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        self.track_publications: dict[str, Any] = {}
        self._room = room
        self._rpc_handlers: dict[str, Handler] = {}
        self.streams: list[Stream] = []
        self.published: list[Publication] = []

    async def publish_track(self, track: Any, options: Any) -> Publication:
        publication = Publication(f"TR_own_{len(self.published)}", track)
        self.published.append(publication)
        self.track_publications[publication.sid] = publication
        return publication

    async def unpublish_track(self, sid: str) -> None:
        del self.track_publications[sid]

    def register_rpc_method(self, method: str, handler: Handler) -> None:
        self._rpc_handlers[method] = handler

    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: str,
        payload: str,
        response_timeout: float | None = None,
    ) -> str:
        peer = self._room.remote_participants.get(destination_identity)
        if peer is None:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND, "recipient not found")
        peer.calls.append((method, payload))
        if peer.dead:
            await asyncio.Event().wait()
        if method not in peer.methods:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "unsupported method")
        return peer.methods[method](
            rtc.RpcInvocationData("request", self.identity, payload, response_timeout or 15.0)
        )

    async def stream_bytes(
        self,
        name: str,
        *,
        topic: str,
        destination_identities: list[str],
        attributes: dict[str, str],
    ) -> Stream:
        info = stream_info(topic, name, attributes)
        stream = Stream(topic, destination_identities, attributes, info)
        self.streams.append(stream)
        return stream


class AgentRoom(rtc.EventEmitter[str]):
    """What the agent holds; `as_room()` is the same object under the SDK's type."""

    def __init__(self, name: str = "room-1", *, identity: str = "agent-AJ_1") -> None:
        super().__init__()
        self.name = name
        self.remote_participants: dict[str, Peer] = {}
        self.local = AgentParticipant(self, identity)
        self._connected = False

    @property
    def local_participant(self) -> AgentParticipant:
        if not self._connected:
            raise Exception("cannot access local participant before connecting")
        return self.local

    def as_room(self) -> rtc.Room:
        return cast(rtc.Room, self)

    def isconnected(self) -> bool:
        return self._connected

    @property
    def connection_state(self) -> int:
        state = rtc.ConnectionState
        return state.CONN_CONNECTED if self._connected else state.CONN_DISCONNECTED

    def connect(self) -> None:
        self._connected = True
        self.emit("connection_state_changed", rtc.ConnectionState.CONN_CONNECTED)

    def disconnect(self) -> None:
        self._connected = False
        self.emit("connection_state_changed", rtc.ConnectionState.CONN_DISCONNECTED)

    def join(self, identity: str, *, methods: dict[str, Handler] | None = None) -> Peer:
        """Somebody comes and publishes a picture."""
        peer = Peer(identity, methods=dict(methods or {}))
        self.remote_participants[identity] = peer
        self.emit("participant_connected", peer)
        self.emit("participant_active", peer)
        video = SimpleNamespace(sid=f"TR_{identity}", kind=rtc.TrackKind.KIND_VIDEO)
        peer.track_publications[video.sid] = video
        self.emit("track_published", video, peer)
        return peer

    def leave(self, identity: str, *, reason: int = rtc.DisconnectReason.CLIENT_INITIATED) -> None:
        peer = self.remote_participants.pop(identity)
        peer.disconnect_reason = reason
        self.emit("participant_disconnected", peer)

    def call(self, caller: str, method: str, payload: str = "") -> str:
        """A remote participant calls the agent."""
        handler = self.local._rpc_handlers.get(method)
        if handler is None:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "unsupported method")
        return handler(rtc.RpcInvocationData("request", caller, payload, 15.0))

    def handler_count(self) -> int:
        """Handlers of all events, to see that nothing was left behind."""
        return sum(len(handlers) for handlers in self._events.values())


def handler_count(emitter: rtc.EventEmitter[Any]) -> int:
    """Handlers of all events of an SDK object."""
    return sum(len(handlers) for handlers in emitter._events.values())
