"""What agent and user do reaches the face, through a real room, and nobody else can say it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine, PictureOrder, Pipeline
from avatar_worker.engine.pipeline import Slot
from avatar_worker.face import Activity
from avatar_worker.features import Audio2Face
from avatar_worker.frames import VideoFrame
from fakes.plain_renderer import PlainRenderer
from fakes.scene import AVATAR, Talker, avatar_in, join_request, talker
from fakes.tokens import fresh_room, viewer_token
from livekit import rtc

pytestmark = pytest.mark.e2e


class WatchedPipeline(Pipeline):
    """Draws as ever, and keeps what the pictures were to show."""

    def __init__(self) -> None:
        super().__init__(PlainRenderer(), Audio2Face())
        self.now: Activity | None = None
        self.seen: list[Activity] = []

    def draw(self, jobs: Sequence[tuple[Slot, PictureOrder]]) -> list[VideoFrame]:
        for _, order in jobs:
            if order.activity is not self.now:
                self.seen.append(order.activity)
            self.now = order.activity
        return super().draw(jobs)

    async def shows(self, activity: Activity) -> None:
        async with asyncio.timeout(15.0):
            while self.now is not activity:
                await asyncio.sleep(0.01)


@pytest.fixture
def face() -> WatchedPipeline:
    return WatchedPipeline()


@pytest.fixture
def engine(face: WatchedPipeline) -> Iterator[Engine]:
    engine = Engine(face)
    yield engine
    engine.close()
    assert engine.failed is None


async def tell(who: Talker, method: str, word: str) -> str:
    return await who.room.local_participant.perform_rpc(
        destination_identity=AVATAR, method=method, payload=word
    )


async def test_the_face_thinks_listens_and_looks_away_with_its_agent(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        await agent.until_avatar()
        for method, word, activity in (
            ("agent_state_changed", "idle", Activity.IDLE),
            ("agent_state_changed", "listening", Activity.LISTENING),
            ("agent_state_changed", "thinking", Activity.THINKING),
            ("user_state_changed", "speaking", Activity.LISTENING),
            ("user_state_changed", "listening", Activity.THINKING),
            ("agent_state_changed", "idle", Activity.IDLE),
            ("user_state_changed", "away", Activity.AWAY),
        ):
            assert await tell(agent, method, word) == "ok"
            await face.shows(activity)
        await agent.stream(0.4)
        await face.shows(Activity.SPEAKING)
        await agent.until_finished(1)
        await face.shows(Activity.AWAY)


async def test_an_avatar_that_comes_late_learns_the_state_from_its_agents_attribute(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with talker(livekit_server, name) as agent:
        await agent.room.local_participant.set_attributes({"lk.agent.state": "thinking"})
        async with avatar_in(engine, join_request(livekit_server, name)):
            await face.shows(Activity.THINKING)


async def test_strange_words_and_strangers_change_nothing_and_are_logged_once(
    livekit_server: LiveKitServer,
    engine: Engine,
    face: WatchedPipeline,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = fresh_room()
    guest_token = viewer_token(livekit_server, name, identity="guest")
    async with (
        talker(livekit_server, name) as agent,
        talker(livekit_server, name, identity="agent-2") as other,
        talker(livekit_server, name, token=guest_token) as guest,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        for who in (agent, other, guest):
            await who.until_avatar()
        await tell(agent, "agent_state_changed", "listening")
        await face.shows(Activity.LISTENING)
        face.seen.clear()
        for who in (other, guest):
            for method, word in (
                ("agent_state_changed", "thinking"),
                ("user_state_changed", "away"),
            ):
                assert await tell(who, method, word) == "ok"
        for word in ("", "THINKING", "thinking ", '{"state": "thinking"}', "x" * 10_000):
            assert await tell(agent, "agent_state_changed", word) == "ok"
        await asyncio.sleep(0.3)
        assert face.seen == []
        warnings = [r for r in caplog.records if "a state was ignored" in r.getMessage()]
        assert sorted(getattr(r, "rpc", "") for r in warnings) == [
            "agent_state_changed",
            "user_state_changed",
        ]
        with pytest.raises(rtc.RpcError) as unknown:
            await tell(agent, "mood_changed", "happy")
        assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
        await tell(agent, "agent_state_changed", "thinking")
        await face.shows(Activity.THINKING)
