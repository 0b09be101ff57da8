"""`avatar-worker start` in a process of its own, and the start request of the public plugin."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from avatar_worker.demo.livekit_server import LiveKitServer, free_port
from livekit import api

AGENT: Final = "agent-bench"
AVATAR: Final = "avatar-demo"
COMMAND: Final = ("-m", "avatar_worker", "start")
READY_WITHIN: Final = 120.0


@dataclass
class Worker:
    """A worker that is ready."""

    url: str
    process: asyncio.subprocess.Process
    server: LiveKitServer

    async def start_avatar(self, http: aiohttp.ClientSession, room: str) -> tuple[int, Any]:
        """Ask for the demo avatar as the public plugin does; the status and the body."""
        body = {
            "livekit_url": self.server.url,
            "livekit_token": token(self.server, room, AVATAR, on_behalf=AGENT),
            "avaluma_avatar_id": "demo",
        }
        async with http.post(f"{self.url}/v1/livekit/start-avatar", json=body) as answer:
            return answer.status, await answer.json()

    async def stop_avatar(self, http: aiohttp.ClientSession, body: dict[str, Any]) -> None:
        """End the session that a start has answered with."""
        asked = {"session_id": body["session_id"]}
        async with http.post(f"{self.url}/v1/livekit/stop-avatar", json=asked):
            return


@asynccontextmanager
async def start_worker(
    server: LiveKitServer,
    *,
    max_sessions: int = 4,
    command: tuple[str, ...] = COMMAND,
    pipes: bool = False,
) -> AsyncIterator[Worker]:
    """Run a worker until the end of the block.

    Args:
        server: Where its rooms are.
        max_sessions: Its places.
        command: Arguments of Python, if not those of a plain worker.
        pipes: Whether its stdin and stdout are ours.
    """
    port = free_port()
    env = os.environ | {
        "AVATAR_WORKER_PORT": str(port),
        "AVATAR_WORKER_MAX_SESSIONS": str(max_sessions),
        "AVATAR_WORKER_RATE_LIMIT": "100000",
        "AVATAR_WORKER_DRAIN_TIMEOUT": "0",
        "AVATAR_WORKER_DISPATCH": "false",
        "AVATAR_WORKER_LOG_LEVEL": "error",
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    pipe = asyncio.subprocess.PIPE if pipes else None
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=env, stdin=pipe, stdout=pipe
    )
    worker = Worker(f"http://127.0.0.1:{port}", process, server)
    try:
        await _until_ready(worker)
        yield worker
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_ready(worker: Worker) -> None:
    async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as http:
        while True:
            if worker.process.returncode is not None:
                raise RuntimeError(f"the worker ended with {worker.process.returncode}")
            try:
                async with http.get(f"{worker.url}/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


def token(server: LiveKitServer, room: str, identity: str, *, on_behalf: str | None = None) -> str:
    """Mint a room token."""
    it = api.AccessToken(server.api_key, server.api_secret).with_identity(identity)
    it = it.with_grants(api.VideoGrants(room_join=True, room=room))
    if on_behalf is not None:
        it = it.with_kind("agent").with_attributes({"lk.publish_on_behalf": on_behalf})
    return it.to_jwt()
