"""A room with an avatar, a viewer and an agent, each where it would be: in its own process."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from avatar_worker.demo.livekit_server import LiveKitServer
from livekit import api, rtc

from .child import Child, run_child
from .recording import Recorded, read
from .stimulus import RATE

AGENT: Final = "agent-bench"
AVATAR: Final = "avatar-bench"
Kind = Literal["standard", "agent"]
PATHS: Final = ("ours", "stock")
READY_WITHIN: Final = 30.0
TTS_PIECE: Final = 0.2
TTS_SPEED: Final = 4.0
"""Seconds of sound in a piece, and per second: how the voices of cloud services arrive. Half a minute
that is sent at once takes both cores of a small machine half a second, in all four processes."""
AFTERMATH: Final = 0.5
"""Seconds for the last sound and picture to reach the viewer."""


@dataclass
class Agent:
    """Speaks the bare wire to the avatar.

    Attributes:
        started: When each `lk.playback_started` came.
        finished: When each `lk.playback_finished` came, and what it said.
    """

    room: rtc.Room
    started: list[float] = field(default_factory=list)
    finished: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self) -> None:
        """Register the two calls."""
        me = self.room.local_participant
        me.register_rpc_method("lk.playback_started", self._started)
        me.register_rpc_method("lk.playback_finished", self._finished)

    def _started(self, call: rtc.RpcInvocationData) -> str:
        self.started.append(time.monotonic())
        self._news.set()
        return "ok"

    def _finished(self, call: rtc.RpcInvocationData) -> str:
        self.finished.append((time.monotonic(), json.loads(call.payload)))
        self._news.set()
        return "ok"

    async def say(
        self, pcm: npt.NDArray[np.int16], *, pace: float = TTS_PIECE, speed: float = TTS_SPEED
    ) -> float:
        """Send a segment and return when its first byte was written.

        Args:
            pcm: 24 kHz mono.
            pace: Seconds of sound in each write; 0 sends all at once.
            speed: How many seconds of sound a second; 1 is a live voice.
        """
        writer = await self.room.local_participant.stream_bytes(
            "AUDIO_bench",
            topic="lk.audio_stream",
            destination_identities=[AVATAR],
            attributes={"sample_rate": str(RATE), "num_channels": "1"},
        )
        began = time.monotonic()
        step = round(pace * RATE) or len(pcm)
        for number, at in enumerate(range(0, len(pcm), step)):
            await asyncio.sleep(began + number * pace / speed - time.monotonic() if pace else 0)
            await writer.write(pcm[at : at + step].tobytes())
        await writer.aclose()
        return began

    async def clear(self) -> float:
        """Interrupt; return when the call was made."""
        began = time.monotonic()
        await self.room.local_participant.perform_rpc(
            destination_identity=AVATAR, method="lk.clear_buffer", payload=""
        )
        return began

    async def until(self, kind: str, count: int, timeout: float) -> bool:
        """Wait for so many `started` or `finished` in all; False if they did not come."""
        try:
            async with asyncio.timeout(timeout):
                while len(getattr(self, kind)) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True


@dataclass
class Scene:
    """Everybody in one room."""

    path: str
    agent: Agent
    avatar: Child
    viewer: Child
    _folder: Path

    async def say_all(self, pcm: npt.NDArray[np.int16]) -> tuple[float, float]:
        """Say a segment, wait for its end, and return when it began and when all was heard."""
        count = len(self.agent.finished) + 1
        began = await self.agent.say(pcm)
        await self.agent.until("finished", count, len(pcm) / RATE + 5)
        await asyncio.sleep(AFTERMATH)
        return began, time.monotonic()

    async def recordings(self) -> tuple[Recorded, Recorded]:
        """What the avatar's process and the viewer noted so far."""
        ours, theirs = self._folder / "avatar.npz", self._folder / "viewer.npz"
        await self.avatar.tell("save", str(ours))
        await self.viewer.tell("save", str(theirs))
        return read(ours), read(theirs)

    async def wait_flowing(self) -> None:
        """Wait until pictures and sound have flowed to the viewer for a moment from now on."""
        before = await self.viewer.tell("counts")
        async with asyncio.timeout(READY_WITHIN):
            while True:
                now = await self.viewer.tell("counts")
                new = {kind: now[kind] - before[kind] for kind in now}
                if new["pictures"] >= 25 and new["sounds"] >= 50:
                    return
                await asyncio.sleep(0.1)


@asynccontextmanager
async def scene(server: LiveKitServer, path: str) -> AsyncIterator[Scene]:
    """Bring everybody into a fresh room; `path` is one of `PATHS`."""
    name = f"bench-{secrets.token_hex(4)}"
    room = rtc.Room()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            run_child("benchmarks.measuring.viewer") as viewer,
            run_child(f"benchmarks.measuring.{path}") as avatar,
        ):
            where = {"url": server.url, "room": name, "identity": AVATAR, "agent": AGENT}
            await viewer.tell("join", where | {"token": token(server, name, "viewer")})
            await room.connect(
                server.url, token(server, name, AGENT, kind="agent"), rtc.RoomOptions(False)
            )
            try:
                agent = Agent(room)
                agent.answer()
                await avatar.tell("join", where | {"token": avatar_token(server, name)})
                it = Scene(path, agent, avatar, viewer, Path(folder))
                await it.wait_flowing()
                yield it
            finally:
                await room.disconnect()


def token(server: LiveKitServer, room: str, identity: str, *, kind: Kind = "standard") -> str:
    """Mint a room token."""
    it = api.AccessToken(server.api_key, server.api_secret).with_identity(identity)
    return it.with_kind(kind).with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()


def avatar_token(server: LiveKitServer, room: str) -> str:
    """Mint the avatar's token, as the public plugin does."""
    it = api.AccessToken(server.api_key, server.api_secret).with_identity(AVATAR)
    it = it.with_kind("agent").with_attributes({"lk.publish_on_behalf": AGENT})
    return it.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()
