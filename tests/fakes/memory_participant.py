"""One participant's end of a room in memory: its tracks, calls and streams."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from livekit import rtc

from .memory_streams import Reader, Writer, stream_info

if TYPE_CHECKING:
    from .memory_room import MemoryRoom

Handler = Callable[[rtc.RpcInvocationData], Any]
MOST_PAYLOAD = 15 * 1024
CODES = rtc.RpcError.ErrorCode


@dataclass
class MemoryPeer:
    """What others see of a participant."""

    identity: str
    kind: int
    attributes: dict[str, str]
    state: int = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
    disconnect_reason: int | None = None
    track_publications: dict[str, Any] = field(default_factory=dict)


class MemoryParticipant:
    """The local participant."""

    def __init__(self, room: MemoryRoom) -> None:
        self._room = room
        self._rpc_handlers: dict[str, Handler] = {}
        self._interceptors: list[rtc.RpcInterceptor] = []
        self.writers: list[Writer] = []

    @property
    def identity(self) -> str:
        return self._room.me.identity

    def register_rpc_method(self, method: str, handler: Handler) -> None:
        self._rpc_handlers[method] = handler

    def unregister_rpc_method(self, method: str) -> None:
        self._rpc_handlers.pop(method, None)

    def add_rpc_interceptor(self, interceptor: rtc.RpcInterceptor) -> None:
        self._interceptors.append(interceptor)

    async def publish_track(self, track: Any, options: rtc.TrackPublishOptions) -> Any:
        sid = f"TR_{secrets.token_hex(4)}"
        publication = SimpleNamespace(sid=sid, kind=track.kind, source=options.source, track=track)
        self._room.me.track_publications[sid] = publication
        self._room.announce()
        for other in self._room.others():
            other.emit("track_published", publication, self._room.me)
        return publication

    async def publish_data(
        self, payload: bytes | str, *, destination_identities: list[str], topic: str
    ) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        kind = rtc.DataPacketKind.KIND_RELIABLE
        for other in self._room.others():
            if other.me.identity in destination_identities:
                sender = cast(rtc.RemoteParticipant, self._room.me)
                other.emit("data_received", rtc.DataPacket(data, kind, sender, topic))

    async def stream_bytes(
        self,
        name: str,
        *,
        topic: str,
        destination_identities: list[str],
        attributes: dict[str, str],
    ) -> Writer:
        await asyncio.sleep(0)
        info, readers = stream_info(topic, name, dict(attributes)), []
        for other in self._room.others():
            if other.me.identity in destination_identities and topic in other.byte_handlers:
                readers.append(Reader(info))
                other.byte_handlers[topic](readers[-1], self.identity)
                other.readers.append(readers[-1])
        writer = Writer(info, readers)
        self.writers.append(writer)
        return writer

    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: str,
        payload: str,
        response_timeout: float | None = None,
    ) -> str:
        if len(payload.encode()) > MOST_PAYLOAD:
            raise rtc.RpcError(CODES.REQUEST_PAYLOAD_TOO_LARGE, "request payload too large")
        await asyncio.sleep(0)
        there = self._room.members().get(destination_identity)
        if there is None or there is self._room or not there.reachable:
            raise rtc.RpcError(CODES.RECIPIENT_NOT_FOUND, "recipient not found")
        invocation = rtc.RpcInvocationData(
            secrets.token_hex(4), self.identity, payload, response_timeout or 15.0, method
        )
        answer = asyncio.ensure_future(there.local._answer(invocation))
        gone = asyncio.ensure_future(there.gone.wait())
        await asyncio.wait(
            {answer, gone},
            timeout=invocation.response_timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        gone.cancel()
        if answer.done():
            return answer.result()
        answer.cancel()
        if there.gone.is_set():
            raise rtc.RpcError(CODES.RECIPIENT_DISCONNECTED, "recipient disconnected")
        raise rtc.RpcError(CODES.RESPONSE_TIMEOUT, "response timeout")

    async def _answer(self, invocation: rtc.RpcInvocationData) -> str:
        async def invoke(call: rtc.RpcInvocationData) -> str | None:
            if call.method not in self._rpc_handlers:
                raise rtc.RpcError(CODES.UNSUPPORTED_METHOD, "unsupported method")
            found = self._rpc_handlers[call.method](call)
            return cast(str | None, await found if asyncio.iscoroutine(found) else found)

        chain: Callable[[rtc.RpcInvocationData], Awaitable[str | None]] = invoke
        for interceptor in reversed(self._interceptors):
            chain = _link(interceptor, chain)
        try:
            return await chain(invocation) or ""
        except (rtc.RpcError, asyncio.CancelledError):
            raise
        except Exception:
            raise rtc.RpcError(CODES.APPLICATION_ERROR, "application error") from None


def _link(
    interceptor: rtc.RpcInterceptor, then: Callable[[rtc.RpcInvocationData], Awaitable[str | None]]
) -> Callable[[rtc.RpcInvocationData], Awaitable[str | None]]:
    return lambda call: interceptor.intercept_incoming(call, then)
