"""A worker whose engine fails for a session, or for good: what its HTTP door says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from avatar_worker.avatars.format import write_avatar
from avatar_worker.config import read_settings
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.errors import DeviceError, PictureError
from avatar_worker.server.app import serve
from avatar_worker.server.build import build_worker
from avatar_worker.server.drain import Ending
from avatar_worker.server.health import not_ready
from avatar_worker.server.worker import Worker
from fakes.avatars import tiny_avatar
from fakes.faults import FaultError, Faults, FaultyRenderer
from fakes.http_door import KEY, PATH, door_settings, open_door, room_token
from fakes.memory_room import MemoryServer
from fakes.scene import join_request
from fakes.sessions import FakeLiveKit, FakeShelf
from fakes.tokens import fresh_room

LOST = "the GPU has fallen off the bus"
START = {"livekit_url": "ws://livekit.test:7880", "avaluma_avatar_id": "demo"}


class LosesItsDevice:
    """A worker in parts whose device is lost when a test says so."""

    def __init__(self) -> None:
        self.livekit, self.lost, self.closed = FakeLiveKit(), asyncio.Event(), 0
        self.stopped: str | None = None

    async def watch(self) -> None:
        await self.lost.wait()
        raise DeviceError(LOST)

    async def aclose(self) -> None:
        self.closed += 1

    def parts(self, **others: Any) -> Worker:
        return Worker(
            avatars=FakeShelf(),
            join=self.livekit.join,
            watch=self.watch,
            aclose=self.aclose,
            checks=(lambda: self.stopped,),
            **others,
        )


@asynccontextmanager
async def served(worker: Worker) -> AsyncIterator[tuple[str, asyncio.Task[int]]]:
    """Its address, and the exit code to come."""
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            door_settings(drain_timeout=600.0),
            worker=worker,
            ending=Ending(),
            on_listening=lambda host, port: where.set_result(f"http://{host}:{port}"),
        )
    )
    yield await where, serving
    async with asyncio.timeout(5):
        await serving


async def test_a_lost_device_ends_every_session_with_that_reason_and_the_process_with_70() -> None:
    it = LosesItsDevice()
    headers = {"api-secret": KEY}
    async with (
        served(it.parts()) as (url, serving),
        aiohttp.ClientSession(url, headers=headers) as http,
    ):
        for room in ("one", "two"):
            body = {**START, "livekit_token": room_token(room=room)}
            async with http.post(PATH, json=body) as answer:
                assert answer.status == 200
        async with http.get("/ready") as answer:
            assert answer.status == 200
        it.stopped = "render engine stopped"
        async with http.get("/ready") as answer:
            assert answer.status == 503
            assert "render engine stopped" in (await answer.json())["reasons"]
        it.lost.set()
        async with asyncio.timeout(5):
            assert await serving == 70
    assert [await session.wait_closed() for session in it.livekit.joined] == ["device_lost"] * 2
    assert it.closed == 1


async def test_failures_of_single_sessions_are_counted_by_stage_and_by_outcome() -> None:
    it, failures = LosesItsDevice(), {"hearing": 2, "rendering": 0}
    async with (
        served(it.parts(failures=lambda: failures)) as (url, _),
        aiohttp.ClientSession(url, headers={"api-secret": KEY}) as http,
    ):
        async with http.post(PATH, json={**START, "livekit_token": room_token()}):
            it.livekit.joined[0].end("drawing_failed")
        async with http.get("/metrics") as answer:
            text = await answer.text()
        assert 'avatar_worker_drawing_failures_total{stage="hearing"} 2.0' in text
        assert 'avatar_worker_drawing_failures_total{stage="rendering"} 0.0' in text
        assert 'sessions_total{door="http",outcome="drawing_failed"} 1.0' in text
        async with http.get("/ready") as answer:
            assert answer.status == 200, "one session's fault is no reason against new ones"
        it.lost.set()


async def test_an_avatar_that_cannot_be_drawn_is_answered_with_an_internal_error() -> None:
    async with open_door() as door:
        door.livekit.gate.error = PictureError("rendering", "ValueError")
        reply = await door.start()
        assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
        door.livekit.gate.error = None
        assert (await door.start()).status == 200


# -- the real parts ------------------------------------------------------------------------------


def real_parts(folder: Path, faults: Faults) -> Worker:
    """What a worker is built of, with a renderer that may fail."""
    for name in ("demo", "sick"):
        write_avatar(tiny_avatar(name), folder / f"{name}.hvia")
    settings = read_settings(avatars=(folder,), port=0, dispatch=False)
    return build_worker(settings, FaultyRenderer(faults))


async def join(worker: Worker, avatar_id: str) -> None:
    """A start that fails before the room is asked for, or there, because there is none."""
    avatar = await worker.avatars.open(avatar_id)
    server = cast(LiveKitServer, MemoryServer())
    await worker.join(join_request(server, fresh_room(), avatar=avatar))


async def test_an_engine_that_is_lost_is_the_reason_of_the_watch_and_against_new_work(
    tmp_path: Path,
) -> None:
    faults = Faults(error=DeviceError(LOST))
    worker = real_parts(tmp_path, faults)
    assert worker.watch is not None
    assert not_ready(worker.checks) == []
    faults.sick["sick"] = "rendering"
    with pytest.raises(DeviceError, match=LOST):
        await join(worker, "sick")
    with pytest.raises(DeviceError, match=LOST):
        await worker.watch()
    assert not_ready(worker.checks) == ["render engine stopped"]
    assert sum(worker.failures().values()) == 0
    await worker.aclose()


async def test_a_worker_serves_although_one_avatar_cannot_be_drawn(tmp_path: Path) -> None:
    faults = Faults(error=FaultError(), sick={"demo": "rendering", "sick": "opening"})
    worker = real_parts(tmp_path, faults)  # warms up with demo, in vain
    assert not_ready(worker.checks) == []
    with pytest.raises(PictureError):
        await join(worker, "sick")
    assert not_ready(worker.checks) == []
    counts = worker.failures()
    assert (counts["rendering"], counts["opening"], sum(counts.values())) == (1, 1, 2)
    await worker.aclose()
