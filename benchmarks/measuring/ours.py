"""The process of our avatar: engine, session and room as the worker wires them, with probes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from avatar_worker.avatars.library import AvatarLibrary
from avatar_worker.clock import MonotonicClock
from avatar_worker.engine import Engine
from avatar_worker.features import Audio2Face
from avatar_worker.render.choose import make_renderer
from avatar_worker.room.door import JoinRequest, SpeechFrom
from avatar_worker.room.join import joiner
from avatar_worker.room.room_session import RoomOptions, RoomSession

from .child import obey
from .pipeline import MarkedPipeline
from .probes import Probes, reconnect


class OurAvatar:
    """One avatar in one room."""

    def __init__(self) -> None:
        self.probes = Probes()
        self._pipeline = MarkedPipeline(make_renderer("auto"), Audio2Face())
        self._engine = Engine(self._pipeline)
        self._session: RoomSession | None = None

    async def join(self, where: dict[str, str]) -> str:
        """Join a room."""
        avatar = await asyncio.to_thread(AvatarLibrary(()).open, "demo")
        join = joiner(self._engine, MonotonicClock(), RoomOptions())
        session = await join(
            JoinRequest(
                session_id="sess_0123456789abcdef",
                url=where["url"],
                token=where["token"],
                room_name=where["room"],
                identity=where["identity"],
                on_behalf=where["agent"],
                avatar=avatar,
                avatar_id="demo",
                speech_from=SpeechFrom.ON_BEHALF,
                max_duration=7200.0,
            )
        )
        assert isinstance(session, RoomSession)
        self._session = session
        return "ok"

    async def reconnect(self, _: None) -> str:
        """Lose the connection and join again."""
        assert self._session is not None
        return await reconnect(self._session._room)

    async def stall(self, seconds: float) -> str:
        """Make the renderer late once."""
        self._pipeline.stall(seconds)
        return "ok"

    async def delay(self, seconds: float) -> str:
        """Hold pictures back from now on."""
        self.probes.delay = seconds
        return "ok"

    async def save(self, path: str) -> dict[str, int]:
        """Write the notes; return the session's own counts."""
        self.probes.seen.write(Path(path))
        assert self._session is not None
        return dict(self._session.counters())

    async def run(self) -> None:
        """Obey until stdin ends."""
        self.probes.install()
        await obey(
            {
                "join": self.join,
                "stall": self.stall,
                "delay": self.delay,
                "reconnect": self.reconnect,
                "save": self.save,
            }
        )
        if self._session is not None:
            await self._session.aclose("measured")
        self._engine.close()


async def main() -> None:
    """Run the process."""
    await OurAvatar().run()


if __name__ == "__main__":
    asyncio.run(main())
