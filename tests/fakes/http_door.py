"""The real HTTP door on a free port, with a fake LiveKit behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from avatar_worker.config import Settings, read_settings
from avatar_worker.server.app import make_app, make_host, serve
from avatar_worker.server.drain import Ending
from avatar_worker.server.sessions import SessionHost
from avatar_worker.server.worker import Worker
from fakes.sessions import FakeLiveKit, FakeShelf

KEY = "a-key-for-tests-only"
SECRET = "the-secret-of-some-livekit-server-000"
PATH = "/v1/livekit/start-avatar"

__all__ = ["KEY", "PATH", "SECRET", "Door", "make_app", "make_host", "open_door", "room_token"]


def room_token(
    *,
    room: str = "room-1",
    identity: str = "avatar-demo",
    on_behalf: str | None = "agent-1",
    issuer: str = "some-livekit",
    secret: str = SECRET,
    life: float = 3600.0,
    video: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Mint the token that the public plugin mints; keywords change single claims."""
    now = int(time.time())
    content: dict[str, Any] = {
        "sub": identity,
        "name": identity,
        "kind": "agent",
        "iss": issuer,
        "nbf": now,
        "exp": now + int(life),
        "video": {
            "roomJoin": True,
            "room": room,
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
            **(video or {}),
        },
        "attributes": {} if on_behalf is None else {"lk.publish_on_behalf": on_behalf},
    }
    content.update(claims)
    content = {name: value for name, value in content.items() if value is not ...}
    return jwt.encode(content, secret, algorithm="HS256")


@dataclass
class Reply:
    """An answer of the door."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class Door:
    """A running door and what stands behind it."""

    url: str
    livekit: FakeLiveKit
    shelf: FakeShelf
    http: aiohttp.ClientSession
    ending: Ending
    serving: asyncio.Task[int]
    host: SessionHost | None = None

    async def start(self, *, path: str = PATH, key: str | None = KEY, **change: Any) -> Reply:
        """Post a start as the public plugin does; keywords change the body."""
        body: dict[str, Any] = {
            "livekit_url": "ws://livekit.test:7880",
            "livekit_token": change.pop("token", None) or room_token(),
            "avaluma_avatar_id": "demo",
        }
        headers = change.pop("headers", {})
        if key is not None:
            body["avaluma_key"] = key
            headers = {"api-secret": key, **headers}
        body.update(change)
        body = {name: value for name, value in body.items() if value is not ...}
        return await self.call("POST", path, json=body, headers=headers)

    async def call(self, method: str, path: str, key: str | None = None, **options: Any) -> Reply:
        """Send any request."""
        if key is not None:
            options["headers"] = {"api-secret": key, **options.get("headers", {})}
        # The path goes out as written, `//` included.
        async with self.http.request(method, f"{self.url}{path}", **options) as answer:
            text = await answer.text()
            body = json.loads(text) if answer.content_type == "application/json" else text
            return Reply(answer.status, body, answer.headers)


@asynccontextmanager
async def open_door(*, shelf: FakeShelf | None = None, **flags: Any) -> AsyncIterator[Door]:
    """Serve on a free port until the block ends, then drain."""
    settings = door_settings(**flags)
    livekit, shelf, ending = FakeLiveKit(), shelf or FakeShelf(), Ending()
    worker = Worker(avatars=shelf, join=livekit.join)
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            settings,
            worker=worker,
            ending=ending,
            on_listening=lambda host, port: where.set_result(f"http://{host}:{port}"),
        )
    )
    first: set[asyncio.Future[Any]] = {serving, where}
    await asyncio.wait(first, return_when="FIRST_COMPLETED")
    if serving.done():
        serving.result()
    async with aiohttp.ClientSession() as http:
        try:
            yield Door(where.result(), livekit, shelf, http, ending, serving)
        finally:
            livekit.gate.opens.set()
            ending.ask()
            ending.ask()
            assert await serving == 0


def door_settings(**flags: Any) -> Settings:
    """The settings of a door for tests: one key, one allowed LiveKit host."""
    defaults: dict[str, Any] = {
        "port": 0,
        "api_keys": KEY,
        "livekit_hosts": "livekit.test",
        "max_sessions": 4,
        "start_budget": 5.0,
        "drain_timeout": 0.0,
    }
    return read_settings(**{**defaults, **flags})
