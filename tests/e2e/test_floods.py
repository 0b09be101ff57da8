"""Senders that send too much: memory stays bounded and the neighbours keep their pictures."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.room.call_limit import BURST, CALLS_PER_SECOND, TOO_MANY_CALLS
from fakes.scene import Talker, speech, talker
from fakes.tokens import fresh_room
from fakes.worker_process import WorkerProcess, worker_process
from livekit import rtc

pytestmark = pytest.mark.e2e

FLOOD = 4.0
KEPT_PICTURES = 0.7
"""Share of its pictures that the worker goes on to show for a neighbour."""
KEPT_BESIDE_BYTES = 0.3
"""The same where sender and server, on the same cores, are kept busy by the bytes themselves."""
MIB = 1 << 20


@dataclass
class Street:
    """A quiet neighbour that is watched, and somebody who will flood."""

    worker: WorkerProcess
    session: str
    neighbour: Talker
    flooder: Talker

    def rss(self) -> int:
        """Memory of the worker's process in bytes."""
        return int(psutil.Process(self.worker.child.pid).memory_info().rss)

    async def shown(self, seconds: float) -> float:
        """Pictures a second that the worker shows for the neighbour."""
        before, began = await self._pictures(), time.monotonic()
        await asyncio.sleep(seconds)
        return (await self._pictures() - before) / (time.monotonic() - began)

    async def _pictures(self) -> int:
        _, text = await self.worker.get(f"/v1/sessions/{self.session}")
        return int(json.loads(text)["counters"]["pictures_shown"])

    async def flood(self, work: Callable[[], Awaitable[None]]) -> float:
        """Measure the neighbour without and with the flood; the ratio of its picture rates."""
        await self.neighbour.stream(20.0)
        await asyncio.sleep(0.5)
        before = await self.shown(2.0)
        flooding = asyncio.ensure_future(work())
        during = await self.shown(FLOOD)
        assert not flooding.done(), "it floods to the end"
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        return during / before


@asynccontextmanager
async def street(server: LiveKitServer, folder: Path) -> AsyncIterator[Street]:
    near, far = fresh_room(), fresh_room()
    async with (
        worker_process(server, folder, RATE_LIMIT=1000) as worker,
        talker(server, near) as neighbour,
        talker(server, far) as flooder,
    ):
        status, session = await worker.start_avatar(near)
        assert status == 200
        assert (await worker.start_avatar(far))[0] == 200
        await neighbour.until_avatar()
        await flooder.until_avatar()
        yield Street(worker, session["session_id"], neighbour, flooder)
        assert worker.child.returncode is None


async def test_streams_by_the_hundred_are_refused_beyond_the_sixty_fourth(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with street(livekit_server, tmp_path) as it:
        sent = 0

        async def many() -> None:
            nonlocal sent
            while True:
                await it.flooder.stream(1.0)
                sent += 1
                await asyncio.sleep(0.01)

        before = it.rss()
        ratio = await it.flood(many)
        assert sent > 75, "64 wait, and few of a second each have been played"
        assert ratio >= KEPT_PICTURES
        assert it.rss() - before < 60 * MIB
        await it.flooder.clear()
        async with asyncio.timeout(10):
            while len(it.flooder.finished) < sent:
                await asyncio.sleep(0.05)
        assert any("64" in error["error"] for error in it.flooder.errors)


async def test_a_stream_without_an_end_takes_bounded_memory(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with street(livekit_server, tmp_path) as it:
        part = speech(10.0, 8_000)
        sent = 0

        async def endless() -> None:
            nonlocal sent
            writer = await it.flooder.stream(0.0, rate=8_000, close=False)
            while True:
                await writer.write(part)
                sent += len(part)

        before = it.rss()
        ratio = await it.flood(endless)
        assert ratio >= KEPT_BESIDE_BYTES
        assert it.rss() - before < 40 * MIB
        await it.flooder.clear()
        await it.flooder.until_finished(1)
        assert it.flooder.finished[0]["interrupted"]


async def test_beyond_twenty_a_second_calls_are_refused_and_harm_nobody(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with street(livekit_server, tmp_path) as it:
        calls: set[asyncio.Task[None]] = set()
        answered, refused = 0, Counter[int]()

        async def clear() -> None:
            nonlocal answered
            try:
                await it.flooder.clear()
                answered += 1
            except rtc.RpcError as error:
                refused[error.code] += 1

        async def clears() -> None:
            while True:
                call = asyncio.create_task(clear(), name="clear")
                calls.add(call)
                call.add_done_callback(calls.discard)
                await asyncio.sleep(0.005)

        before, began = it.rss(), time.monotonic()
        ratio = await it.flood(clears)
        await asyncio.gather(*calls)
        took = time.monotonic() - began
        assert answered + refused[TOO_MANY_CALLS] > 300
        assert set(refused) == {TOO_MANY_CALLS}
        assert BURST <= answered <= BURST + CALLS_PER_SECOND * took
        assert ratio >= KEPT_PICTURES
        assert it.rss() - before < 40 * MIB
        told = len(it.flooder.finished)
        await it.flooder.stream(0.5)
        await it.flooder.until_finished(told + 1)
        assert it.flooder.ends[-1] == (0.5, False)


async def test_starts_by_the_hundred_are_refused_quickly(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with street(livekit_server, tmp_path) as it:
        statuses: list[int] = []
        slowest = 0.0

        async def starts() -> None:
            nonlocal slowest
            while True:
                began = time.monotonic()
                statuses.append((await it.worker.start_avatar(fresh_room()))[0])
                if statuses[-1] != 200:
                    slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(0.01)

        before = it.rss()
        ratio = await it.flood(starts)
        assert statuses.count(200) == 2, "four places, two of them taken"
        assert set(statuses) <= {200, 429, 503}
        assert len(statuses) > 50
        assert ratio >= KEPT_PICTURES
        assert it.rss() - before < 80 * MIB
