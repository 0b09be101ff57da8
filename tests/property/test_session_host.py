"""However starts, hang-ups, ends and stops interleave: one identity is in a room at most once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hypothesis import given, settings, strategies as st

from avatar_worker.errors import AvatarWorkerError, PeerError
from avatar_worker.room.door import RunningSession, SpeechFrom
from avatar_worker.server.admission import Places
from avatar_worker.server.auth import ApiKey
from avatar_worker.server.host_options import HostOptions
from avatar_worker.server.refusals import TooManySessionsError
from avatar_worker.server.sessions import SessionHost
from avatar_worker.server.start_request import StartRequest
from avatar_worker.server.token import RoomToken
from avatar_worker.session.state import SessionState
from avatar_worker.telemetry.metrics import Metrics
from fakes.sessions import FakeLiveKit, FakeShelf

CAPACITY = 3
KEYS = [ApiKey(name="a", digest=b""), ApiKey(name="b", digest=b"", max_sessions=1)]


def request(room: str, agent: str | None, avatar: str = "demo", **change: Any) -> StartRequest:
    claims = RoomToken(
        room=room,
        identity="avatar-demo",
        on_behalf=agent,
        attributes={},
        expires=0,
        verified=False,
    )
    values: dict[str, Any] = {
        "url": "ws://livekit.test:80",
        "token": "token",
        "claims": claims,
        "avatar_id": avatar,
        "speech_from": None,
        "speakers": (),
        "max_duration": 60.0,
        "idempotency_key": None,
    }
    return StartRequest(**{**values, **change})


def make_host(livekit: FakeLiveKit, capacity: int = CAPACITY) -> tuple[SessionHost, Places]:
    places = Places(capacity)
    host = SessionHost(
        join=livekit.join,
        open_avatar=FakeShelf().open,
        places=places,
        metrics=Metrics(),
        options=HostOptions(start_budget=60.0),
    )
    return host, places


async def settle() -> None:
    """Let everything run that can run without the outside world."""
    for _ in range(30):
        await asyncio.sleep(0)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("start"),
            st.sampled_from(["r1", "r2"]),
            st.sampled_from(["agent-1", "agent-2", None]),
            st.integers(0, 1),
        ),
        st.tuples(st.just("unknown avatar"), st.sampled_from(["r1", "r2"])),
        st.tuples(st.just("hang up"), st.integers(0, 5)),
        st.tuples(st.just("agent leaves"), st.integers(0, 5)),
        st.tuples(st.just("room ends"), st.integers(0, 5)),
        st.tuples(st.just("stop"), st.integers(0, 5)),
        st.tuples(
            st.sampled_from(["gate shuts", "gate opens", "join fails", "join works", "settle"])
        ),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_no_interleaving_evicts_anybody_or_leaks_a_place(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[Any, ...]]) -> None:
    livekit = FakeLiveKit()
    host, places = make_host(livekit)
    callers: list[asyncio.Task[Any]] = []
    for kind, *arguments in steps:
        if kind == "start":
            room, agent, key = arguments
            callers.append(asyncio.create_task(host.start(request(room, agent), KEYS[key])))
        elif kind == "unknown avatar":
            callers.append(
                asyncio.create_task(host.start(request(arguments[0], "x", "nobody"), KEYS[0]))
            )
        elif kind == "hang up" and callers:
            callers[arguments[0] % len(callers)].cancel()
        elif kind == "agent leaves" and livekit.joined:
            livekit.joined[arguments[0] % len(livekit.joined)].agent_is_there = False
        elif kind == "room ends" and livekit.joined:
            livekit.joined[arguments[0] % len(livekit.joined)].end("agent left")
        elif kind == "stop" and livekit.asked:
            wanted = livekit.asked[arguments[0] % len(livekit.asked)].session_id
            callers.append(asyncio.create_task(host.stop(wanted)))
        elif kind == "gate shuts":
            livekit.gate.opens.clear()
        elif kind == "gate opens":
            livekit.gate.opens.set()
        elif kind == "join fails":
            livekit.gate.error = PeerError("LiveKit said no")
        elif kind == "join works":
            livekit.gate.error = None
        else:
            await settle()
        await asyncio.sleep(0)
        assert 0 <= places.used <= CAPACITY
        assert len(livekit.inside()) <= places.used
    livekit.gate.opens.set()
    await settle()
    # At rest every place belongs to a session that runs, and every answer is final.
    assert len(host.sessions()) == places.used == len(livekit.inside())
    assert all(caller.done() for caller in callers)
    for caller in callers:
        with contextlib.suppress(AvatarWorkerError, asyncio.CancelledError):
            await caller
    host.stop_admitting()
    await host.close_all("drain")
    await host.wait_empty(1.0)
    assert (places.used, host.sessions(), livekit.inside()) == (0, [], [])
    reasons = [await session.wait_closed() for session in livekit.joined]
    assert "evicted" not in reasons


async def test_a_key_has_its_own_quota_avatars_and_policy() -> None:
    livekit = FakeLiveKit()
    host, _ = make_host(livekit)
    key = ApiKey(
        name="k",
        digest=b"",
        max_sessions=1,
        avatars=frozenset({"demo"}),
        speech_from=SpeechFrom.AGENTS,
    )
    await host.start(request("r1", "agent-1"), key)
    assert livekit.asked[0].speech_from is SpeechFrom.AGENTS
    for error, wanted in (
        (TooManySessionsError, request("r2", "agent-1")),
        (AvatarWorkerError, request("r3", "agent-1", "maya")),
    ):
        try:
            await host.start(wanted, key)
        except error:
            continue
        raise AssertionError(error)
    # Another try of the running one is no second session.
    again: RunningSession = await host.start(request("r1", "agent-1"), key)
    assert again.state is SessionState.IDLE
    await host.close_all("drain")


async def test_a_request_decides_before_its_key_who_is_heard() -> None:
    livekit = FakeLiveKit()
    host, _ = make_host(livekit)
    key = ApiKey(name="k", digest=b"", speech_from=SpeechFrom.AGENTS)
    await host.start(request("r1", "agent-1", speech_from=SpeechFrom.ON_BEHALF), key)
    assert livekit.asked[0].speech_from is SpeechFrom.ON_BEHALF
    await host.close_all("drain")
