"""Sessions without a room: they join after a moment, count, and end when they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from avatar_worker.avatars.avatar import Avatar, Canvas, Rig, Subject
from avatar_worker.errors import AvatarNotFoundError
from avatar_worker.room.door import JoinRequest, RunningSession
from avatar_worker.server.worker import AvatarEntry
from avatar_worker.session.state import SessionState


class FakeSession:
    """Runs until somebody closes it. Leaving takes as long as `leaving` says."""

    def __init__(
        self,
        *,
        session_id: str,
        avatar_id: str = "demo",
        room_name: str = "room",
        identity: str = "avatar-demo",
        on_behalf: str | None = None,
        door: str = "http",
        leaving: float = 0.0,
    ) -> None:
        self.id = session_id
        self.avatar_id = avatar_id
        self.room_name = room_name
        self.identity = identity
        self.on_behalf = on_behalf
        self.door = door
        self.started_at = datetime.now(UTC)
        self.agent_is_there = True
        self.counted = {"frames_sent": 3}
        self.closed_in: asyncio.AbstractEventLoop | None = None
        self._leaving = leaving
        self._loop = asyncio.get_running_loop()
        self._reason: asyncio.Future[str] = self._loop.create_future()

    @property
    def state(self) -> SessionState:
        return SessionState.CLOSED if self._reason.done() else SessionState.IDLE

    def counters(self) -> Mapping[str, int]:
        return self.counted

    def agent_present(self) -> bool:
        return self.agent_is_there

    async def aclose(self, reason: str) -> None:
        self.closed_in = asyncio.get_running_loop()
        if self.closed_in is not self._loop:
            raise RuntimeError("closed in a loop that does not own the session")
        await asyncio.sleep(self._leaving)
        self.end(reason)

    async def wait_closed(self) -> str:
        return await asyncio.shield(self._reason)

    def end(self, reason: str) -> None:
        """End as a room does by itself, e.g. because the agent left."""
        if not self._reason.done():
            self._reason.set_result(reason)


@dataclass
class Gate:
    """How the fake LiveKit behaves; tests change it while it runs."""

    opens: asyncio.Event
    error: Exception | None = None
    deaf: bool = False  # ignores being cancelled until it opens
    leaving: float = 0.0


class FakeLiveKit:
    """Lets avatars join; one identity once in a room, the newer evicts the older."""

    def __init__(self) -> None:
        self.gate = Gate(opens=asyncio.Event())
        self.gate.opens.set()
        self.asked: list[JoinRequest] = []
        self.joined: list[FakeSession] = []
        self.cancelled = 0
        self._news = asyncio.Event()

    async def asked_for(self, times: int = 1) -> None:
        """Wait until this many joins were asked for."""
        async with asyncio.timeout(5):
            while len(self.asked) < times:
                self._news.clear()
                await self._news.wait()

    async def join(self, request: JoinRequest) -> RunningSession:
        self.asked.append(request)
        self._news.set()
        try:
            await self._wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.gate.error is not None:
            raise self.gate.error
        for other in self.inside(request.room_name, request.identity):
            other.end("evicted")
        session = FakeSession(
            session_id=request.session_id,
            avatar_id=request.avatar_id,
            room_name=request.room_name,
            identity=request.identity,
            on_behalf=request.on_behalf,
            leaving=self.gate.leaving,
        )
        self.joined.append(session)
        return session

    async def _wait(self) -> None:
        while True:
            try:
                await self.gate.opens.wait()
            except asyncio.CancelledError:
                if not self.gate.deaf:
                    raise
            else:
                return

    def inside(self, room: str | None = None, identity: str | None = None) -> list[FakeSession]:
        """Who is in a room now."""
        return [
            session
            for session in self.joined
            if session.state is not SessionState.CLOSED
            and room in (None, session.room_name)
            and identity in (None, session.identity)
        ]


class FakeShelf:
    """Avatars without pictures; `faults` raises for an id."""

    def __init__(self, ids: Sequence[str] = ("demo",)) -> None:
        self.ids = list(ids)
        self.faults: dict[str, Exception] = {}
        self.opened: list[str] = []

    async def open(self, avatar_id: str) -> Avatar:
        self.opened.append(avatar_id)
        if avatar_id in self.faults:
            raise self.faults[avatar_id]
        if avatar_id not in self.ids:
            raise AvatarNotFoundError(avatar_id, tuple(self.ids))
        return blank_avatar(avatar_id)

    def entries(self) -> Sequence[AvatarEntry]:
        return [AvatarEntry(id=one, title=one.title(), size=(512, 640), fps=25) for one in self.ids]


def blank_avatar(avatar_id: str) -> Avatar:
    """An avatar that nobody draws."""
    return Avatar(
        id=avatar_id,
        content_id="sha256:0",
        manifest={},
        canvas=Canvas(width=512, height=640, fps=25, matrix="bt709", range="limited"),
        subject=Subject(
            iod_px=100.0,
            mouth_width_px=80.0,
            neck_pivot_px=(256.0, 500.0, 100.0),
            focal_px=1000.0,
            pose_limit_deg=(10.0, 10.0, 10.0),
        ),
        rig=Rig(
            shapes=(),
            arkit_to_shape=np.zeros((54, 0), np.float32),
            landmarks=np.zeros((478, 3), np.float32),
            meshes=(),
            slits=(),
        ),
        layers={},
    )
