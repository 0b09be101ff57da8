"""Who closes a session, when and how often: the avatar is out of the room, and the agent as it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.avatar_server import Answer, refused
from fakes.plugin_stage import IDENTITY, stage
from livekit.agents.job import _JobContextVar
from livekit.plugins.avaluma import (
    AvatarClosedError,
    AvatarServerError,
)


async def test_closing_while_starting_ends_the_start() -> None:
    async with stage(Answer(body={"session_id": "late"}, hold=True)) as s:
        task = asyncio.create_task(s.start())
        await s.server.arrived.wait()
        asyncio.get_running_loop().call_later(0.02, s.server.let_go.set)
        await s.avatar.aclose()
        with pytest.raises(AvatarClosedError):
            await task
        assert len(s.server.stops) == 1


async def test_close_stops_the_avatar_and_gives_the_voice_back() -> None:
    async with stage() as s:
        await s.start()
        await s.avatar.aclose()
        assert [stop.json for stop in s.server.stops] == [{"session_id": "sess_0123456789abcdef"}]
        assert s.agent.output.audio is None
        s.assert_nothing_left()


async def test_close_is_the_same_any_number_of_times_and_from_many_tasks() -> None:
    async with stage() as s:
        await s.avatar.aclose()
        await s.avatar.aclose()
    async with stage() as s:
        await s.start()
        await asyncio.gather(*(s.avatar.aclose() for _ in range(3)))
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


async def test_a_close_whose_caller_gives_up_is_completed() -> None:
    async with stage() as s:
        await s.start()
        closing = asyncio.create_task(s.avatar.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


async def test_close_after_the_room_is_gone_still_stops_the_avatar() -> None:
    async with stage() as s:
        await s.start()
        s.room.join(IDENTITY)
        s.room.disconnect()
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


class Job:
    """A job whose room API remembers whom it removed."""

    def __init__(self) -> None:
        self.local_participant_identity = "agent-AJ_1"
        self.removed: list[str] = []
        self.at_shutdown: list[Any] = []
        self.api = SimpleNamespace(room=self)

    def add_shutdown_callback(self, callback: Any) -> None:
        self.at_shutdown.append(callback)

    async def remove_participant(self, who: Any) -> None:
        self.removed.append(who.identity)


async def test_in_a_job_the_close_is_registered_and_removes_the_avatar() -> None:
    async with stage() as s:
        job = Job()
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        try:
            await s.start()
            [close] = job.at_shutdown
            await close()
        finally:
            _JobContextVar.reset(token)
        assert job.removed == [IDENTITY]
        assert len(s.server.stops) == 1


async def test_after_a_refusal_nobody_elses_avatar_is_removed() -> None:
    async with stage(refused(409, "AVATAR_ALREADY_ACTIVE")) as s:
        job = Job()
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        try:
            with pytest.raises(AvatarServerError):
                await s.start()
        finally:
            _JobContextVar.reset(token)
        assert job.removed == []
