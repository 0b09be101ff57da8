"""What happens in real conversations beyond one sentence, with real agents in real jobs."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from fakes.agent_job import agent_job, our_plugin, public_wire
from fakes.chat import LINES, LONG, Chat, chat
from fakes.public_plugin import PublicPlugin
from fakes.scene import AVATAR, avatar_in, join_request, speech, talker
from fakes.tokens import avatar_token, fresh_room, viewer_token
from fakes.viewer import watch
from fakes.worker import run_worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def test_lines_in_a_row_keep_their_order_and_their_words(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with chat(livekit_server, tmp_path) as it:
        await it.interrupt()  # with nothing to interrupt
        handles = [await it.say(line) for line in LINES]
        for number, handle in enumerate(handles, 1):
            await it.played(handle)
            assert not handle.interrupted
            assert (await it.history())[:number] == list(LINES[:number])
        assert [event.interrupted for event in it.finished] == [False] * 3
        assert all(event.playback_position > 0.5 for event in it.finished)

        # What must not be interrupted is not.
        handle = await it.say(LINES[0], allow_interruptions=False)
        await it.heard()
        with pytest.raises(RuntimeError):
            await it.interrupt()
        await it.played(handle)
        assert not handle.interrupted
        assert it.finished[-1].playback_position == pytest.approx(
            it.finished[0].playback_position, abs=0.2
        )


async def test_a_long_answer_is_cut_where_it_was_heard_and_twice_is_once(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with chat(livekit_server, tmp_path) as it:
        handle = await it.say(LONG)
        began = await it.heard()
        await asyncio.sleep(4.0)
        for _ in range(2):
            await it.interrupt()
        await it.played(handle, 3)
        cut = time.monotonic()
        (event,) = it.finished
        assert handle.interrupted
        assert event.interrupted
        assert event.playback_position == pytest.approx(cut - began, abs=1.0)
        (said,) = await it.history()
        assert LONG.startswith(said)
        assert 20 < len(said) < len(LONG) / 5
        await it.silent(1.0)
        again = await it.say(LINES[0])
        await it.played(again)
        assert (await it.history())[-1] == LINES[0]
        assert len(it.finished) == 2


async def test_an_agent_that_restarts_finds_an_avatar_and_one_that_ends_takes_it_along(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    room = fresh_room()
    async with (
        run_worker(livekit_server, tmp_path / "avatars") as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room), identity=AVATAR) as viewer,
    ):
        for line in LINES[:2]:
            start = our_plugin(worker, livekit_server)
            async with agent_job(livekit_server, room, start) as talk:
                it = Chat(talk, await talk.session(), viewer)
                handle = await it.say(line)
                await it.heard()
                await it.played(handle)
                assert not handle.interrupted
            await viewer.wait_for(lambda v: not v.sees(AVATAR), 15.0)


async def test_a_new_job_takes_over_an_avatar_that_nobody_stopped_and_the_last_one_lets_it_go(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    # The public plugin never stops its avatar.
    room = fresh_room()
    made: list[PublicPlugin] = []
    async with (
        run_worker(livekit_server, tmp_path / "avatars", agent_gone_grace=3.0) as worker,
        watch(livekit_server.url, viewer_token(livekit_server, room), identity=AVATAR) as viewer,
    ):
        for line in LINES[:2]:
            start = public_wire(worker, livekit_server, made)
            async with agent_job(livekit_server, room, start) as talk:
                it = Chat(talk, await talk.session(), viewer)
                handle = await it.say(line)
                await it.heard()
                await it.played(handle)
                assert not handle.interrupted
                # Who leaves before LiveKit has announced it, was never here.
                agent = made[-1].agent_identity
                await viewer.wait_for(lambda v, agent=agent: v.sees(agent), 15.0)
                await asyncio.sleep(0.6)
            await viewer.wait_for(lambda v, agent=agent: not v.sees(agent), 15.0)
            assert viewer.sees(AVATAR), "it waits for its agent"
        assert made[0].session_id != made[1].session_id
        left = time.monotonic()
        await viewer.wait_for(lambda v: not v.sees(AVATAR), 15.0)
        assert time.monotonic() - left > 1.0


async def test_a_segment_survives_a_short_silence_and_ends_in_a_long_one(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)) as session,
    ):
        await agent.until_avatar()
        writer = await agent.stream(0.6, close=False)
        await asyncio.sleep(3.0)
        assert agent.finished == []
        await writer.write(speech(0.6))
        await agent.until_finished(1, 14.0)
        assert agent.ends == [(1.2, False)]
        assert agent.started == 1
        await writer.write(speech(2.0))  # too late
        await writer.aclose()
        await agent.stream(0.5)
        await agent.until_finished(2)
        assert agent.ends[1] == (0.5, False)
        assert session.counters()["played_ms"] < 1_900
        assert session.counters()["trailers_lost"] == 1


async def test_a_paused_stream_outlives_the_silence_of_its_sender(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        await agent.until_avatar()

        async def call(method: str) -> None:
            await agent.room.local_participant.perform_rpc(
                destination_identity=AVATAR, method=method, payload=""
            )

        writer = await agent.stream(1.0, close=False)
        await asyncio.sleep(0.4)
        await call("avaluma.pause")
        await asyncio.sleep(10.6)
        await writer.write(speech(0.5))
        await writer.aclose()
        await asyncio.sleep(0.3)
        assert agent.finished == []
        await call("avaluma.resume")
        await agent.until_finished(1, 15.0)
        assert agent.ends == [(1.5, False)]


async def test_one_file_speaks_in_three_rooms_while_two_avatars_share_a_fourth(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    rooms = [fresh_room() for _ in range(3)]
    ids = ("demo", "other")
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(
            run_worker(livekit_server, tmp_path / "avatars", avatars=ids, max_sessions=5)
        )

        async def bring(room: str, avatar_id: str, agent: str) -> None:
            plugin = PublicPlugin(
                base_url=worker.url, license_key="k", agent_identity=agent, avatar_id=avatar_id
            )
            token = avatar_token(
                livekit_server, room, identity=f"avatar-{avatar_id}", on_behalf=agent
            )
            await plugin.ask(livekit_server.url, token)

        senders = []
        for number, room in enumerate(rooms):
            agent = f"agent-{number}"
            await bring(room, "demo", agent)
            senders.append(
                await stack.enter_async_context(talker(livekit_server, room, identity=agent))
            )
        shared = fresh_room()
        for avatar_id in ids:
            agent = f"agent-for-{avatar_id}"
            await bring(shared, avatar_id, agent)
            senders.append(
                await stack.enter_async_context(
                    talker(livekit_server, shared, identity=agent, avatar=f"avatar-{avatar_id}")
                )
            )
        for sender in senders:
            await sender.until_avatar()
        for sender in senders:
            await sender.stream(3.0)
        async with asyncio.timeout(15.0):
            while not all(sender.started for sender in senders):
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.0)
        for sender in (senders[0], senders[3]):
            await sender.clear()
        for sender in senders:
            await sender.until_finished(1, 15.0)
        cut, whole = [senders[0], senders[3]], [senders[1], senders[2], senders[4]]
        assert [sender.ends for sender in whole] == [[(3.0, False)]] * 3
        for sender in cut:
            ((position, interrupted),) = sender.ends
            assert interrupted
            assert 0.5 < position < 3.0
