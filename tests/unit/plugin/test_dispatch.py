from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from fakes.agent_room import AgentRoom
from livekit import api
from livekit.agents import AgentSession, APIConnectionError, APIConnectOptions, utils
from livekit.plugins.avaluma import AvatarDispatchError, AvatarSession
from livekit.plugins.avaluma.dispatch import AvatarDispatch
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.protocol.agent import Job, JobState, JobStatus
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    AgentDispatchState,
    CreateAgentDispatchRequest,
    DeleteAgentDispatchRequest,
    ListAgentDispatchResponse,
)

from .conftest import LIVEKIT_SECRET


class DispatchApi:
    """LiveKit's dispatch service over HTTP and protobuf; jobs appear as the test says."""

    def __init__(self) -> None:
        self.created: list[CreateAgentDispatchRequest] = []
        self.deleted: list[tuple[str, str]] = []
        self.grants: list[dict[str, Any]] = []
        self.looks = 0
        self.jobs: Callable[[int], list[JobStatus]] = lambda _: [JobStatus.JS_RUNNING]
        self.refuse: str | None = None
        self.hold_create = asyncio.Event()
        self.hold_create.set()
        self.create_arrived = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        body = await request.read()
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.grants.append(jwt.decode(token, LIVEKIT_SECRET, algorithms=["HS256"])["video"])
        if self.refuse is not None:
            return web.json_response({"code": self.refuse, "msg": "SECRET-CANARY"}, status=403)
        reply: Any
        if method == "CreateDispatch":
            self.created.append(CreateAgentDispatchRequest.FromString(body))
            self.create_arrived.set()
            await self.hold_create.wait()
            reply = AgentDispatch(id="AD_1", room=self.created[-1].room)
        elif method == "ListDispatch":
            self.looks += 1
            jobs = [Job(state=JobState(status=status)) for status in self.jobs(self.looks)]
            other = AgentDispatchState(jobs=[Job(state=JobState(status=JobStatus.JS_FAILED))])
            reply = ListAgentDispatchResponse(
                agent_dispatches=[
                    AgentDispatch(id="AD_other", state=other),
                    AgentDispatch(id="AD_1", state=AgentDispatchState(jobs=jobs)),
                ]
            )
        else:
            gone = DeleteAgentDispatchRequest.FromString(body)
            self.deleted.append((gone.dispatch_id, gone.room))
            reply = AgentDispatch(id=gone.dispatch_id)
        return web.Response(body=reply.SerializeToString(), content_type="application/protobuf")


@asynccontextmanager
async def livekit() -> AsyncIterator[DispatchApi]:
    fake = DispatchApi()
    app = web.Application()
    app.router.add_post("/twirp/livekit.AgentDispatchService/{method}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        fake.hold_create.set()
        await runner.cleanup()


@asynccontextmanager
async def dispatching(
    fake: DispatchApi, *, timeout: float = 5.0, url: str | None = None
) -> AsyncIterator[AvatarDispatch]:
    async with aiohttp.ClientSession() as http:
        yield AvatarDispatch(
            livekit_api=api.LiveKitAPI(
                url or fake.url, "livekit-key", LIVEKIT_SECRET, session=http, failover=False
            ),
            agent_name="avaluma-avatar",
            room="room-1",
            metadata={"avatar_id": "demo"},
            timeout=timeout,
            poll_interval=0.01,
        )


async def test_it_waits_until_a_job_runs() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        script: dict[int, list[JobStatus]] = {1: [], 2: [JobStatus.JS_PENDING]}
        fake.jobs = lambda look: script.get(look, [JobStatus.JS_RUNNING])
        reply = await dispatch.start()
        assert reply.playback_started
        assert reply.sample_rate == 16000
        assert fake.looks == 3
        assert dispatch.dispatch_id == "AD_1"
        assert all(grant["roomAdmin"] and grant["room"] == "room-1" for grant in fake.grants)
        await dispatch.stop()
        await dispatch.stop()
        assert fake.deleted == [("AD_1", "room-1")]


async def test_nobody_takes_it() -> None:
    async with livekit() as fake, dispatching(fake, timeout=0.05) as dispatch:
        fake.jobs = lambda _: []
        with pytest.raises(AvatarDispatchError, match=r"within 0.05 s.*'avaluma-avatar'"):
            await dispatch.start()
        assert fake.deleted == [("AD_1", "room-1")]


@pytest.mark.parametrize("status", [JobStatus.JS_SUCCESS, JobStatus.JS_FAILED])
async def test_a_job_that_ended_before_it_ran_is_an_error(status: JobStatus) -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        fake.jobs = lambda _: [status]
        with pytest.raises(AvatarDispatchError, match="refused or ended"):
            await dispatch.start()
        assert fake.deleted == [("AD_1", "room-1")]


async def test_livekits_refusal_is_named_by_its_code_only() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        fake.refuse = "permission_denied"
        with pytest.raises(AvatarDispatchError, match="permission_denied") as raised:
            await dispatch.start()
        assert "CANARY" not in str(raised.value)
        await dispatch.stop()
        assert fake.deleted == []


async def test_livekit_that_is_not_there_is_a_connection_error() -> None:
    async with livekit() as fake:
        url = fake.url
    async with dispatching(fake, url=url) as dispatch:
        with pytest.raises(APIConnectionError):
            await dispatch.start()


async def test_a_look_that_fails_is_repeated() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:

        def jobs(look: int) -> list[JobStatus]:
            if look == 1:
                raise web.HTTPServiceUnavailable
            return [JobStatus.JS_RUNNING]

        fake.jobs = jobs
        await dispatch.start()
        assert fake.looks == 2


async def test_cancelled_while_waiting_it_takes_the_dispatch_back() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        fake.jobs = lambda _: []
        task = asyncio.create_task(dispatch.start())
        await fake.create_arrived.wait()
        await asyncio.wait({task}, timeout=0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fake.deleted == [("AD_1", "room-1")]


async def test_cancelled_while_creating_it_takes_the_dispatch_back() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        fake.hold_create.clear()
        task = asyncio.create_task(dispatch.start())
        await fake.create_arrived.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.02, fake.hold_create.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fake.deleted == [("AD_1", "room-1")]


async def test_a_stop_that_fails_does_not_raise() -> None:
    async with livekit() as fake, dispatching(fake) as dispatch:
        await dispatch.start()
        fake.refuse = "unavailable"
        await dispatch.stop()
        assert fake.deleted == []


@pytest.mark.parametrize("policy", [None, "any"])
async def test_a_session_by_dispatch_sends_the_metadata_and_no_secret(policy: Any) -> None:
    async with livekit() as fake, utils.http_context.open():
        room = AgentRoom()
        room.connect()
        agent: AgentSession[Any] = AgentSession()
        avatar = AvatarSession(
            agent_name="avaluma-avatar",
            license_key="KEY-CANARY",
            conn_options=APIConnectOptions(timeout=5.0),
            **({} if policy is None else {"speech_from": policy}),
        )
        await avatar.start(agent, room.as_room(), livekit_url=fake.url)
        [created] = fake.created
        assert (created.agent_name, created.room) == ("avaluma-avatar", "room-1")
        assert json.loads(created.metadata) == {
            "avatar_id": "demo",
            "agent_identity": "agent-AJ_1",
            "avatar_participant_identity": "avatar-demo",
            "avatar_participant_name": "avatar-demo",
            **({} if policy is None else {"speech_from": policy}),
        }
        sink = agent.output.audio
        assert isinstance(sink, AvatarAudioOutput)
        assert sink._wait_playback_start
        await avatar.aclose()
        assert fake.deleted == [("AD_1", "room-1")]
        assert agent.output.audio is None
        assert room.handler_count() == 0


async def test_a_session_that_nobody_takes_leaves_nothing_behind() -> None:
    async with livekit() as fake, utils.http_context.open():
        fake.jobs = lambda _: []
        room = AgentRoom()
        room.connect()
        agent: AgentSession[Any] = AgentSession()
        avatar = AvatarSession(
            agent_name="avaluma-avatar", conn_options=APIConnectOptions(timeout=0.05)
        )
        with pytest.raises(AvatarDispatchError):
            await avatar.start(agent, room.as_room(), livekit_url=fake.url)
        assert fake.deleted == [("AD_1", "room-1")]
        assert agent.output.audio is None
        assert room.handler_count() == 0
