"""The demo's agent: a real AgentSession without keys. It reads text and answers with a voice.

Run as `python -m avatar_worker.demo.agent` with LIVEKIT_URL, LIVEKIT_API_KEY and
LIVEKIT_API_SECRET set, and AVALUMA_API_URL naming the worker. Prints `REGISTERED` on stdout when
rooms can be sent to it; ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys

from avatar_worker.room.sdk_runtime import start_runtime
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    AutoSubscribe,
    JobContext,
    JobExecutorType,
    JobProcess,
)
from livekit.agents.voice.room_io import RoomOptions
from livekit.plugins import avaluma  # registers itself, which only the main thread may do

from . import voice
from .agent_name import AGENT_NAME
from .script import GREETING, ScriptedLLM

REGISTERED = "REGISTERED"
DEFAULT_AVATAR = "demo"


def prewarm(process: JobProcess) -> None:
    """Load the voice before the first room comes; all jobs of the process share it."""
    process.userdata["voice"] = voice.load()


async def talk(ctx: JobContext) -> None:
    """One room: bring the avatar, greet, then answer what is typed on LiveKit's chat topic."""
    await ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
    session: AgentSession[None] = AgentSession(
        llm=ScriptedLLM(),
        tts=voice.HibariVoice(ctx.proc.userdata["voice"]),
        vad=None,
        turn_handling={
            "turn_detection": "manual",
            "interruption": {"resume_false_interruption": False},  # no remote avatar can pause
        },
    )
    avatar = avaluma.AvatarSession(avatar_id=os.environ.get("AVALUMA_AVATAR_ID") or DEFAULT_AVATAR)
    await avatar.start(session, room=ctx.room)
    await session.start(
        Agent(instructions="Answer in two to four friendly sentences."),
        room=ctx.room,
        room_options=RoomOptions(audio_input=False, video_input=False),
    )
    # Whoever opens the page is to hear the greeting from its first word.
    await ctx.wait_for_participant(kind=rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD)
    session.say(GREETING)


def make_server() -> AgentServer:
    """The agent server: jobs are threads of this process, one is always warm."""
    server = AgentServer(
        job_executor_type=JobExecutorType.THREAD,
        num_idle_processes=1,
        setup_fnc=prewarm,
        load_fnc=lambda: 0.0,
        load_threshold=math.inf,
        host="127.0.0.1",
        port=0,
        job_memory_warn_mb=0,
        log_level="WARN",
    )
    server.rtc_session(talk, agent_name=AGENT_NAME)
    return server


async def run() -> None:
    """Serve until a signal comes, then end the rooms and leave."""
    voice.load()
    start_runtime()
    server = make_server()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    @server.on("worker_registered")
    def _registered(*_: object) -> None:
        sys.stdout.write(f"{REGISTERED}\n")
        sys.stdout.flush()

    serving = asyncio.create_task(server.run(devmode=False), name="demo agent server")
    stopping = asyncio.create_task(stop.wait(), name="demo agent stop signal")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if serving.done():
        await serving  # raises what ended it
        return
    await server.aclose()
    await serving


def main() -> int:
    """Run the agent and return the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
