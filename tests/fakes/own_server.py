"""A livekit-server that a test may kill and start again on the same ports."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from avatar_worker.demo.child import start_child
from avatar_worker.demo.livekit_server import (
    LiveKitServer,
    _answers as answers,
    config,
    find_or_build,
    free_port,
)


@dataclass
class OwnServer:
    """`now` is the running process; its ports and keys never change."""

    yaml: str
    now: LiveKitServer
    udp_port: int

    async def kill(self) -> None:
        """End it as a crash does."""
        os.kill(self.now.child.pid, signal.SIGKILL)
        await asyncio.to_thread(self.now.child.wait, 5.0)

    async def start(self) -> None:
        """Run it (again) and wait until it answers."""
        binary = await asyncio.to_thread(find_or_build)
        child = start_child(
            [str(binary)],
            env={**os.environ, "LIVEKIT_CONFIG": self.yaml},
            name="own livekit-server",
            with_us=False,
        )
        self.now = replace(self.now, child=child)
        assert await answers(self.now), child.tail(5)


@asynccontextmanager
async def own_server(**rtc_options: object) -> AsyncIterator[OwnServer]:
    """Run one until the end of the block; `rtc_options` go into its `rtc:` section."""
    key, secret = "devkey", secrets.token_hex(24)
    port, udp = free_port(), free_port(socket.SOCK_DGRAM)
    yaml = config(port=port, tcp_port=free_port(), udp_port=udp, api_key=key, api_secret=secret)
    for name, value in rtc_options.items():
        yaml = re.sub(rf"\b{name}: [^,}}]+, ", "", yaml)
        yaml = yaml.replace("rtc: {", f"rtc: {{{name}: {value}, ", 1)
    first = LiveKitServer(port=port, api_key=key, api_secret=secret, child=None)  # type: ignore[arg-type]
    it = OwnServer(yaml, first, udp)
    await it.start()
    try:
        yield it
    finally:
        await asyncio.to_thread(it.now.child.stop, asks=2)
