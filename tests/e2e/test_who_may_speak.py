"""Who puts words into the avatar's mouth, in a real room: every policy, every kind of sender."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.door import SpeechFrom
from avatar_worker.room.room_session import RoomSession
from fakes.scene import AGENT, AVATAR, Talker, avatar_in, join_request, talker
from fakes.tokens import agent_token, avatar_token, fresh_room, viewer_token
from fakes.viewer import Viewer, watch
from livekit import rtc

pytestmark = pytest.mark.e2e

OTHER, GUEST, SECOND = "agent-2", "guest", "avatar-second"
SENDERS = (AGENT, OTHER, GUEST, SECOND)
SHORT = 0.3


@dataclass
class Cast:
    """An avatar, those who would like to speak through it, and somebody who listens."""

    session: RoomSession
    senders: dict[str, Talker]
    viewer: Viewer

    def played_ms(self) -> int:
        return self.session.counters()["played_ms"]

    async def is_heard(self, who: str, seconds: float = SHORT) -> None:
        """One segment of this sender is played in full and reported to it."""
        before, sender = self.played_ms(), self.senders[who]
        ends = len(sender.ends)
        await sender.stream(seconds)
        await sender.until_finished(ends + 1)
        assert sender.ends[ends:] == [(seconds, False)]
        assert self.played_ms() - before >= round(1000 * seconds)

    async def are_refused(self, *names: str) -> None:
        """No sample of these is played, and each is told what would admit it."""
        before, counts = self.played_ms(), self.session.counters()
        told = {who: len(self.senders[who].errors) for who in names}
        # A receiver plays what was said before with a delay that grows with the machine's load.
        await self.viewer.wait_for(lambda v: v.loudness(0.3) < 0.001, 15.0)
        since = time.monotonic()
        for who in names:
            await self.senders[who].stream(SHORT)
        async with asyncio.timeout(15.0):
            while any(len(self.senders[who].errors) == told[who] for who in names):
                await asyncio.sleep(0.02)
        await asyncio.sleep(SHORT + 0.2)
        assert self.played_ms() == before
        assert self.viewer.loudness(time.monotonic() - since) < 0.001
        now = self.session.counters()
        assert now["streams_refused"] - counts.get("streams_refused", 0) == len(names)
        assert now.get("streams", 0) == counts.get("streams", 0)
        for who in names:
            error = self.senders[who].errors[-1]
            assert error["code"] == "SPEECH_REFUSED"
            assert ("avatars" if who == SECOND else "speech_from") in error["error"]


@asynccontextmanager
async def cast(
    server: LiveKitServer, engine: Engine, senders: tuple[str, ...] = SENDERS, **changes: object
) -> AsyncIterator[Cast]:
    name = fresh_room()
    tokens = {
        AGENT: agent_token(server, name),
        OTHER: agent_token(server, name, identity=OTHER),
        GUEST: viewer_token(server, name, identity=GUEST),
        SECOND: avatar_token(server, name, identity=SECOND),
    }
    async with AsyncExitStack() as stack:
        viewer = await stack.enter_async_context(
            watch(server.url, viewer_token(server, name), identity=AVATAR)
        )
        session = await stack.enter_async_context(
            avatar_in(engine, join_request(server, name, **changes))
        )
        joined = {
            who: await stack.enter_async_context(talker(server, name, token=tokens[who]))
            for who in senders
        }
        for sender in joined.values():
            await sender.until_avatar()
        if SECOND in joined:
            # An avatar shows a picture, and who publishes is announced at once.
            track = rtc.LocalVideoTrack.create_video_track("face", rtc.VideoSource(64, 64))
            await joined[SECOND].room.local_participant.publish_track(track)
            await viewer.wait_for(lambda v: v.sees(SECOND), 15.0)
        yield Cast(session, joined, viewer)


@pytest.mark.parametrize(
    ("policy", "heard"),
    [
        (SpeechFrom.ON_BEHALF, (AGENT,)),
        (SpeechFrom.AGENTS, (AGENT, OTHER)),
        (SpeechFrom.LISTED, (AGENT, GUEST)),
        (SpeechFrom.ANY, (AGENT, OTHER, GUEST)),
    ],
)
async def test_each_policy_hears_its_senders_and_no_sample_of_the_others(
    livekit_server: LiveKitServer, engine: Engine, policy: SpeechFrom, heard: tuple[str, ...]
) -> None:
    async with cast(livekit_server, engine, speech_from=policy, speakers=(GUEST,)) as room:
        await room.are_refused(*(who for who in SENDERS if who not in heard))
        for who in reversed(heard):
            await room.is_heard(who)


async def test_until_agent_hears_anybody_and_shuts_with_the_agents_first_word(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine, speech_from=SpeechFrom.UNTIL_AGENT) as room:
        await room.are_refused(SECOND)
        await room.is_heard(GUEST)
        await room.is_heard(OTHER)
        guest = room.senders[GUEST]
        await guest.stream(0.8)
        await asyncio.sleep(0.1)
        await room.is_heard(AGENT)
        assert guest.ends[1:] == [(0.8, False)], "what was accepted before is played out"
        await room.are_refused(GUEST, SECOND)
        await room.is_heard(OTHER)


async def test_without_an_agent_of_its_own_an_avatar_hears_anybody(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    who = (GUEST, OTHER)
    changes = {"on_behalf": None, "speech_from": SpeechFrom.UNTIL_AGENT}
    async with cast(livekit_server, engine, who, **changes) as room:
        for sender in who:
            await room.is_heard(sender)


async def test_nobody_interrupts_another_nor_clears_what_it_may_not_send(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine) as room:
        agent = room.senders[AGENT]
        await agent.stream(1.2)
        await room.viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        for who in (OTHER, GUEST, SECOND):
            await room.senders[who].clear()
        await agent.until_finished(1)
        assert agent.ends == [(1.2, False)]
        assert all(not room.senders[who].finished for who in (OTHER, GUEST, SECOND))


async def test_two_senders_queue_and_a_clear_takes_only_its_own(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine, (AGENT, OTHER)) as room:
        agent, other = room.senders[AGENT], room.senders[OTHER]
        await room.is_heard(OTHER)  # from here on its news have arrived
        for sender, seconds in ((agent, 3.0), (other, 0.7), (agent, 1.0)):
            await sender.stream(seconds)
            await asyncio.sleep(0.05)
        await room.viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await asyncio.sleep(0.8)
        before = room.played_ms()
        await agent.clear()
        await agent.until_finished(2)
        first, second = agent.ends
        assert first[1]
        assert 0.5 < first[0] < 3.0
        assert second == (0.0, True)
        await other.until_finished(2)
        assert other.ends[1] == (0.7, False), "nothing of the other one's speech is lost"
        assert other.started == 2
        assert 700 <= room.played_ms() - before < 3_000
        await room.is_heard(AGENT)


async def test_the_speech_that_a_clear_cuts_into_is_played_again_from_where_it_was(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine, (AGENT, OTHER)) as room:
        agent, other = room.senders[AGENT], room.senders[OTHER]
        await room.is_heard(OTHER)
        await other.stream(1.5)
        await asyncio.sleep(0.05)
        await agent.stream(1.0)
        await room.viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await agent.clear()  # while the other one is heard and its own waits
        await agent.until_finished(1)
        assert agent.ends == [(0.0, True)]
        await other.until_finished(2)
        assert other.ends[1] == (1.5, False)
        assert agent.started == 0


async def test_an_agent_is_replaced_by_another_job_and_its_last_words_go_with_it(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine, (AGENT, OTHER)) as room:
        await room.is_heard(AGENT)
        # Who leaves before LiveKit has announced it, leaves unnoticed.
        await room.viewer.wait_for(lambda v: v.sees(AGENT), 15.0)
        await asyncio.sleep(0.2)
        await room.senders[AGENT].stream(20.0)
        await room.viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await room.senders[AGENT].room.disconnect()
        await room.is_heard(OTHER)
        assert len(room.senders[OTHER].ends) == 1
        assert room.played_ms() < 8_000, "nobody is left who could stop those words"


async def test_a_sender_that_opens_a_stream_and_says_nothing_holds_nobody_up(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with cast(livekit_server, engine, (AGENT, OTHER)) as room:
        await room.is_heard(OTHER)
        agent, other = room.senders[AGENT], room.senders[OTHER]
        await agent.stream(0.9)
        await asyncio.sleep(0.05)
        waiting = await other.stream(0, close=False)
        await agent.until_finished(1, 6.0)
        assert agent.ends == [(0.9, False)]
        await waiting.aclose()
        await other.until_finished(2)
        assert other.ends[1] == (0.0, False)
