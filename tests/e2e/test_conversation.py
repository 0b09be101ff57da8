"""Real agents in real jobs, through every door, against the whole worker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from fakes.agent_job import Talk, agent_job, in_job, our_plugin, public_wire
from fakes.public_plugin import PublicPlugin
from fakes.tokens import admin, avatar_token, fresh_room, viewer_token
from fakes.viewer import Viewer, watch
from fakes.worker import run_worker
from livekit import api
from livekit.agents.voice.speech_handle import SpeechHandle

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LINE = "My mouth moves when I speak, and it rests when I am done."
LONG = " ".join([LINE] * 6)


async def hears(viewer: Viewer, timeout: float = 15.0) -> None:
    await viewer.wait_for(lambda v: v.loudness(0.2) > 0.01, timeout)


async def speak_and_rest(talk: Talk, viewer: Viewer) -> None:
    """The whole promise: alive at once, lips move with the voice and rest after it."""
    session = await talk.session()
    await viewer.wait_for(lambda v: v.frames >= 10, 15.0)

    async def say() -> SpeechHandle:
        return session.say(LINE)

    handle = await in_job(session, say)
    await hears(viewer)
    await asyncio.sleep(1.0)
    assert viewer.mouth_motion(0.8) > 0.8

    async def played() -> None:
        await handle.wait_for_playout()

    async with asyncio.timeout(15):
        await in_job(session, played)
    assert not handle.interrupted
    await asyncio.sleep(1.0)
    assert viewer.mouth_motion(0.4) < 0.4
    assert viewer.loudness(0.3) < 0.01


async def interrupt(talk: Talk, viewer: Viewer) -> None:
    """An interruption ends the speech within its guard, and what follows is heard."""
    session = await talk.session()

    async def say() -> SpeechHandle:
        return session.say(LONG)

    handle = await in_job(session, say)
    await hears(viewer)
    await asyncio.sleep(1.5)
    asked = time.monotonic()

    async def stop() -> None:
        await session.interrupt()
        await handle.wait_for_playout()

    async with asyncio.timeout(15.0):
        await in_job(session, stop)
    assert time.monotonic() - asked < 2.0, "inside the agent's guard of 2 s"
    assert handle.interrupted
    await viewer.wait_for(lambda v: v.loudness(0.2) < 0.01, 15.0)

    async def transcript() -> str:
        items = [item for item in session.history.items if item.type == "message"]
        return items[-1].text_content or ""

    said = await in_job(session, transcript)
    assert said, "what was heard stays in the history"
    assert len(said) < len(LONG) / 2
    await speak_and_rest(talk, viewer)


async def test_our_plugin_gives_a_real_agent_a_face_by_http(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        agent_job(livekit_server, room, our_plugin(worker, livekit_server)) as talk,
    ):
        began = time.monotonic()
        await talk.session()
        await viewer.wait_for(lambda v: v.frames >= 1, 15.0)
        assert time.monotonic() - began < 2.0
        await speak_and_rest(talk, viewer)
        await interrupt(talk, viewer)


async def test_our_plugin_gives_a_real_agent_a_face_by_dispatch(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    name = f"avatars-{room}"
    async with (
        run_worker(livekit_server, tmp_path / "avatars", dispatch=True, agent_name=name) as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        agent_job(
            livekit_server,
            room,
            our_plugin(worker, livekit_server, agent_name=name, avatar_id="demo"),
        ) as talk,
    ):
        await speak_and_rest(talk, viewer)
        await interrupt(talk, viewer)


async def test_the_public_wire_speaks_and_is_interrupted_unchanged(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    made: list[PublicPlugin] = []
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        agent_job(livekit_server, room, public_wire(worker, livekit_server, made)) as talk,
    ):
        await speak_and_rest(talk, viewer)
        await interrupt(talk, viewer)
        assert made[0].session_id is not None
        assert made[0].session_id.startswith("sess_")


async def test_three_tries_of_the_public_wire_make_one_avatar(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
    ):
        tries = [
            PublicPlugin(base_url=worker.url, license_key="k", agent_identity="agent-AJ_test")
            for _ in range(3)
        ]
        token = avatar_token(livekit_server, room)
        await asyncio.gather(*(one.ask(livekit_server.url, token) for one in tries))
        assert len({one.session_id for one in tries}) == 1
        await viewer.wait_for(lambda v: v.frames >= 30, 15.0)
        assert viewer.left == {}, "no try evicted its predecessor"


async def test_stopping_takes_the_avatar_out_of_the_room(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        aiohttp.ClientSession() as http,
    ):
        plugin = PublicPlugin(base_url=worker.url, license_key="k", agent_identity="agent-AJ_test")
        await plugin.ask(livekit_server.url, avatar_token(livekit_server, room))
        await viewer.wait_for(lambda v: v.sees("avatar-demo"), 15.0)
        body = {"session_id": plugin.session_id}
        async with http.post(f"{worker.url}/v1/livekit/stop-avatar", json=body) as answer:
            assert answer.status == 200
            assert await answer.json() == {"status": "stopped"}
        await viewer.wait_for(lambda v: not v.sees("avatar-demo"), 15.0)


async def test_a_drained_worker_leaves_every_room_and_exits_well(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    rooms = [fresh_room(), fresh_room()]
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, rooms[0])) as one,
        watch(livekit_server.url, viewer_token(livekit_server, rooms[1])) as two,
    ):
        for room in rooms:
            plugin = PublicPlugin(base_url=worker.url, license_key="k", agent_identity="agent-AJ_1")
            await plugin.ask(livekit_server.url, avatar_token(livekit_server, room))
        for viewer in (one, two):
            await viewer.wait_for(lambda v: v.sees("avatar-demo"), 15.0)
        assert await worker.drain() == 0
        for viewer in (one, two):
            await viewer.wait_for(lambda v: not v.sees("avatar-demo"), 15.0)


async def dispatch(server: LiveKitServer, room: str, name: str, metadata: str) -> str:
    async with admin(server) as server_api:
        made = await server_api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=name, room=room, metadata=metadata)
        )
        return made.id


async def test_a_dispatch_from_the_server_api_brings_the_avatar(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room, name = fresh_room(), "avatars-by-api"
    async with (
        run_worker(livekit_server, tmp_path / "avatars", dispatch=True, agent_name=name) as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        aiohttp.ClientSession() as http,
    ):
        await asyncio.sleep(1.0)
        metadata = '{"avatar_id": "demo", "agent_identity": "agent-X"}'
        await dispatch(livekit_server, room, name, metadata)
        await viewer.wait_for(lambda v: v.frames >= 10, 15.0)
        avatar = viewer.room.remote_participants["avatar-demo"]
        assert avatar.attributes["lk.publish_on_behalf"] == "agent-X"
        async with http.get(f"{worker.url}/v1/sessions") as answer:
            (session,) = (await answer.json())["sessions"]
        assert (session["door"], session["avatar"]) == ("dispatch", "demo")


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("not json", "must be JSON"),
        ('{"avatar_id": 7}', "avatar_id must be a string"),
        ('{"avatar_id": "nobody"}', "no avatar 'nobody'"),
        ('{"avatar_id": "../demo"}', "no avatar '../demo'"),
    ],
)
async def test_wrong_metadata_is_refused_and_the_job_ends(
    livekit_server: LiveKitServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    metadata: str,
    reason: str,
) -> None:
    room, name = fresh_room(), f"avatars-{fresh_room()}"
    async with (
        run_worker(livekit_server, tmp_path / "avatars", dispatch=True, agent_name=name),
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
        admin(livekit_server) as server_api,
    ):
        await asyncio.sleep(1.0)
        dispatch_id = await dispatch(livekit_server, room, name, metadata)
        async with asyncio.timeout(15.0):
            while not any(
                reason in str(getattr(record, "reason", "")) for record in caplog.records
            ):
                await asyncio.sleep(0.05)
        found = await server_api.agent_dispatch.get_dispatch(dispatch_id, room)
        assert found is not None
        running = [job for job in found.state.jobs if job.state.status == api.JobStatus.JS_RUNNING]
        assert running == []
        assert not viewer.sees("avatar-demo")


async def test_one_room_holds_two_avatars(livekit_server: LiveKitServer, tmp_path: Path) -> None:
    room, ids = fresh_room(), ("demo", "other")
    async with (
        run_worker(livekit_server, tmp_path / "avatars", avatars=ids) as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room)) as viewer,
    ):
        for avatar_id in ids:
            plugin = PublicPlugin(
                base_url=worker.url,
                license_key="k",
                agent_identity="agent-AJ_test",
                avatar_id=avatar_id,
            )
            token = avatar_token(livekit_server, room, identity=f"avatar-{avatar_id}")
            await plugin.ask(livekit_server.url, token)
        await viewer.wait_for(lambda v: v.sees("avatar-demo") and v.sees("avatar-other"), 15.0)
