"""One participant, one session, however often it is asked for (protocol §2.4)."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from avatar_worker.errors import PeerError
from fakes.http_door import KEY, PATH, open_door, room_token

OTHER_KEY = "another-key-for-tests"


async def test_three_tries_at_once_make_one_participant_and_one_id() -> None:
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        tries = [asyncio.create_task(door.start()) for _ in range(3)]
        await door.livekit.asked_for(1)
        await asyncio.sleep(0.05)
        door.livekit.gate.opens.set()
        replies = await asyncio.gather(*tries)
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert len({reply.body["session_id"] for reply in replies}) == 1
        assert len(door.livekit.asked) == 1
        assert (await door.call("GET", "/health")).body["active_sessions"] == 1


async def test_a_later_try_finds_the_running_session() -> None:
    async with open_door() as door:
        first, second = await door.start(), await door.start()
        assert first.body == second.body
        assert len(door.livekit.asked) == 1


async def test_the_same_room_by_another_spelling_of_the_url_is_the_same_session() -> None:
    async with open_door() as door:
        first = await door.start(livekit_url="ws://livekit.test:80")
        second = await door.start(livekit_url="http://LIVEKIT.test/")
        assert first.body == second.body
        assert len(door.livekit.asked) == 1


async def test_a_caller_that_hangs_up_does_not_end_its_start() -> None:
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        async with aiohttp.ClientSession() as impatient:
            body = {
                "livekit_url": "ws://livekit.test:7880",
                "livekit_token": room_token(),
                "avatar_id": "demo",
                "avaluma_key": KEY,
            }
            going = asyncio.create_task(impatient.post(f"{door.url}{PATH}", json=body))
            await door.livekit.asked_for(1)
            going.cancel()
        await asyncio.sleep(0.05)
        assert door.livekit.cancelled == 0
        door.livekit.gate.opens.set()
        retry = await door.start()
        assert retry.status == 200
        assert [session.id for session in door.livekit.joined] == [retry.body["session_id"]]


async def test_an_agent_that_is_still_there_keeps_its_avatar() -> None:
    async with open_door() as door:
        mine = await door.start()
        theirs = await door.start(token=room_token(on_behalf="agent-2"))
        assert (theirs.status, theirs.code) == (409, "AVATAR_ALREADY_ACTIVE")
        assert [session.id for session in door.livekit.inside()] == [mine.body["session_id"]]


async def test_an_agent_that_left_gives_way_to_its_successor() -> None:
    async with open_door() as door:
        old = await door.start()
        door.livekit.joined[0].agent_is_there = False
        new = await door.start(token=room_token(on_behalf="agent-2"))
        assert new.status == 200
        assert new.body["session_id"] != old.body["session_id"]
        # The old one left by itself before the new one came: LiveKit had nobody to evict.
        assert await door.livekit.joined[0].wait_closed() == "replaced"
        assert [session.on_behalf for session in door.livekit.inside()] == ["agent-2"]


async def test_a_successor_waits_until_the_old_session_has_left() -> None:
    async with open_door() as door:
        door.livekit.gate.leaving = 0.1
        await door.start()
        door.livekit.joined[0].agent_is_there = False
        await door.start(token=room_token(on_behalf="agent-2"))
        assert await door.livekit.joined[0].wait_closed() == "replaced"


async def test_a_foreign_start_during_a_start_is_judged_once_that_one_is_in_the_room() -> None:
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        mine = asyncio.create_task(door.start())
        await door.livekit.asked_for(1)
        theirs = asyncio.create_task(door.start(token=room_token(on_behalf="agent-2")))
        await asyncio.sleep(0.05)
        door.livekit.gate.opens.set()
        assert (await mine).status == 200
        assert (await theirs).code == "AVATAR_ALREADY_ACTIVE"


async def test_an_idempotency_key_joins_tries_whose_agent_differs() -> None:
    async with open_door() as door:
        headers = {"Idempotency-Key": "one-start"}
        first = await door.start(headers=headers)
        again = await door.start(headers=headers, token=room_token(on_behalf="agent-2"))
        assert (again.status, again.body) == (200, first.body)


async def test_two_avatars_may_share_a_room() -> None:
    async with open_door() as door:
        one = await door.start(token=room_token(identity="avatar-a"))
        two = await door.start(token=room_token(identity="avatar-b"))
        assert one.body["session_id"] != two.body["session_id"]
        assert len(door.livekit.inside("room-1")) == 2


async def test_an_avatar_without_an_agent_is_found_again() -> None:
    async with open_door() as door:
        token = room_token(on_behalf=None)
        assert (await door.start(token=token)).body == (await door.start(token=token)).body


async def test_a_key_cannot_take_over_the_session_of_another_key() -> None:
    async with open_door(api_keys=f"{KEY},{OTHER_KEY}") as door:
        await door.start()
        door.livekit.joined[0].agent_is_there = False
        reply = await door.start(key=OTHER_KEY, token=room_token(on_behalf="agent-2"))
        assert reply.code == "AVATAR_ALREADY_ACTIVE"
        assert len(door.livekit.inside()) == 1


async def test_a_failed_start_leaves_nothing_behind_for_the_next_try() -> None:
    async with open_door(max_sessions=1) as door:
        door.livekit.gate.error = PeerError("LiveKit said no")
        first = await door.start()
        assert (first.status, first.code) == (502, "ROOM_JOIN_FAILED")
        door.livekit.gate.error = None
        assert (await door.start()).status == 200


async def test_a_start_that_takes_too_long_leaves_before_it_is_answered() -> None:
    async with open_door(start_budget=0.2, max_sessions=1) as door:
        door.livekit.gate.opens.clear()
        reply = await door.start()
        assert (reply.status, reply.code) == (502, "ROOM_JOIN_FAILED")
        assert door.livekit.cancelled == 1
        door.livekit.gate.opens.set()
        assert (await door.start()).status == 200


async def test_a_join_that_ignores_the_end_of_its_time_is_taken_out_of_the_room() -> None:
    async with open_door(start_budget=0.1, max_sessions=1) as door:
        door.livekit.gate.deaf = True
        door.livekit.gate.opens.clear()
        async with asyncio.timeout(3):
            assert (await door.start()).status == 502
        # Its place is taken until it is really gone.
        assert (await door.call("GET", "/health")).body["active_sessions"] == 1
        door.livekit.gate.opens.set()
        assert (await door.start()).status == 200
        assert await door.livekit.joined[0].wait_closed() == "start given up"
        assert len(door.livekit.inside()) == 1


async def test_the_tries_of_a_failed_start_all_hear_of_it() -> None:
    async with open_door() as door:
        door.livekit.gate.opens.clear()
        door.livekit.gate.error = PeerError("LiveKit said no")
        tries = [asyncio.create_task(door.start()) for _ in range(3)]
        await door.livekit.asked_for(1)
        door.livekit.gate.opens.set()
        assert {(await one).status for one in tries} == {502}


@pytest.mark.parametrize("times", [2, 5])
async def test_a_session_that_ended_by_itself_can_be_started_anew(times: int) -> None:
    async with open_door(max_sessions=1) as door:
        ids = set()
        for _ in range(times):
            ids.add((await door.start()).body["session_id"])
            door.livekit.joined[-1].end("agent left")
        assert len(ids) == times
