"""An avatar server as a plugin sees it: real HTTP, scripted answers, every request kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One scripted reply.

    Attributes:
        hold: Wait for `AvatarServerStub.let_go` before answering.
        hang_up: Close the connection instead of answering.
    """

    status: int = 200
    body: Any = None
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    hang_up: bool = False


def started(session_id: str = "sess_0123456789abcdef", **more: Any) -> Answer:
    """What a server of this project answers when the avatar is in the room."""
    return Answer(
        body={
            "session_id": session_id,
            "status": "started",
            "avatar_participant_identity": "avatar-demo",
            "features": ["playback_started"],
            "sample_rate": 16000,
            **more,
        }
    )


def refused(status: int, code: str, **headers: str) -> Answer:
    """An error body of this project."""
    return Answer(
        status=status,
        body={"error": "a sentence", "code": code, "details": {}},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class AvatarServerStub:
    """Answers start requests from its script, then with success; stop requests with 200."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.requests: list[Received] = []
        self.arrived = asyncio.Event()
        self.let_go = asyncio.Event()
        self.url = ""

    @property
    def starts(self) -> list[Received]:
        return [request for request in self.requests if "start-avatar" in request.path]

    @property
    def stops(self) -> list[Received]:
        return [request for request in self.requests if "stop-avatar" in request.path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            method=request.method,
            path=request.path,
            headers=dict(request.headers),
            body=await request.read(),
        )
        self.requests.append(received)
        self.arrived.set()
        if "stop-avatar" in request.path:
            return web.json_response({"status": "stopped"})
        answer = self.script.pop(0) if self.script else started()
        if answer.hold:
            await self.let_go.wait()
        if answer.hang_up:
            assert request.transport is not None
            request.transport.close()
        if answer.text is not None:
            return web.Response(text=answer.text, status=answer.status, headers=answer.headers)
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)


@asynccontextmanager
async def serving(*script: Answer) -> AsyncIterator[AvatarServerStub]:
    """Serve on a free port of loopback; `url` has no trailing slash."""
    stub = AvatarServerStub(*script)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stub
    finally:
        stub.let_go.set()
        await runner.cleanup()
