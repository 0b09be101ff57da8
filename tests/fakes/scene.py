"""An avatar in a real room, and somebody who speaks the bare wire to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar_worker.avatars import Canvas
from avatar_worker.clock import MonotonicClock, ms
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.door import JoinRequest, SpeechFrom
from avatar_worker.room.join import joiner
from avatar_worker.room.presence import LeaveRules
from avatar_worker.room.room_session import RoomOptions, RoomSession
from livekit import rtc

from .avatars import tiny_avatar
from .tokens import agent_token, avatar_token
from .viewer import Viewer

AGENT = "agent-AJ_test"
AVATAR = "avatar-demo"
RULES = LeaveRules(agent_gone=ms(20_000), agent_never_came=ms(60_000), alone=ms(20_000))
GRID = 0.01
"""Step of `lip_step`'s comparison, s."""


def speech(seconds: float, rate: int = 16_000) -> bytes:
    """A voice-like buzz, s16le mono: loud, harmonic, with syllables of uneven length."""
    t = np.arange(int(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 20))
    gate = np.sin(2 * np.pi * (1.9 * t + 0.6 * np.sin(2 * np.pi * 0.37 * t))) > 0
    return (np.clip(0.25 * buzz * gate, -1, 1) * 30_000).astype(np.int16).tobytes()


@dataclass
class Talker:
    """Sends speech and keeps what it is told about it."""

    room: rtc.Room
    avatar: str = AVATAR
    started: int = 0
    finished: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def ends(self) -> list[tuple[float, bool]]:
        """Position and whether interrupted, of every segment that was finished."""
        return [(f["playback_position"], f["interrupted"]) for f in self.finished]

    async def stream(
        self,
        seconds: float,
        *,
        rate: int = 16_000,
        close: bool = True,
        attributes: dict[str, str] | None = None,
    ) -> rtc.ByteStreamWriter:
        """Send a segment faster than it can be played; `attributes` instead of those it has."""
        usual = {"sample_rate": str(rate), "num_channels": "1"}
        writer = await self.room.local_participant.stream_bytes(
            "AUDIO_1",
            topic="lk.audio_stream",
            destination_identities=[self.avatar],
            attributes=usual if attributes is None else attributes,
        )
        if seconds:
            await writer.write(speech(seconds, rate))
        if close:
            await writer.aclose()
        return writer

    async def call(self, method: str, payload: str = "") -> str:
        """Call the avatar."""
        return await self.room.local_participant.perform_rpc(
            destination_identity=self.avatar, method=method, payload=payload
        )

    async def clear(self) -> None:
        """Barge in."""
        await self.call("lk.clear_buffer")

    async def until_finished(self, count: int, timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while len(self.finished) < count:
                await asyncio.sleep(0.02)

    async def until_avatar(self, timeout: float = 8.0) -> None:
        """Wait until the avatar is there with both tracks."""
        async with asyncio.timeout(timeout):
            while len(self._tracks()) < 2:
                await asyncio.sleep(0.02)

    def _tracks(self) -> dict[str, rtc.RemoteTrackPublication]:
        there = self.room.remote_participants.get(self.avatar)
        return dict(there.track_publications) if there is not None else {}

    def _hear(self, packet: rtc.DataPacket) -> None:
        if packet.topic == "avaluma.error":
            self.errors.append(json.loads(packet.data))

    def _begun(self, call: rtc.RpcInvocationData) -> str:
        self.started += 1
        return "ok"

    def _ended(self, call: rtc.RpcInvocationData) -> str:
        self.finished.append(json.loads(call.payload))
        return "ok"


@asynccontextmanager
async def talker(
    server: LiveKitServer,
    room_name: str,
    *,
    identity: str = AGENT,
    avatar: str = AVATAR,
    token: str | None = None,
    new_room: Callable[[], rtc.Room] = rtc.Room,
) -> AsyncIterator[Talker]:
    """Somebody in the room, of kind AGENT if no token says otherwise; the avatar may come later."""
    it = Talker(new_room(), avatar)
    it.room.on("data_received", it._hear)
    await it.room.connect(server.url, token or agent_token(server, room_name, identity=identity))
    it.room.local_participant.register_rpc_method("lk.playback_started", it._begun)
    it.room.local_participant.register_rpc_method("lk.playback_finished", it._ended)
    try:
        yield it
    finally:
        await it.room.disconnect()


def join_request(server: LiveKitServer, room_name: str, **changes: object) -> JoinRequest:
    """What the HTTP door would hand over, for a small plain avatar."""
    canvas = Canvas(width=64, height=80, fps=25, matrix="bt601", range="limited")
    base = JoinRequest(
        session_id="sess_0123456789abcdef",
        url=server.url,
        token=avatar_token(server, room_name),
        room_name=room_name,
        identity=AVATAR,
        on_behalf=AGENT,
        avatar=replace(tiny_avatar("demo"), canvas=canvas),
        avatar_id="demo",
        speech_from=SpeechFrom.AGENTS,
        max_duration=600.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def avatar_in(
    engine: Engine,
    asked: JoinRequest,
    rules: LeaveRules = RULES,
    *,
    new_room: Callable[[], rtc.Room] = rtc.Room,
) -> AsyncIterator[RoomSession]:
    """A session in its room until the end of the block."""
    options = RoomOptions(rules=rules, drain_timeout=5.0)
    join = joiner(engine, MonotonicClock(), options, new_room)
    session = await join(asked)
    assert isinstance(session, RoomSession)
    try:
        yield session
    finally:
        await session.aclose("test")


def lip_step(viewer: Viewer, first: float, second: float, length: float) -> float:
    """How much later than the sound the mouth moves the second time that it says the same, s.

    Args:
        viewer: Has seen and heard both.
        first, second: When each was sent, `time.monotonic()`.
        length: Seconds to compare, shorter than the speech by what is on its way.
    """
    sounds = [(sound.at, sound.rms) for sound in viewer.sounds]
    mouths = [(picture.at, picture.mouth_luma) for picture in viewer.pictures]
    return _delay(mouths, first, second, length) - _delay(sounds, first, second, length)


def _delay(points: list[tuple[float, float]], first: float, second: float, length: float) -> float:
    """How much longer it took the second time until this was seen or heard, at most 0.6 s."""
    grid = np.arange(0, length, GRID)
    once = _resample(points, first + grid)
    shifts = np.arange(-0.6, 0.6, GRID)
    alike = [np.mean(once * _resample(points, second + grid + shift)) for shift in shifts]
    return float(shifts[np.argmax(alike)])


def _resample(points: list[tuple[float, float]], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    at, value = np.array(points).T
    line = np.interp(grid, at, value)
    level: NDArray[np.float64] = (line - line.mean()) / (line.std() + 1e-9)
    return level
