"""From the start request to the first picture that a waiting viewer decodes.

The worker, livekit-server and the viewer are three processes of this machine; the clock starts
when the POST is sent and stops when the viewer has decoded a picture. Run from the repository:
`python -m benchmarks.join [--json] [--short]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import statistics
import time
from typing import Any, Final

import aiohttp
from benchmarks.envelope import envelope
from benchmarks.measuring.worker import Worker, start_worker, token

from avatar_worker.demo.livekit_server import run_livekit_server
from livekit import rtc

REPEATS: Final = 20
SHORT_REPEATS: Final = 5


async def join_once(worker: Worker) -> tuple[float, float]:
    """Start an avatar before a waiting viewer.

    Returns:
        Milliseconds from the POST to its answer and to the first decoded picture.
    """
    name = f"bench-{secrets.token_hex(4)}"
    room, first = rtc.Room(), asyncio.get_running_loop().create_future()

    async def watch(track: rtc.Track) -> None:
        stream = rtc.VideoStream(track)
        async for _ in stream:
            if not first.done():
                first.set_result(time.perf_counter())
            break
        await stream.aclose()

    tasks: list[asyncio.Task[None]] = []
    room.on(
        "track_subscribed",
        lambda track, *_: (
            tasks.append(asyncio.create_task(watch(track), name="bench viewer"))
            if track.kind == rtc.TrackKind.KIND_VIDEO
            else None
        ),
    )
    await room.connect(worker.server.url, token(worker.server, name, "viewer"))
    async with aiohttp.ClientSession() as http:
        began = time.perf_counter()
        status, body = await worker.start_avatar(http, name)
        answered = time.perf_counter()
        if status != 200:
            raise RuntimeError(f"the worker answered {status}: {body}")
        async with asyncio.timeout(10):
            seen = await first
        await worker.stop_avatar(http, body)
    await asyncio.gather(*tasks)
    await room.disconnect()
    return 1000 * (answered - began), 1000 * (seen - began)


async def refused_ms(worker: Worker) -> float:
    """Milliseconds until a full worker says no."""
    async with aiohttp.ClientSession() as http:
        first, body = await worker.start_avatar(http, f"bench-{secrets.token_hex(4)}")
        began = time.perf_counter()
        status, _ = await worker.start_avatar(http, f"bench-{secrets.token_hex(4)}")
        took = 1000 * (time.perf_counter() - began)
        if (first, status) != (200, 503):
            raise RuntimeError(f"expected 200 and 503, got {first} and {status}")
        await worker.stop_avatar(http, body)
    return took


async def measure(repeats: int) -> dict[str, Any]:
    """Run the benchmark."""
    async with run_livekit_server() as server:
        async with start_worker(server) as worker:
            cold = await join_once(worker)
            warm = [await join_once(worker) for _ in range(repeats)]
        async with start_worker(server, max_sessions=1) as worker:
            refused = await refused_ms(worker)
    pictures = sorted(picture for _, picture in warm)
    return envelope(
        "join",
        {
            "post_to_first_frame_ms_cold": round(cold[1], 1),
            "post_to_first_frame_ms_p50": round(statistics.median(pictures), 1),
            "post_to_first_frame_ms_max": round(pictures[-1], 1),
            "post_to_answer_ms_p50": round(statistics.median(a for a, _ in warm), 1),
            "post_to_503_ms": round(refused, 1),
        },
        config={"avatar": "demo", "viewer": "python, waiting in the room"},
        controls={"every_start_was_seen": len(warm) == repeats},
        n=repeats,
    )


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="accepted; the output is always JSON")
    parser.add_argument("--short", action="store_true", help="end within 25 seconds")
    options = parser.parse_args()
    result = asyncio.run(measure(SHORT_REPEATS if options.short else REPEATS))
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
