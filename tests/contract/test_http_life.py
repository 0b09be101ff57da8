"""Stop, look, health, drain: the life of the HTTP door (protocol §2.6, security S10, S13)."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from avatar_worker.errors import CapacityError, ConfigError
from avatar_worker.server.app import serve
from avatar_worker.server.drain import Ending
from avatar_worker.server.worker import Worker
from avatar_worker.version import __version__
from fakes.http_door import KEY, door_settings, open_door, room_token
from fakes.sessions import FakeLiveKit, FakeSession, FakeShelf

OTHER_KEY = "another-key-for-tests"


async def test_a_session_can_be_listed_looked_at_and_deleted() -> None:
    async with open_door() as door:
        session_id = (await door.start()).body["session_id"]
        listed = (await door.call("GET", "/v1/sessions", KEY)).body["sessions"]
        assert [one["id"] for one in listed] == [session_id]
        one = (await door.call("GET", f"/v1/sessions/{session_id}", KEY)).body
        assert datetime.fromisoformat(one.pop("started_at")).tzinfo is not None
        assert one == {
            "id": session_id,
            "avatar": "demo",
            "room": "room-1",
            "identity": "avatar-demo",
            "state": "idle",
            "door": "http",
            "counters": {"frames_sent": 3},
        }
        gone = await door.call("DELETE", f"/v1/sessions/{session_id}", KEY)
        assert (gone.status, gone.body) == (200, {"status": "stopped"})
        assert (await door.call("GET", f"/v1/sessions/{session_id}", KEY)).status == 404
        assert await door.livekit.joined[0].wait_closed() == "stopped"


async def test_stop_answers_once_the_room_is_left() -> None:
    async with open_door() as door:
        door.livekit.gate.leaving = 0.1
        started = await door.start()
        await door.call("POST", "/stop-avatar", KEY, json=_stop(started))
        assert door.livekit.inside() == []


async def test_stopping_twice_is_fine() -> None:
    async with open_door() as door:
        started = await door.start()
        for _ in range(3):
            reply = await door.call("POST", "/v1/stop-avatar", KEY, json=_stop(started))
            assert (reply.status, reply.body) == (200, {"status": "stopped"})


async def test_two_stops_at_once_both_wait_for_the_end() -> None:
    async with open_door() as door:
        door.livekit.gate.leaving = 0.05
        body = _stop(await door.start())
        stops = [door.call("POST", "/stop-avatar", KEY, json=body) for _ in range(2)]
        assert [reply.status for reply in await asyncio.gather(*stops)] == [200, 200]


async def test_a_start_that_still_runs_can_be_deleted() -> None:
    async with open_door(max_sessions=1) as door:
        door.livekit.gate.opens.clear()
        starting = asyncio.create_task(door.start())
        await door.livekit.asked_for(1)
        session_id = door.livekit.asked[0].session_id
        assert (await door.call("DELETE", f"/v1/sessions/{session_id}", KEY)).status == 200
        assert (await starting).status == 502
        assert door.livekit.joined == []
        door.livekit.gate.opens.set()
        assert (await door.start()).status == 200


async def test_a_key_sees_and_stops_only_its_own_sessions() -> None:
    async with open_door(api_keys=f"{KEY},{OTHER_KEY}") as door:
        mine = await door.start()
        assert (await door.call("GET", "/v1/sessions", OTHER_KEY)).body == {"sessions": []}
        stop = _stop(mine)
        reply = await door.call("POST", "/stop-avatar", OTHER_KEY, json=stop)
        assert reply.code == "SESSION_NOT_FOUND"
        assert len(door.livekit.inside()) == 1
        assert (await door.call("POST", "/stop-avatar", KEY, json=stop)).status == 200
        assert (await door.call("POST", "/stop-avatar", OTHER_KEY, json=stop)).status == 404


async def test_avatars_are_listed_with_what_a_caller_chooses_by() -> None:
    async with open_door(shelf=FakeShelf(["demo", "maya"]), default_avatar="demo") as door:
        reply = await door.call("GET", "/v1/avatars", KEY)
        assert reply.body["avatars"] == [
            {"id": "demo", "title": "Demo", "size": [512, 640], "fps": 25, "default": True},
            {"id": "maya", "title": "Maya", "size": [512, 640], "fps": 25, "default": False},
        ]


async def test_health_needs_no_key_and_counts_sessions() -> None:
    async with open_door() as door:
        await door.start()
        reply = await door.call("GET", "/health")
        assert (reply.status, reply.body) == (
            200,
            {"status": "healthy", "active_sessions": 1, "version": __version__},
        )


async def test_ready_says_why_not() -> None:
    async with open_door(max_sessions=1) as door:
        assert (await door.call("GET", "/ready")).status == 200
        await door.start()
        reply = await door.call("GET", "/ready")
        assert (reply.status, reply.body["reasons"]) == (503, ["full"])
        door.shelf.ids.clear()
        assert (await door.call("GET", "/ready")).body["reasons"] == ["no avatar", "full"]


async def test_metrics_count_what_happened_and_name_nobody() -> None:
    async with open_door() as door:
        started = await door.start()
        await door.start(token=room_token(sub=""))
        await door.call("POST", "/stop-avatar", KEY, json=_stop(started))
        await door.start(token=room_token(room="secret-room"))
        text = (await door.call("GET", "/metrics")).body
        for line in (
            'avatar_worker_sessions_active{door="http"} 1.0',
            'avatar_worker_sessions_total{door="http",outcome="stopped"} 1.0',
            'avatar_worker_session_duration_seconds_count{door="http"} 1.0',
            'avatar_worker_session_events_total{event="frames_sent"} 6.0',
            'avatar_worker_api_errors_total{code="INVALID_TOKEN"} 1.0',
            'route="/v1/livekit/start-avatar",status="200"} 2.0',
            "avatar_worker_sessions_capacity 4.0",
        ):
            assert line in text
        for personal in ("secret-room", "avatar-demo", "agent-1", KEY, started.body["session_id"]):
            assert personal not in text


async def test_unknown_paths_do_not_become_labels() -> None:
    async with open_door() as door:
        await door.call("GET", "/some-secret-path")
        await door.call("PROPFIND", "/health")
        text = (await door.call("GET", "/metrics")).body
        assert "some-secret-path" not in text
        assert "PROPFIND" not in text
        assert 'method="other"' in text


async def test_health_and_ready_carry_no_ids() -> None:
    async with open_door() as door:
        started = await door.start()
        for path in ("/health", "/ready"):
            text = str((await door.call("GET", path)).body)
            assert started.body["session_id"] not in text
            assert "room-1" not in text


async def test_no_answer_allows_other_origins() -> None:
    async with open_door() as door:
        reply = await door.call("GET", "/health", headers={"Origin": "https://evil.test"})
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


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


async def test_extra_routes_are_served_beside_ours() -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    def add(app: web.Application) -> None:
        app.router.add_get("/", hello)

    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ending = Ending()
    serving = asyncio.create_task(
        serve(
            door_settings(),
            extra=(add,),
            worker=Worker(avatars=FakeShelf(), join=FakeLiveKit().join),
            ending=ending,
            on_listening=lambda host, port: where.set_result(f"{host}:{port}"),
        )
    )
    host, port = (await where).split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"hello")
    writer.close()
    ending.ask()
    assert await serving == 0


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


def _stop(started: Any) -> dict[str, str]:
    return {"session_id": started.body["session_id"]}


async def test_a_client_that_dribbles_its_headers_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("avatar_worker.server.app.HEADER_TIMEOUT", 0.2)
    async with open_door() as door:
        host, port = door.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\nHost:")
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert (await door.call("GET", "/health")).status == 200


async def test_a_start_may_take_longer_than_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_worker.server.app.HEADER_TIMEOUT", 0.1)
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        starting = asyncio.create_task(door.start())
        await door.livekit.asked_for(1)
        await asyncio.sleep(0.2)
        door.livekit.gate.opens.set()
        assert (await starting).status == 200


async def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_worker.server.api.BODY_TIMEOUT", 0.1)
    async with open_door() as door:
        host, port = door.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /start-avatar HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        async with asyncio.timeout(3):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()
