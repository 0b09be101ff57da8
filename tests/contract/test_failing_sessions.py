"""Sessions that cannot be drawn any more leave their rooms as others do, and their neighbours stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from avatar_worker.clock import MonotonicClock
from avatar_worker.engine import Engine
from avatar_worker.errors import AvatarWorkerError, DeviceError, PictureError
from avatar_worker.room.door import RunningSession
from avatar_worker.room.join import joiner
from avatar_worker.room.room_session import RoomOptions
from avatar_worker.session import SessionState
from fakes.avatars import tiny_avatar
from fakes.faults import FaultError, FaultyPipeline
from fakes.networks import PATIENCE, Network, scene
from fakes.scene import AVATAR, Talker, join_request, talker
from fakes.tokens import fresh_room

LOST = "the GPU has fallen off the bus"


@pytest.fixture
def pipeline() -> FaultyPipeline:
    return FaultyPipeline()


@pytest.fixture
def engine(pipeline: FaultyPipeline) -> Iterator[Engine]:
    engine = Engine(pipeline)
    yield engine
    engine.close()


async def reason(session_ends: asyncio.Future[str] | asyncio.Task[str]) -> str:
    async with asyncio.timeout(PATIENCE):
        return await session_ends


async def two_sentences(agent: Talker, session: RunningSession) -> None:
    """A long one is being heard, a short one waits behind it."""
    await agent.stream(20.0)
    await agent.stream(1.0)
    async with asyncio.timeout(PATIENCE):
        while session.counters()["played_ms"] < 200 or session.counters()["streams"] < 2:
            await asyncio.sleep(0.02)


async def left(agent: Talker) -> None:
    async with asyncio.timeout(PATIENCE):
        while AVATAR in agent.room.remote_participants:
            await asyncio.sleep(0.02)


def assert_cut_short(agent: Talker) -> None:
    """Both sentences were reported, once each: the first one as far as it was heard."""
    (position, interrupted), last = agent.ends
    assert interrupted
    assert 0 < position < 20.0
    assert last == (0.0, True)


@pytest.mark.parametrize("stage", ["hearing", "rendering"])
async def test_a_session_that_cannot_be_drawn_tells_its_agent_and_leaves_while_another_speaks_on(
    network: Network, engine: Engine, pipeline: FaultyPipeline, stage: str
) -> None:
    async with (
        scene(network, engine, avatar=tiny_avatar("ann")) as well,
        scene(network, engine, avatar=tiny_avatar("sick")) as ill,
    ):
        ann, agent = await well.agent(), await ill.agent()
        await ann.stream(8.0)
        await two_sentences(agent, ill.session)
        pipeline.faults.sick["sick"] = stage
        ends = asyncio.create_task(ill.session.wait_closed())
        assert await reason(ends) == "drawing_failed"
        await agent.until_finished(2, PATIENCE)
        assert_cut_short(agent)
        await left(agent)
        assert ill.session.state is SessionState.CLOSED
        await ann.until_finished(1, PATIENCE)
        assert ann.ends == [(8.0, False)]
        assert well.session.state is SessionState.IDLE
        shown = well.counter("pictures_shown")
        async with asyncio.timeout(PATIENCE):
            while well.counter("pictures_shown") < shown + 10:
                await asyncio.sleep(0.02)
        assert engine.failed is None


async def test_the_log_of_a_failed_session_names_it_its_reason_and_no_foreign_text(
    network: Network,
    engine: Engine,
    pipeline: FaultyPipeline,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scene(network, engine, avatar=tiny_avatar("sick")) as ill:
        pipeline.faults.error = FaultError("what a library says")
        pipeline.faults.sick["sick"] = "behaviour"
        assert await reason(asyncio.create_task(ill.session.wait_closed())) == "drawing_failed"
    (line,) = (line for line in caplog.records if line.getMessage() == "session failed")
    assert line.levelno == logging.ERROR
    fields = line.__dict__
    assert (fields["session"], fields["reason"]) == (ill.session.id, "drawing_failed")
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "no more pictures can be made: behaviour raised FaultError"


@pytest.mark.parametrize(
    ("stage", "error", "raised"),
    [
        ("rendering", FaultError(), PictureError),
        ("opening", FaultError(), PictureError),
        ("rendering", DeviceError(LOST), DeviceError),
    ],
)
async def test_an_avatar_that_cannot_be_drawn_does_not_enter_the_room(
    network: Network,
    engine: Engine,
    pipeline: FaultyPipeline,
    stage: str,
    error: Exception,
    raised: type[AvatarWorkerError],
) -> None:
    pipeline.faults.error = error
    pipeline.faults.sick["sick"] = stage
    name, server = fresh_room(), network.tokens_for
    join = joiner(engine, MonotonicClock(), RoomOptions(), network.new_room)
    came: list[str] = []
    async with talker(server, name, new_room=network.new_room) as agent:
        agent.room.on("participant_connected", lambda peer: came.append(peer.identity))
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(raised):
                await join(join_request(server, name, avatar=tiny_avatar("sick")))
        assert not agent.room.remote_participants
        assert came == []


async def test_when_the_device_is_lost_every_agent_is_told_and_every_room_is_left(
    network: Network, engine: Engine, pipeline: FaultyPipeline
) -> None:
    async with (
        scene(network, engine, avatar=tiny_avatar("ann")) as one,
        scene(network, engine, avatar=tiny_avatar("bob")) as other,
    ):
        agents = [await one.agent(), await other.agent()]
        for room, agent in zip((one, other), agents, strict=True):
            await two_sentences(agent, room.session)
        pipeline.faults.error = DeviceError(LOST)
        pipeline.faults.sick["bob"] = "rendering"
        for room, agent in zip((one, other), agents, strict=True):
            ends = asyncio.create_task(room.session.wait_closed())
            assert await reason(ends) == "device_lost"
            await agent.until_finished(2, PATIENCE)
            assert_cut_short(agent)
            await left(agent)
    assert engine.stopped() == f"the render engine has stopped: {LOST}"


async def test_what_can_be_drawn_no_more_is_not_waited_for_at_the_end(
    network: Network, engine: Engine, pipeline: FaultyPipeline
) -> None:
    name, server = fresh_room(), network.tokens_for
    patient = RoomOptions(drain_timeout=600.0)
    join = joiner(engine, MonotonicClock(), patient, network.new_room)
    session = await join(join_request(server, name, avatar=tiny_avatar("sick")))
    async with talker(server, name, new_room=network.new_room) as agent:
        await agent.until_avatar()
        await two_sentences(agent, session)
        ending = asyncio.create_task(session.aclose("drain"))
        await asyncio.sleep(0.1)
        assert not ending.done()
        pipeline.faults.sick["sick"] = "rendering"
        async with asyncio.timeout(PATIENCE):
            await ending
        await agent.until_finished(2, PATIENCE)
        assert_cut_short(agent)
