"""LiveKit's real sender at the oldest release that is supported, and at the one installed here."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from fakes.releases import agents_release
from fakes.scene import AVATAR, avatar_in, join_request
from fakes.tokens import agent_token, fresh_room

pytestmark = pytest.mark.e2e

SENDER = Path(__file__).parents[1] / "fakes" / "foreign_sender.py"
OLDEST = "1.8.0"
INSTALLED = importlib.metadata.version("livekit-agents")


@dataclass
class Foreigner:
    """The sender's process, and what it has told."""

    process: asyncio.subprocess.Process
    facts: list[dict[str, Any]] = field(default_factory=list)

    async def order(self, name: str, *arguments: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        await self.process.stdin.drain()

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.facts.append(json.loads(line))

    async def until(self, event: str, count: int, timeout: float = 20.0) -> list[dict[str, Any]]:
        """Wait until this has been told so often; all that was told of it."""
        async with asyncio.timeout(timeout):
            while len(told := [fact for fact in self.facts if fact["event"] == event]) < count:
                assert self.process.returncode is None, self.facts
                await asyncio.sleep(0.02)
        return told


@asynccontextmanager
async def foreigner(server: LiveKitServer, room: str, version: str) -> AsyncIterator[Foreigner]:
    """LiveKit's sender of this release in a room, until the end of the block."""
    path = "" if version == INSTALLED else str(await asyncio.to_thread(agents_release, version))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(SENDER), server.url, agent_token(server, room), AVATAR),
        env=os.environ | {"PYTHONPATH": path},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    it = Foreigner(process)
    listening = asyncio.create_task(it.listen(), name="foreign sender")
    try:
        yield it
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
        await listening


@pytest.mark.parametrize("version", [OLDEST, INSTALLED])
async def test_a_sender_of_this_release_speaks_interrupts_and_speaks_again(
    livekit_server: LiveKitServer, engine: Engine, version: str
) -> None:
    room = fresh_room()
    async with (
        foreigner(livekit_server, room, version) as it,
        avatar_in(engine, join_request(livekit_server, room)) as session,
    ):
        [joined] = await it.until("joined", 1, 60.0)
        assert joined["livekit-agents"] == version

        await it.order("say", 1.0)
        [ended] = await it.until("finished", 1)
        assert (ended["position"], ended["interrupted"]) == (1.0, False)
        await it.until("started", 1)

        # Cut, and speak again. From 1.8.9 on that may be done at once; before, the next sentence
        # can overtake the clear on its way and is then cut with the one before.
        await it.order("say", 20.0)
        await it.until("started", 2)
        await asyncio.sleep(0.5)
        await it.order("clear")
        if version == OLDEST:
            await it.until("finished", 2)
        await it.order("say", 0.6)
        _, cut, after = await it.until("finished", 3)
        assert cut["interrupted"]
        assert 0 < cut["position"] < 20
        assert (after["position"], after["interrupted"]) == (0.6, False)

        for _ in range(3):
            await it.order("say", 0.3)
        ends = (await it.until("finished", 6))[3:]
        assert [(end["position"], end["interrupted"]) for end in ends] == [(0.3, False)] * 3
        await asyncio.sleep(0.5)
        assert len(await it.until("finished", 6)) == 6
        assert len(await it.until("started", 6)) == 6
        assert session.counters()["reports_failed"] == 0
