"""Constant interruptions for minutes: does the worker grow?

The worker, livekit-server and the agents are three processes. Two agents speak, are interrupted
after a moment and speak again, without a pause; a third room is joined and left all the time.
Memory, threads and files of the worker are read every few seconds; what its own process holds
(tasks, SDK subscriptions) is told by a probe in it. Run from the repository:
`python -m benchmarks.soak [--minutes N] [--json] [--short]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import time
from typing import Any, Final

import aiohttp
import numpy as np
import psutil
from benchmarks.envelope import envelope
from benchmarks.measuring.worker import AGENT, AVATAR, Worker, start_worker, token

from avatar_worker.demo.livekit_server import LiveKitServer, run_livekit_server
from livekit import rtc

MINUTES: Final = 30.0
SHORT_SECONDS: Final = 14.0
TALKERS: Final = 2
HALF_HOUR: Final = 1800.0
MIB: Final = 1 << 20

PROBE: Final = """
import asyncio, json, sys, threading
from livekit.rtc._ffi_client import FfiClient
from avatar_worker.__main__ import main

def tell(loop):
    while sys.stdin.readline():
        async def count():
            return len(asyncio.all_tasks())
        tasks = asyncio.run_coroutine_threadsafe(count(), loop).result(5)
        subscriptions = len(FfiClient.instance.queue._subscribers)
        blocks = sys.getallocatedblocks()
        held = {"tasks": tasks, "subscriptions": subscriptions, "python_blocks": blocks}
        print(json.dumps(held), flush=True)

import avatar_worker.server.app as app
serve = app.serve
async def watched(*args, **options):
    loop = asyncio.get_running_loop()
    threading.Thread(target=tell, args=(loop,), daemon=True).start()
    return await serve(*args, **options)
app.serve = watched
import avatar_worker.cli.serving as serving
if hasattr(serving, "serve"):
    serving.serve = watched
sys.argv = ["avatar-worker", "start"]
main()
"""


class Talker:
    """Speaks, is interrupted, speaks again."""

    def __init__(self, chance: random.Random) -> None:
        self.room = rtc.Room()
        self.segments = 0
        self.finished = 0
        self.unanswered = 0
        self.enough = False
        self._chance = chance
        t = np.arange(16_000 * 8) / 16_000
        wave = np.sum([np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 12)], axis=0)
        self._pcm = (6_000 * wave).astype(np.int16).tobytes()

    async def join(self, server: LiveKitServer, name: str) -> None:
        """Enter the room and wait for the avatar."""
        await self.room.connect(server.url, token(server, name, AGENT))
        me = self.room.local_participant
        me.register_rpc_method("lk.playback_started", lambda call: "ok")
        me.register_rpc_method("lk.playback_finished", self._count)
        async with asyncio.timeout(10):
            while AVATAR not in self.room.remote_participants:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _count(self, call: rtc.RpcInvocationData) -> str:
        self.finished += 1
        return "ok"

    async def talk(self) -> None:
        """Until told to stop."""
        me = self.room.local_participant
        while not self.enough:
            for _ in range(self._chance.randint(1, 3)):
                stream = await me.stream_bytes(
                    "AUDIO_1",
                    topic="lk.audio_stream",
                    destination_identities=[AVATAR],
                    attributes={"sample_rate": "16000", "num_channels": "1"},
                )
                await stream.write(self._pcm)
                await stream.aclose()
                self.segments += 1
            await asyncio.sleep(self._chance.uniform(0.05, 1.0))
            try:
                await me.perform_rpc(
                    destination_identity=AVATAR, method="lk.clear_buffer", payload=""
                )
            except rtc.RpcError:
                self.unanswered += 1


async def come_and_go(worker: Worker, joins: list[float]) -> None:
    """Start a session, stop it, again and again."""
    async with aiohttp.ClientSession() as http:
        while True:
            status, body = await worker.start_avatar(http, f"soak-{secrets.token_hex(4)}")
            if status != 200:
                raise RuntimeError(f"the worker answered {status}: {body}")
            await asyncio.sleep(0.5)
            await worker.stop_avatar(http, body)
            joins.append(time.monotonic())
            await asyncio.sleep(1.5)


async def sample(process: asyncio.subprocess.Process) -> dict[str, float]:
    """What the worker holds now."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()
    inside = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
    seen = psutil.Process(process.pid)
    return {
        "at": time.monotonic(),
        "rss": seen.memory_info().rss / MIB,
        "threads": seen.num_threads(),
        "fds": seen.num_fds(),
        **inside,
    }


def growth(samples: list[dict[str, float]], name: str) -> float:
    """Growth in half an hour, the median slope of all pairs (Theil and Sen).

    The heap breathes by some MiB within minutes, so two readings say nothing. The first tenth, in
    which pools fill, does not count.
    """
    later = samples[len(samples) // 10 :]
    at, value = np.array([(s["at"], s[name]) for s in later]).T
    first, second = np.triu_indices(len(later), 1)
    slopes = (value[second] - value[first]) / (at[second] - at[first])
    return float(np.median(slopes)) * HALF_HOUR


async def measure(seconds: float, load: str) -> dict[str, Any]:
    """Run the benchmark."""
    chance = random.Random(1)
    joins: list[float] = []
    samples: list[dict[str, float]] = []
    async with (
        run_livekit_server() as server,
        start_worker(server, max_sessions=TALKERS + 2, command=("-c", PROBE), pipes=True) as worker,
    ):
        talkers = [Talker(chance) for _ in range(TALKERS)]
        async with aiohttp.ClientSession() as http:
            for number, talker in enumerate(talkers):
                await worker.start_avatar(http, f"soak-{number}")
                await talker.join(server, f"soak-{number}")
        tasks = []
        if load != "joins":
            tasks += [asyncio.create_task(talker.talk(), name="talk") for talker in talkers]
        if load != "speech":
            tasks.append(asyncio.create_task(come_and_go(worker, joins), name="come and go"))
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            await asyncio.sleep(min(5.0, seconds / 8))
            samples.append(await sample(worker.process))
            for task in tasks:
                if task.done():
                    task.result()
        for talker in talkers:
            talker.enough = True
        if load != "speech":
            tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(1.0)
        for talker in talkers:
            await talker.room.disconnect()
    segments = sum(talker.segments for talker in talkers)
    finished = sum(talker.finished for talker in talkers)
    middle, last = samples[len(samples) // 2], samples[-1]
    return envelope(
        "soak",
        {
            "seconds": round(seconds),
            "segments": segments,
            "finishes_missing_or_double": segments - finished,
            "clears_unanswered": sum(talker.unanswered for talker in talkers),
            "joins": len(joins),
            "rss_mib_first": round(samples[0]["rss"], 1),
            "rss_mib_middle": round(middle["rss"], 1),
            "rss_mib_last": round(last["rss"], 1),
            "rss_mib_least": round(min(sample["rss"] for sample in samples), 1),
            "rss_mib_most": round(max(sample["rss"] for sample in samples), 1),
            "rss_mib_growth_30min": round(growth(samples, "rss"), 2),
            "python_blocks_growth_30min": round(growth(samples, "python_blocks")),
            **{
                f"{name}_{when}": int(held[name])
                for name in ("tasks", "subscriptions", "threads", "fds")
                for when, held in (("middle", middle), ("last", last))
            },
        },
        config={"talkers": TALKERS, "avatar": "demo", "load": load},
        controls={
            "sessions_came_and_went": bool(joins) or load == "speech",
            "it_was_interrupted": segments > 2 or load == "joins",
        },
        n=len(samples),
    )


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="end within 25 seconds")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--load", choices=("both", "speech", "joins"), default="both")
    options = parser.parse_args()
    seconds = SHORT_SECONDS if options.short else 60 * options.minutes
    print(json.dumps(asyncio.run(measure(seconds, options.load))))  # noqa: T201


if __name__ == "__main__":
    main()
