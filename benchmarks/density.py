"""What N speaking sessions cost one worker process, with a viewer in every room.

Speech is a recorded sentence of the offline voice, streamed again and again as an agent does. The
worker is a process of its own; its CPU time and memory are read from the operating system. Run
from the repository: `python -m benchmarks.density [--json] [--short]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import numpy as np
import psutil
from benchmarks.envelope import envelope
from benchmarks.measuring.worker import AGENT, AVATAR, Worker, start_worker, token

from avatar_worker.demo import voice
from avatar_worker.demo.livekit_server import LiveKitServer, run_livekit_server
from livekit import rtc

SESSIONS: Final = (1, 4)
SECONDS: Final = 60.0
SHORT_SECONDS: Final = 6.0
RATE: Final = 24_000
SENTENCE: Final = "Please bring my paper map back before five, and mind the open door."


@dataclass
class Room:
    """One room of the load: an agent that speaks, a viewer that counts."""

    agent: rtc.Room
    viewer: rtc.Room
    times: list[float] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ends: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def speak(self, pcm: bytes) -> None:
        """Say the sentence for ever, each time as a segment of its own."""
        while True:
            writer = await self.agent.local_participant.stream_bytes(
                "AUDIO_bench",
                topic="lk.audio_stream",
                destination_identities=[AVATAR],
                attributes={"sample_rate": str(RATE), "num_channels": "1"},
            )
            await writer.write(pcm)
            await writer.aclose()
            await self.ends.get()

    async def watch(self, track: rtc.Track) -> None:
        """Note when each picture was decoded."""
        stream = rtc.VideoStream(track)
        async for _ in stream:
            self.times.append(time.monotonic())
        await stream.aclose()

    async def aclose(self) -> None:
        """Leave."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.agent.disconnect()
        await self.viewer.disconnect()


async def open_room(worker: Worker, pcm: bytes) -> Room:
    """Bring an avatar, its agent and a viewer into a room of their own."""
    name = f"bench-{secrets.token_hex(4)}"
    room = Room(rtc.Room(), rtc.Room())

    def subscribed(track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            room.tasks.append(asyncio.create_task(room.watch(track), name="bench viewer"))

    def finished(call: rtc.RpcInvocationData) -> str:
        room.ends.put_nowait(None)
        return "ok"

    room.viewer.on("track_subscribed", subscribed)
    server = worker.server
    await room.viewer.connect(server.url, token(server, name, "viewer"))
    async with aiohttp.ClientSession() as http:
        status, body = await worker.start_avatar(http, name)
        if status != 200:
            raise RuntimeError(f"the worker answered {status}: {body}")
    await room.agent.connect(
        server.url,
        token(server, name, AGENT),
        rtc.RoomOptions(auto_subscribe=False),
    )
    room.agent.local_participant.register_rpc_method("lk.playback_finished", finished)
    room.tasks.append(asyncio.create_task(room.speak(pcm), name="bench agent"))
    return room


async def counters(url: str) -> dict[str, int]:
    """Sum what the worker's sessions counted."""
    total: dict[str, int] = {}
    async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/sessions") as answer:
        for session in (await answer.json())["sessions"]:
            for name, value in session["counters"].items():
                total[name] = total.get(name, 0) + value
    return total


async def load(server: LiveKitServer, sessions: int, seconds: float, pcm: bytes) -> dict[str, Any]:
    """Measure one number of sessions in a fresh worker."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(start_worker(server, max_sessions=sessions))
        process = psutil.Process(worker.process.pid)
        idle_rss = process.memory_info().rss
        rooms = []
        for _ in range(sessions):
            rooms.append(await open_room(worker, pcm))
            stack.push_async_callback(rooms[-1].aclose)
        await asyncio.sleep(3.0)
        before, cpu, began = await counters(worker.url), process.cpu_times(), time.monotonic()
        await asyncio.sleep(seconds)
        after, used, ended = await counters(worker.url), process.cpu_times(), time.monotonic()
        took = ended - began
        busy = used.user + used.system - cpu.user - cpu.system
        shown = after["pictures_shown"] - before["pictures_shown"]
        gaps = [np.diff([t for t in room.times if began <= t <= ended]) * 1000 for room in rooms]
        return {
            "sessions": sessions,
            "fps_min": round(min((len(g) + 1) / took for g in gaps), 2),
            "gap_p99_ms": round(float(max(np.percentile(g, 99) for g in gaps)), 1),
            "late_ratio": round((after["pictures_late"] - before["pictures_late"]) / shown, 4),
            "cpu_percent_of_core": round(100 * busy / took, 1),
            "cpu_ms_per_session_tick": round(1000 * busy / (sessions * took * 25), 2),
            "rss_mb": round(process.memory_info().rss / 2**20, 1),
            "rss_mb_without_sessions": round(idle_rss / 2**20, 1),
        }


async def measure(seconds: float) -> dict[str, Any]:
    """Run the benchmark."""
    pcm = voice.load().sentence(SENTENCE)
    async with run_livekit_server() as server:
        rows = [await load(server, sessions, seconds, pcm) for sessions in SESSIONS]
    return envelope(
        "density",
        {"per_n": rows},
        config={"seconds": seconds, "avatar": "demo", "speech": "continuous", "codec": "VP8"},
        controls={"pictures_flowed": all(row["fps_min"] > 5 for row in rows)},
        n=len(rows),
    )


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="end within 25 seconds")
    options = parser.parse_args()
    seconds = SHORT_SECONDS if options.short else SECONDS
    print(json.dumps(asyncio.run(measure(seconds))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
