"""What each route does."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from avatar_worker.config import Network
from avatar_worker.room.door import RunningSession
from avatar_worker.telemetry.metrics import CONTENT_TYPE, Metrics

from .auth import ApiKey, KeyRing, presented_key
from .health import Check, health, not_ready
from .rate_limit import RateLimiter
from .refusals import (
    KeyMissingError,
    KeyWrongError,
    MissingParameterError,
    SessionNotFoundError,
)
from .sessions import SessionHost
from .start_request import StartPolicy, read_object, read_session_id, read_start
from .worker import AvatarShelf

BODY_TIMEOUT: Final = 5.0  # seconds
SAMPLE_RATE: Final = 16_000
FEATURES: Final = ["playback_started", "pause"]
CALLER: Final = web.RequestKey("caller", str)
"""Name of the key that a request came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the routes work on.

    Attributes:
        host: The sessions.
        avatars: The avatars.
        keys: Who may call.
        policy: What a start may be.
        metrics: Where to count.
        starts: Limits start requests.
        calls: Limits all others that need a key, so that starts cannot starve a stop.
        strangers: Limits callers without a good key, by address.
        checks: Reasons against new work.
        metrics_networks: Who may read /metrics beside loopback.
    """

    host: SessionHost
    avatars: AvatarShelf
    keys: KeyRing
    policy: StartPolicy
    metrics: Metrics
    starts: RateLimiter
    calls: RateLimiter
    strangers: RateLimiter
    checks: Sequence[Check] = ()
    metrics_networks: Sequence[Network] = ()

    async def start(self, request: web.Request) -> web.Response:
        """Start an avatar, or find the one that this request started before."""
        key, body = await self._caller(request, self.starts)
        asked = read_start(body(), request.headers, policy=self.policy, now=time.time())
        session = await self.host.start(asked, key)
        return web.json_response(
            {
                "session_id": session.id,
                "status": "started",
                "avatar_participant_identity": session.identity,
                "features": FEATURES,
                "sample_rate": SAMPLE_RATE,
            }
        )

    async def stop(self, request: web.Request) -> web.Response:
        """End a session by the id in the body."""
        key, body = await self._caller(request, self.calls)
        await self.host.stop(read_session_id(body()), self._owner(key))
        return web.json_response({"status": "stopped"})

    async def list_sessions(self, request: web.Request) -> web.Response:
        """List the caller's sessions."""
        key, _ = await self._caller(request, self.calls)
        found = [_describe(session) for session in self.host.sessions(self._owner(key))]
        return web.json_response({"sessions": found})

    async def get_session(self, request: web.Request) -> web.Response:
        """Describe one session."""
        key, _ = await self._caller(request, self.calls)
        wanted = request.match_info["id"]
        for session in self.host.sessions(self._owner(key)):
            if session.id == wanted:
                return web.json_response(_describe(session))
        raise SessionNotFoundError(wanted)

    async def delete_session(self, request: web.Request) -> web.Response:
        """End a session by the id in the path."""
        key, _ = await self._caller(request, self.calls)
        await self.host.stop(request.match_info["id"], self._owner(key))
        return web.json_response({"status": "stopped"})

    async def list_avatars(self, request: web.Request) -> web.Response:
        """List the avatars that the caller may start."""
        key, _ = await self._caller(request, self.calls)
        entries = await asyncio.to_thread(self.avatars.entries)
        found = [
            {
                "id": entry.id,
                "title": entry.title,
                "size": list(entry.size),
                "fps": entry.fps,
                "default": entry.id == self.policy.default_avatar,
            }
            for entry in entries
            if key.avatars is None or entry.id in key.avatars
        ]
        return web.json_response({"avatars": found})

    async def health(self, request: web.Request) -> web.Response:
        """Say that the process lives."""
        return web.json_response(health(self.host.active()))

    async def ready(self, request: web.Request) -> web.Response:
        """Say whether new work is welcome."""
        # A check may look at a disk.
        reasons = await asyncio.to_thread(not_ready, self.checks)
        if not reasons:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "reasons": reasons}, status=503)

    async def prometheus(self, request: web.Request) -> web.Response:
        """Show the metrics to loopback and to the listed networks."""
        try:
            peer = ipaddress.ip_address(request.remote or "")
        except ValueError:
            raise web.HTTPNotFound from None
        if not peer.is_loopback and not any(peer in net for net in self.metrics_networks):
            raise web.HTTPNotFound
        return web.Response(body=self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _caller(
        self, request: web.Request, limit: RateLimiter
    ) -> tuple[ApiKey, Callable[[], dict[str, Any]]]:
        """Return who calls, and a function that gives the body or raises what is wrong with it.

        The key comes first: a body is judged only for somebody who may call.
        """
        raw = await _read(request)
        try:
            parsed = read_object(raw)
        except MissingParameterError as error:
            fault = error

            def body() -> dict[str, Any]:
                raise fault

            key = self._identify(request, {})
        else:

            def body() -> dict[str, Any]:
                return parsed

            key = self._identify(request, parsed)
        request[CALLER] = key.name
        limit.take(key.name, time.monotonic())
        return key, body

    def _identify(self, request: web.Request, body: dict[str, Any]) -> ApiKey:
        try:
            return self.keys.identify(presented_key(request.headers, body))
        except (KeyMissingError, KeyWrongError):
            self.strangers.take(request.remote or "", time.monotonic())
            raise

    def _owner(self, key: ApiKey) -> ApiKey | None:
        """Return whose sessions this caller sees; None for all."""
        return key if self.keys.is_shared else None


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _describe(session: RunningSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "avatar": session.avatar_id,
        "room": session.room_name,
        "identity": session.identity,
        "state": session.state.value,
        "door": session.door,
        "started_at": session.started_at.isoformat(),
        "counters": dict(session.counters()),
    }
