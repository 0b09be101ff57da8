"""Who is heard, who interrupts whom, who comes and goes: on the bare wire of a room."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from avatar_worker.clock import ms
from avatar_worker.engine import Engine
from avatar_worker.face import Gesture
from avatar_worker.room.door import SpeechFrom
from fakes.networks import PATIENCE, SETTLES, Network, scene
from fakes.scene import AGENT, Talker
from fakes.watched_face import WatchedPipeline
from livekit import rtc

OTHER, GUEST = "agent-2", "guest"
FULL = rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT


async def is_heard(who: Talker, seconds: float = 0.3) -> None:
    """One segment of this sender is played and reported to it."""
    ends = len(who.ends)
    await who.stream(seconds)
    await who.until_finished(ends + 1, PATIENCE)
    assert who.ends[ends:] == [(seconds, False)]


# -- who is heard --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "heard"),
    [
        (SpeechFrom.ON_BEHALF, {AGENT}),
        (SpeechFrom.AGENTS, {AGENT, OTHER}),
        (SpeechFrom.LISTED, {AGENT, GUEST}),
        (SpeechFrom.ANY, {AGENT, OTHER, GUEST}),
    ],
)
async def test_each_policy_hears_its_senders_and_tells_the_others_why_not(
    network: Network, engine: Engine, policy: SpeechFrom, heard: set[str]
) -> None:
    async with scene(network, engine, speech_from=policy, speakers=(GUEST,)) as room:
        people = {
            AGENT: await room.agent(),
            OTHER: await room.agent(OTHER),
            GUEST: await room.guest(GUEST),
        }
        for name in sorted(set(people) - heard):
            await people[name].stream(0.3)
            async with asyncio.timeout(PATIENCE):
                while not people[name].errors:
                    await asyncio.sleep(0.02)
            assert people[name].errors[0]["code"] == "SPEECH_REFUSED"
            assert "speech_from" in people[name].errors[0]["error"]
        assert room.counter("played_ms") == 0
        assert room.counter("streams_refused") == len(people) - len(heard)
        for name in sorted(heard):
            await is_heard(people[name])
        assert all(not people[name].finished for name in set(people) - heard)


async def test_two_senders_are_heard_one_after_the_other_and_each_is_told_of_its_own(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent, other = await room.agent(), await room.agent(OTHER)
        await is_heard(other)  # from here on its news have arrived
        for who, seconds in ((agent, 0.6), (other, 0.4), (agent, 0.2)):
            await who.stream(seconds)
            await asyncio.sleep(0.05)
        await agent.until_finished(2, PATIENCE)
        await other.until_finished(2, PATIENCE)
        assert agent.ends == [(0.6, False), (0.2, False)]
        assert other.ends[1:] == [(0.4, False)]


async def test_a_clear_silences_its_own_sender_and_nobody_else(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent, other = await room.agent(), await room.agent(OTHER)
        await is_heard(other)
        before = room.counter("played_ms")
        await agent.stream(3.0)
        await asyncio.sleep(0.05)
        await other.stream(0.5)
        await room.until_it_plays(before + 300)
        await other.clear()
        await other.until_finished(2, PATIENCE)
        assert other.ends[1] == (0.0, True)
        await other.stream(0.5)
        await asyncio.sleep(0.05)
        await agent.clear()
        await agent.until_finished(1, PATIENCE)
        assert agent.ends[0][1]
        assert 0.2 < agent.ends[0][0] < 3.0
        await other.until_finished(3, PATIENCE)
        assert other.ends[2] == (0.5, False)


# -- calls ---------------------------------------------------------------------------------------


async def test_who_answers_no_reports_is_heard_all_the_same(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        silent, other = await room.agent(), await room.agent(OTHER)
        for method in ("lk.playback_started", "lk.playback_finished"):
            silent.room.local_participant.unregister_rpc_method(method)
        await silent.stream(0.3)
        await silent.stream(0.3)
        await room.until_it_plays(560)
        await is_heard(other)
        assert room.counter("streams") == 3


async def test_a_report_that_its_receiver_fails_on_is_not_repeated(
    network: Network, engine: Engine
) -> None:
    calls = []

    def fail(invocation: rtc.RpcInvocationData) -> str:
        calls.append(json.loads(invocation.payload))
        raise ValueError("an agent's bug")

    async with scene(network, engine) as room:
        agent = await room.agent()
        agent.room.local_participant.register_rpc_method("lk.playback_finished", fail)
        await agent.stream(0.2)
        await agent.stream(0.3)
        async with asyncio.timeout(PATIENCE):
            while len(calls) < 2:
                await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLES)
        assert [c["playback_position"] for c in calls] == [0.2, 0.3]


async def test_every_call_of_the_contract_is_answered_and_no_other(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        for method, payload in (
            ("lk.clear_buffer", ""),
            ("avaluma.ping", ""),
            ("avaluma.pause", ""),
            ("avaluma.resume", ""),
            ("user_state_changed", "speaking"),
            ("agent_state_changed", "no such state"),
            ("avaluma.gesture", '{"gesture": "nod"}'),
        ):
            assert await agent.call(method, payload) == "ok"
        with pytest.raises(rtc.RpcError) as unknown:
            await agent.call("avaluma.no_such_call")
        assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
        with pytest.raises(rtc.RpcError) as wrong:
            await agent.call("avaluma.gesture", '{"gesture": "somersault"}')
        assert "nod" in json.loads(wrong.value.data or "")["known"]


async def test_a_caller_beyond_its_share_is_refused_and_others_are_answered(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent, guest = await room.agent(), await room.guest(GUEST)
        began = time.monotonic()
        answers = await asyncio.gather(
            *(guest.call("avaluma.ping") for _ in range(60)), return_exceptions=True
        )
        share = 20 + 20 * (time.monotonic() - began)
        refused = [a for a in answers if isinstance(a, rtc.RpcError)]
        assert 59 - share <= len(refused) <= 40
        assert refused
        assert {r.code for r in refused} == {2429}
        assert room.counter("calls_refused") == len(refused)
        assert await agent.call("avaluma.ping") == "ok"


async def test_a_pause_keeps_what_was_not_heard(network: Network, engine: Engine) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(1.2)
        await room.until_it_plays(300)
        await agent.call("avaluma.pause")
        await asyncio.sleep(0.2)
        heard = room.counter("played_ms")
        await asyncio.sleep(1.2)
        assert room.counter("played_ms") == heard < 1_000
        assert not agent.finished
        await agent.call("avaluma.resume")
        await agent.until_finished(1, PATIENCE)
        assert agent.ends == [(1.2, False)]


async def test_a_gesture_waits_for_its_place_in_its_callers_own_speech(
    network: Network, engine: Engine, face: WatchedPipeline
) -> None:
    async with scene(network, engine) as room:
        agent, other = await room.agent(), await room.agent(OTHER)
        writer = await agent.stream(1.2, close=False)
        at_a_word = {"gesture": "nod", "at": 0.7, "stream": writer.info.stream_id}
        assert await agent.call("avaluma.gesture", json.dumps(at_a_word)) == "ok"
        with pytest.raises(rtc.RpcError) as foreign:
            await other.call("avaluma.gesture", json.dumps(at_a_word))
        assert json.loads(foreign.value.data or "") == {"code": "UNKNOWN_STREAM"}
        await writer.aclose()
        await agent.until_finished(1, PATIENCE)
        [(place, cue)] = face.placed
        assert cue == Gesture("nod")
        assert ms(700) <= place < ms(740)


# -- comings and goings --------------------------------------------------------------------------


async def test_a_sender_that_vanishes_in_mid_sentence_holds_up_nobody(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        first, other = await room.agent(), await room.agent(OTHER)
        await is_heard(other)
        await first.stream(2.0, close=False)
        await room.until_it_plays(600)
        await first.room.disconnect()
        await is_heard(other)
        again = await room.agent()
        await again.stream(0.5)
        # LiveKit announces leaves without tracks seconds late: the first one's end may be told to
        # its successor, who bears the same name. Its own must come all the same.
        async with asyncio.timeout(PATIENCE):
            while (0.5, False) not in again.ends:
                await asyncio.sleep(0.02)
        assert len(again.ends) <= 2


async def test_the_successor_of_an_agent_under_another_name_is_heard(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine, speech_from=SpeechFrom.AGENTS) as room:
        first = await room.agent()
        await is_heard(first)
        await first.room.disconnect()
        successor = await room.agent("agent-AJ_later")
        await is_heard(successor, 0.5)


@pytest.mark.parametrize("whose", ["the avatar's", "the agent's"])
async def test_a_full_reconnect_between_two_sentences_leaves_nothing_behind(
    network: Network, engine: Engine, whose: str
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await is_heard(agent, 0.5)
        broken = room.session._room if whose == "the avatar's" else agent.room
        mended = asyncio.Event()
        broken.once("reconnected", mended.set)
        await broken.simulate_scenario(FULL)
        async with asyncio.timeout(2 * PATIENCE):
            await mended.wait()
        await asyncio.sleep(1.0)  # until everybody has heard that it left and came back
        await agent.until_avatar(2 * PATIENCE)
        await is_heard(agent, 0.5)
        assert agent.started == 2
        assert room.counter("interruptions") == 0


# -- LiveKit's own sender ------------------------------------------------------------------------


async def test_livekits_own_output_is_told_of_ends_and_interruptions(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.real_sender()
        await agent.say(0.5)
        await agent.until_finished(1, PATIENCE)
        await agent.say(5.0)
        await room.until_it_plays(1_000)
        agent.output.clear_buffer()
        await agent.until_finished(2, PATIENCE)
        await agent.say(0.3)
        await agent.until_finished(3, PATIENCE)
        first, cut, last = agent.finished
        assert (first.playback_position, first.interrupted) == (0.5, False)
        assert cut.interrupted
        assert 0.4 < cut.playback_position < 5.0
        assert (last.playback_position, last.interrupted) == (0.3, False)
        assert len(agent.started) == 3
