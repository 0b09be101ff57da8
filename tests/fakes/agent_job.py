"""A real agent in a real job, driven by a test; `Start` says how it gets its avatar."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from avatar_worker.demo import voice
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.demo.script import ScriptedLLM
from livekit import api
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    AutoSubscribe,
    JobContext,
    JobExecutorType,
)
from livekit.agents.voice.room_io import RoomOptions
from livekit.agents.voice.turn import InterruptionOptions
from livekit.plugins import avaluma

from .public_plugin import PublicPlugin
from .tokens import admin

DISPATCHES = 4
DISPATCHED_WITHIN = 8.0

Start = Callable[[AgentSession[None], JobContext], Awaitable[Any]]


@dataclass
class Talk:
    """One agent's job, driven by the test."""

    ready: asyncio.Future[AgentSession[None]]
    begun: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    failed: list[BaseException] = field(default_factory=list)

    async def session(self) -> AgentSession[None]:
        async with asyncio.timeout(30):
            return await asyncio.shield(self.ready)


@asynccontextmanager
async def agent_job(
    server: LiveKitServer,
    room: str,
    start: Start,
    *,
    interruption: InterruptionOptions | None = None,
) -> AsyncIterator[Talk]:
    """A real AgentServer takes a real job in this room; `start` brings the avatar."""
    # Jobs run in threads with loops of their own; the test speaks to the session from there.
    talk = Talk(asyncio.get_running_loop().create_future())
    test_loop = asyncio.get_running_loop()

    async def entry(ctx: JobContext) -> None:
        if talk.begun.is_set():
            ctx.shutdown("another job was quicker")
            return
        talk.begun.set()
        session: AgentSession[None] = AgentSession(
            llm=ScriptedLLM(),
            tts=voice.HibariVoice(voice.load()),
            vad=None,
            turn_handling={"turn_detection": "manual", "interruption": interruption or {}},
        )
        try:
            await ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
            await start(session, ctx)
            await session.start(
                Agent(instructions="Speak."),
                room=ctx.room,
                room_options=RoomOptions(audio_input=False, video_input=False),
            )
        except BaseException as error:
            talk.failed.append(error)
            test_loop.call_soon_threadsafe(talk.ready.set_exception, error)
            raise
        test_loop.call_soon_threadsafe(talk.ready.set_result, session)

    agents = AgentServer(
        job_executor_type=JobExecutorType.THREAD,
        num_idle_processes=1,
        load_fnc=lambda: 0.0,
        ws_url=server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        host="127.0.0.1",
        port=0,
        job_memory_warn_mb=0,
        drain_timeout=1,
    )
    name = f"talker-{room}"
    agents.rtc_session(entry, agent_name=name)
    registered = asyncio.Event()
    agents.on("worker_registered", lambda *_: registered.set())
    serving = asyncio.create_task(agents.run(devmode=False), name="agent under test")
    try:
        async with asyncio.timeout(15):
            await registered.wait()
        async with admin(server) as server_api:
            # An open-source server forgets a dispatch whose worker was not quick enough to take it.
            for _ in range(DISPATCHES):
                await server_api.agent_dispatch.create_dispatch(
                    api.CreateAgentDispatchRequest(agent_name=name, room=room)
                )
                if await asyncio.to_thread(talk.begun.wait, DISPATCHED_WITHIN):
                    break
        yield talk
    finally:
        with contextlib.suppress(Exception):
            await agents.drain(timeout=1)
        await agents.aclose()
        await serving


async def in_job(session: AgentSession[None], work: Callable[[], Awaitable[Any]]) -> Any:
    """Run something on the loop of the session's job and wait for it here."""
    loop = session._loop  # the job's own loop; AgentSession belongs to it
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_run(work), loop))


async def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


class HasUrl(Protocol):
    """A worker, in this process or in one of its own."""

    url: str


def our_plugin(
    worker: HasUrl,
    server: LiveKitServer,
    made: list[avaluma.AvatarSession] | None = None,
    **options: Any,
) -> Start:
    """Our plugin brings the avatar before the session starts; `made` is given its session."""

    async def start(session: AgentSession[None], ctx: JobContext) -> None:
        if "agent_name" not in options:
            options["avatar_server_url"] = worker.url
        avatar = avaluma.AvatarSession(**options)
        if made is not None:
            made.append(avatar)
        await avatar.start(
            session,
            ctx.room,
            livekit_url=server.url,
            livekit_api_key=server.api_key,
            livekit_api_secret=server.api_secret,
        )

    return start


def public_wire(worker: HasUrl, server: LiveKitServer, made: list[PublicPlugin]) -> Start:
    async def start(session: AgentSession[None], ctx: JobContext) -> None:
        plugin = PublicPlugin(
            base_url=worker.url,
            license_key="any",
            agent_identity=ctx.local_participant_identity,
            retry_interval=0.2,
        )
        made.append(plugin)
        await plugin.start(
            session,
            ctx.room,
            livekit_url=server.url,
            livekit_api_key=server.api_key,
            livekit_api_secret=server.api_secret,
        )

    return start
