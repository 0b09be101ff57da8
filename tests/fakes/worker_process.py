"""The worker as operators run it: a process of its own that can be signalled and killed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from avatar_worker.avatars.format import write_avatar
from avatar_worker.demo.child import Child, start_child
from avatar_worker.demo.livekit_server import LiveKitServer, free_port

from .avatars import tiny_avatar
from .tokens import avatar_token

READY_WITHIN = 60.0


@dataclass
class WorkerProcess:
    """`avatar-worker start` with small avatars."""

    url: str
    child: Child
    server: LiveKitServer

    async def start_avatar(self, room: str, **body: object) -> tuple[int, dict[str, Any]]:
        """Ask for the demo avatar as the public plugin does; status and body."""
        asked = {
            "livekit_url": self.server.url,
            "livekit_token": avatar_token(self.server, room),
            "avaluma_avatar_id": "demo",
        }
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/v1/livekit/start-avatar", json=asked | body) as answer,
        ):
            return answer.status, await answer.json()

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of a GET."""
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def ended(self, timeout: float) -> int:
        """Wait for the end of the process; its exit status."""
        assert await asyncio.to_thread(self.child.wait, timeout), self.child.tail(20)
        assert self.child.returncode is not None
        return self.child.returncode

    async def _ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN):
            while True:
                assert self.child.returncode is None, self.child.tail(20)
                try:
                    if (await self.get("/ready"))[0] == 200:
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)


@asynccontextmanager
async def worker_process(
    server: LiveKitServer, folder: Path, **variables: object
) -> AsyncIterator[WorkerProcess]:
    """Run a worker until the end of the block; `variables` without AVATAR_WORKER_ in front."""
    folder.mkdir(parents=True, exist_ok=True)
    write_avatar(tiny_avatar("demo"), folder / "demo.hvia")
    settings = {
        "PORT": free_port(),
        "AVATARS": folder,
        "MAX_SESSIONS": 4,
        "DRAIN_TIMEOUT": 0,
        "DISPATCH": "false",
        "LOG_FORMAT": "json",
    } | variables
    env = {**os.environ, **server.env()}
    env |= {f"AVATAR_WORKER_{name}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "avatar_worker", "start"]
    # Without the tether: the kernel would end it with the thread, not the process, that made it.
    child = start_child(command, env=env, name="avatar-worker", with_us=False)
    worker = WorkerProcess(f"http://127.0.0.1:{settings['PORT']}", child, server)
    try:
        await worker._ready()
        yield worker
    finally:
        await asyncio.to_thread(child.stop, asks=2)
