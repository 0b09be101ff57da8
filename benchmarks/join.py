"""From the start request to the first picture that a waiting viewer decodes.

The worker, livekit-server and the viewer are three processes of this machine; the clock starts
when the POST is sent and stops when the viewer has decoded a picture. Run from the repository:
`python -m benchmarks.join [--json] [--short]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from benchmarks.envelope import envelope

from avatar_worker.demo.livekit_server import LiveKitServer, free_port, run_livekit_server
from livekit import api, rtc

AVATAR: Final = "avatar-demo"
REPEATS: Final = 20
SHORT_REPEATS: Final = 5
START_WITHIN: Final = 120.0


@asynccontextmanager
async def start_worker(
    server: LiveKitServer, *, max_sessions: int = 4
) -> AsyncIterator[tuple[str, int]]:
    """Run `avatar-worker start` in a process of its own; its base URL and process id."""
    port = free_port()
    env = os.environ | {
        "AVATAR_WORKER_PORT": str(port),
        "AVATAR_WORKER_MAX_SESSIONS": str(max_sessions),
        "AVATAR_WORKER_DRAIN_TIMEOUT": "0",
        "AVATAR_WORKER_DISPATCH": "false",
        "AVATAR_WORKER_LOG_LEVEL": "error",
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "avatar_worker", "start", env=env
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _until_ready(url)
        yield url, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _until_ready(url: str) -> None:
    async with asyncio.timeout(START_WITHIN), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


def token(server: LiveKitServer, room: str, identity: str, on_behalf: str | None = None) -> str:
    """Mint a room token."""
    it = api.AccessToken(server.api_key, server.api_secret).with_identity(identity)
    it = it.with_grants(api.VideoGrants(room_join=True, room=room))
    if on_behalf is not None:
        it = it.with_kind("agent").with_attributes({"lk.publish_on_behalf": on_behalf})
    return it.to_jwt()


async def post_start(
    http: aiohttp.ClientSession, url: str, server: LiveKitServer, room: str
) -> Any:
    """Ask for the demo avatar as the public plugin does; the status and the body."""
    body = {
        "livekit_url": server.url,
        "livekit_token": token(server, room, AVATAR, "agent-bench"),
        "avaluma_avatar_id": "demo",
    }
    async with http.post(f"{url}/v1/livekit/start-avatar", json=body) as answer:
        return answer.status, await answer.json()


async def join_once(url: str, server: LiveKitServer) -> tuple[float, float]:
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
    await room.connect(server.url, token(server, name, "viewer"))
    async with aiohttp.ClientSession() as http:
        began = time.perf_counter()
        status, body = await post_start(http, url, server, name)
        answered = time.perf_counter()
        if status != 200:
            raise RuntimeError(f"the worker answered {status}: {body}")
        async with asyncio.timeout(10):
            seen = await first
        await http.post(f"{url}/v1/livekit/stop-avatar", json={"session_id": body["session_id"]})
    await asyncio.gather(*tasks)
    await room.disconnect()
    return 1000 * (answered - began), 1000 * (seen - began)


async def refused_ms(url: str, server: LiveKitServer) -> float:
    """Milliseconds until a full worker says no."""
    async with aiohttp.ClientSession() as http:
        first, body = await post_start(http, url, server, f"bench-{secrets.token_hex(4)}")
        began = time.perf_counter()
        status, _ = await post_start(http, url, server, f"bench-{secrets.token_hex(4)}")
        took = 1000 * (time.perf_counter() - began)
        if (first, status) != (200, 503):
            raise RuntimeError(f"expected 200 and 503, got {first} and {status}")
        await http.post(f"{url}/v1/livekit/stop-avatar", json={"session_id": body["session_id"]})
    return took


async def measure(repeats: int) -> dict[str, Any]:
    """Run the benchmark."""
    async with run_livekit_server() as server:
        async with start_worker(server) as (url, _):
            cold = await join_once(url, server)
            warm = [await join_once(url, server) for _ in range(repeats)]
        async with start_worker(server, max_sessions=1) as (url, _):
            refused = await refused_ms(url, server)
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
