"""The whole worker in this process, on a free port: every part real but the portrait's pixels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_worker.avatars.format import write_avatar
from avatar_worker.config import Settings, read_settings
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.render import Renderer
from avatar_worker.server.app import serve
from avatar_worker.server.build import build_worker
from avatar_worker.server.drain import Ending

from .avatars import tiny_avatar
from .plain_renderer import PlainRenderer


@dataclass
class RunningWorker:
    """A worker and how to end it."""

    url: str
    settings: Settings
    ending: Ending
    task: asyncio.Task[int]

    async def drain(self) -> int:
        """Ask for the end as SIGTERM does, and return the exit code."""
        self.ending.ask()
        return await self.task


@asynccontextmanager
async def run_worker(
    server: LiveKitServer,
    folder: Path,
    *,
    avatars: tuple[str, ...] = ("demo",),
    renderer: Renderer | None = None,
    **flags: Any,
) -> AsyncIterator[RunningWorker]:
    """Run a worker with tiny avatars of these ids until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, avatar_id in enumerate(avatars):
        write_avatar(tiny_avatar(avatar_id, seed=number), folder / f"{avatar_id}.hvia")
    settings = read_settings(
        **{
            "host": "127.0.0.1",
            "port": 0,
            "avatars": (folder,),
            "livekit_url": server.url,
            "livekit_api_key": server.api_key,
            "livekit_api_secret": server.api_secret,
            "max_sessions": 4,
            "drain_timeout": 0.0,
            "dispatch": False,
        }
        | flags
    )
    ending, listening = Ending(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(
            settings,
            worker=build_worker(settings, renderer or PlainRenderer()),
            ending=ending,
            on_listening=lambda host, port: listening.set_result(f"http://{host}:{port}"),
        ),
        name="worker under test",
    )
    await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield RunningWorker(listening.result(), settings, ending, task)
    finally:
        if not task.done():
            ending.ask()
            ending.ask()
        await task
