"""In processes of their own: what is started first in a process is started once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CLIENTS_OF_TWO_THREADS = """
import threading
from livekit.rtc._ffi_client import FfiClient

def clients():
    "How many clients of the SDK two threads find that ask at the same moment."
    together, found = threading.Barrier(2), []
    def ask():
        together.wait()
        found.append(FfiClient.instance)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return len(set(found))
"""

NOBODY = "ws://127.0.0.1:9"

STARTED = """
from avatar_worker.room.sdk_runtime import start_runtime
start_runtime()
start_runtime()
print(clients())
"""

DISPATCH = f"""
import asyncio
from avatar_worker.clock import MonotonicClock
from avatar_worker.room.dispatch import DispatchDoor, DispatchOptions
from avatar_worker.room.room_session import RoomOptions

async def main():
    door = DispatchDoor(
        DispatchOptions(agent_name="a", url={NOBODY!r}, api_key="k", api_secret="s" * 32,
                        capacity=1, default_avatar="demo"),
        open_avatar=None, engine=None, clock=MonotonicClock(), room_options=RoomOptions(),
    )
    serving = asyncio.create_task(door.run(None))
    await asyncio.sleep(0)
    print(clients(), flush=True)
    serving.cancel()

asyncio.run(main())
"""

DEMO_AGENT = """
import asyncio, contextlib
from avatar_worker.demo import agent

async def main():
    serving = asyncio.create_task(agent.run())
    await asyncio.sleep(0)
    print(clients(), flush=True)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving

asyncio.run(main())
"""


@pytest.mark.parametrize("first", [STARTED, DISPATCH, DEMO_AGENT], ids=["alone", "worker", "demo"])
def test_jobs_in_two_threads_find_the_same_runtime(first: str) -> None:
    livekit = {"LIVEKIT_URL": NOBODY, "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s" * 32}
    done = subprocess.run(
        [sys.executable, "-c", CLIENTS_OF_TWO_THREADS + first],
        env={**os.environ, **livekit},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["1"], done.stderr
