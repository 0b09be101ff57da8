"""Stop, look, health, metrics: the life of the HTTP door (protocol §2.6, security S10)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from aiohttp import web

from avatar_worker.server.app import serve
from avatar_worker.server.drain import Ending
from avatar_worker.server.worker import Worker
from avatar_worker.version import __version__
from fakes.http_door import KEY, door_settings, open_door, room_token
from fakes.sessions import FakeLiveKit, FakeShelf

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


def _stop(started: Any) -> dict[str, str]:
    return {"session_id": started.body["session_id"]}
