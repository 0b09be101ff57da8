"""Drain, signals, and a start that cannot be: how the HTTP door opens and closes (security S13)."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from avatar_worker.errors import CapacityError, ConfigError
from avatar_worker.server.app import serve
from avatar_worker.server.drain import Ending
from avatar_worker.server.worker import Worker
from fakes.http_door import KEY, door_settings, open_door, room_token
from fakes.sessions import FakeLiveKit, FakeSession, FakeShelf


async def test_a_draining_worker_refuses_starts_but_answers_stop_and_health() -> None:
    async with open_door(drain_timeout=30.0) as door:
        started = await door.start()
        door.ending.ask()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            reply = await door.start(token=room_token(room="room-2"))
            while reply.status == 200:
                reply = await door.start(token=room_token(room="room-2"))
        assert (reply.status, reply.code) == (503, "DRAINING")
        assert int(reply.headers["Retry-After"]) > 0
        assert (await door.call("GET", "/ready")).body["reasons"] == ["draining"]
        assert (await door.call("GET", "/health")).status == 200
        # The tries of a running session still find it.
        assert (await door.start()).body == started.body
        for session in door.livekit.inside():
            reply = await door.call("POST", "/stop-avatar", KEY, json={"session_id": session.id})
            assert reply.status == 200
        # The last session is gone: no reason to wait for the timeout.
        async with asyncio.timeout(5):
            assert await door.serving == 0


async def test_sessions_that_outlive_the_drain_are_ended_with_that_reason() -> None:
    async with open_door(drain_timeout=0.05) as door:
        await door.start()
        door.ending.ask()
        async with asyncio.timeout(5):
            assert await door.serving == 0
        assert await door.livekit.joined[0].wait_closed() == "drain"


async def test_a_second_signal_skips_the_waiting() -> None:
    async with open_door(drain_timeout=600.0) as door:
        await door.start()
        door.ending.ask()
        door.ending.ask()
        async with asyncio.timeout(5):
            assert await door.serving == 0
        assert door.livekit.inside() == []


async def test_a_start_in_flight_is_given_up_at_the_end() -> None:
    async with open_door(drain_timeout=0.0) as door:
        door.livekit.gate.opens.clear()
        starting = asyncio.create_task(door.start())
        await door.livekit.asked_for(1)
        door.ending.ask()
        assert (await starting).status == 502
        assert await door.serving == 0
        assert door.livekit.joined == []


async def test_sigterm_drains() -> None:
    async with open_door(drain_timeout=0.0) as door:
        await door.start()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await door.serving == 0
        assert await door.livekit.joined[0].wait_closed() == "drain"


async def test_a_taken_port_is_a_sentence_with_a_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*AVATAR_WORKER_PORT"):
            async with open_door(port=port):
                pass


async def test_a_listed_host_that_is_none_refuses_to_start() -> None:
    with pytest.raises(ConfigError, match="LIVEKIT_HOSTS"):
        async with open_door(livekit_hosts="ws://x/y"):
            pass


class ThreadedDoor:
    """A dispatch door whose jobs run in threads with loops of their own, as LiveKit's do."""

    def __init__(self) -> None:
        self.admission: Any = None
        self.open = asyncio.Event()
        self.drained = asyncio.Event()
        self.waits: str | None = "not registered with LiveKit"

    def not_registered(self) -> str | None:
        return self.waits

    async def run(self, admission: Any) -> None:
        self.admission = admission
        self.open.set()
        await self.drained.wait()

    async def drain(self) -> None:
        self.drained.set()

    async def aclose(self) -> None:
        self.drained.set()

    def job(self, session_id: str, started: Callable[[], object]) -> threading.Thread:
        """Run one job in a thread until its session ends."""

        async def main() -> None:
            place = self.admission.reserve("demo")
            session = FakeSession(session_id=session_id, door="dispatch")
            place.adopt(session)
            started()
            place.release(await session.wait_closed())

        thread = threading.Thread(target=lambda: asyncio.run(main()), name=session_id)
        thread.start()
        return thread


async def ready(url: str) -> tuple[int, list[str]]:
    """Status of `/ready`, and the reasons against new work."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/ready") as answer:
        return answer.status, (await answer.json()).get("reasons", [])


async def test_dispatched_sessions_share_the_counter_and_end_in_their_own_loop() -> None:
    dispatch, livekit = ThreadedDoor(), FakeLiveKit()
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ending, loop = Ending(), asyncio.get_running_loop()
    serving = asyncio.create_task(
        serve(
            door_settings(max_sessions=2, drain_timeout=0.0, api_keys=""),
            worker=Worker(avatars=FakeShelf(), join=livekit.join, dispatch=dispatch),
            ending=ending,
            on_listening=lambda host, port: where.set_result(f"http://{host}:{port}"),
        )
    )
    url = await where
    await dispatch.open.wait()
    assert await ready(url) == (503, ["not registered with LiveKit"])
    dispatch.waits = None
    assert await ready(url) == (200, [])
    assert dispatch.admission.load() == 0.0
    threads = []
    for number in range(2):
        started = asyncio.Event()
        tell = functools.partial(loop.call_soon_threadsafe, started.set)
        threads.append(dispatch.job(f"job-{number}", tell))
        await started.wait()
        assert dispatch.admission.load() == (0.345, 1.0)[number]
    with pytest.raises(CapacityError):
        dispatch.admission.reserve("demo")
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/v1/sessions") as answer:
            listed = (await answer.json())["sessions"]
        assert [(one["id"], one["door"]) for one in listed] == [
            ("job-0", "dispatch"),
            ("job-1", "dispatch"),
        ]
        async with http.delete(f"{url}/v1/sessions/job-0") as answer:
            assert answer.status == 200
        async with http.delete(f"{url}/v1/sessions/job-0") as answer:
            assert answer.status == 200
        async with http.get(f"{url}/metrics") as answer:
            text = await answer.text()
    assert 'avatar_worker_sessions_total{door="dispatch",outcome="stopped"} 1.0' in text
    assert dispatch.admission.load() == 0.345
    ending.ask()
    assert await serving == 0
    for thread in threads:
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()
    with pytest.raises(CapacityError, match="shutting down"):
        dispatch.admission.reserve("demo")
