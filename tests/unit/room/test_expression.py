"""Moods and gestures by call: strict about what is asked, and about who asks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from avatar_worker.clock import Ticks, ms
from avatar_worker.face import Cue, Gesture, Mood
from avatar_worker.face.gestures import GESTURES
from avatar_worker.face.moods import MOODS
from avatar_worker.room.expression import (
    BAD_CUE,
    MOST_PAYLOAD,
    NOT_ALLOWED,
    RPC_GESTURE,
    RPC_SET_MOOD,
    UNKNOWN_NAME,
    ExpressionDesk,
)
from livekit import rtc

AGENT = "agent-1"


class Desk:
    """A desk at which only the agent may ask, and the face behind it."""

    def __init__(self) -> None:
        self.cues: list[Cue] = []
        self.timed: list[tuple[str, str, Ticks, Cue]] = []
        self.streams = {(AGENT, "stream-1")}
        self.desk = ExpressionDesk(
            self.cues.append, express_at=self._express_at, refusal=self._refusal
        )

    async def _express_at(self, sender: str, stream: str, at: Ticks, cue: Cue) -> bool:
        self.timed.append((sender, stream, at, cue))
        return (sender, stream) in self.streams

    async def _refusal(self, identity: str) -> str | None:
        return None if identity == AGENT else "set speech_from to 'any'"

    def call(self, method: str, payload: object, *, caller: str = AGENT) -> str:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        invocation = rtc.RpcInvocationData("request", caller, text, 15.0, method)

        async def answer() -> str:
            return await self.desk.methods[method](invocation)

        return asyncio.run(answer())

    def refused(self, method: str, payload: object, *, caller: str = AGENT) -> tuple[int, Any]:
        with pytest.raises(rtc.RpcError) as caught:
            self.call(method, payload, caller=caller)
        assert caught.value.message
        assert caught.value.data is not None
        return caught.value.code, json.loads(caught.value.data)


def test_a_mood_and_a_gesture_reach_the_face() -> None:
    desk = Desk()
    assert desk.call(RPC_SET_MOOD, {"mood": "happy", "intensity": 0.6, "fade": 0.2}) == "ok"
    assert desk.call(RPC_SET_MOOD, {"mood": "neutral"}) == "ok"
    assert desk.call(RPC_GESTURE, {"gesture": "nod"}) == "ok"
    assert desk.cues == [Mood("happy", 0.6, 0.2), Mood("neutral", 1.0, 0.4), Gesture("nod")]
    assert desk.desk.counts["cues"] == 3


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    desk = Desk()
    code, facts = desk.refused(RPC_SET_MOOD, {"mood": "merry"})
    assert (code, facts) == (UNKNOWN_NAME, {"code": "UNKNOWN_MOOD", "known": list(MOODS)})
    code, facts = desk.refused(RPC_GESTURE, {"gesture": "jump"})
    assert (code, facts) == (UNKNOWN_NAME, {"code": "UNKNOWN_GESTURE", "known": list(GESTURES)})
    assert desk.cues == []
    assert desk.desk.counts["cues_refused"] == 2


@pytest.mark.parametrize("method", [RPC_SET_MOOD, RPC_GESTURE])
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "happy",
        '"happy"',
        "[]",
        "null",
        "{",
        "{}",
        '{"mood": "happy", "mood": "sad", "gesture": "nod"}',
        '{"mood": "happy", "gesture": "nod"}',
        '{"mood": "happy", "intensity": NaN}',
        '{"mood": "happy", "fade": 1e999}',
        '{"gesture": {"gesture": "nod"}}',
        "[" * 1_000,
        '{"mood": "happy"}' + " " * MOST_PAYLOAD,
        '{"gesture": "nod"}' + " " * MOST_PAYLOAD,
    ],
)
def test_anything_else_is_refused_and_does_nothing(method: str, payload: str) -> None:
    desk = Desk()
    code, facts = desk.refused(method, payload)
    assert code == BAD_CUE
    assert facts["code"] == "BAD_CUE"
    assert desk.cues == []


@pytest.mark.parametrize("caller", ["guest", ""])
def test_only_who_may_speak_may_ask(caller: str, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    for _ in range(3):
        code, facts = desk.refused(RPC_SET_MOOD, {"mood": "happy"}, caller=caller)
        assert (code, facts) == (NOT_ALLOWED, {"code": "NOT_ALLOWED"})
    assert desk.cues == []
    assert desk.desk.counts["cues_refused"] == 3
    assert len([r for r in caplog.records if r.getMessage() == "an expression was refused"]) == 1
    assert "guest" not in caplog.text


def test_strangers_learn_nothing_from_what_they_ask() -> None:
    desk = Desk()
    known = desk.refused(RPC_SET_MOOD, {"mood": "happy"}, caller="guest")
    assert desk.refused(RPC_SET_MOOD, {"mood": "merry"}, caller="guest") == known
    assert desk.refused(RPC_SET_MOOD, "{", caller="guest") == known


def test_a_cue_may_wait_for_a_moment_of_a_stream() -> None:
    desk = Desk()
    assert desk.call(RPC_GESTURE, {"gesture": "nod", "at": 1.25, "stream": "stream-1"}) == "ok"
    assert desk.call(RPC_SET_MOOD, {"mood": "sad", "at": 0, "stream": "stream-1"}) == "ok"
    assert desk.timed == [
        (AGENT, "stream-1", ms(1_250), Gesture("nod")),
        (AGENT, "stream-1", Ticks(0), Mood("sad", 1.0, 0.4)),
    ]
    assert desk.cues == []
    assert desk.desk.counts["cues"] == 2


def test_a_stream_that_is_not_the_callers_or_is_over_is_refused() -> None:
    desk = Desk()
    asked = {"gesture": "nod", "at": 1, "stream": "stream-2"}
    code, facts = desk.refused(RPC_GESTURE, asked)
    assert (code, facts) == (UNKNOWN_NAME, {"code": "UNKNOWN_STREAM"})
    assert desk.desk.counts == {"cues_refused": 1}


@pytest.mark.parametrize(
    "place",
    [
        {"at": 1},
        {"stream": "stream-1"},
        {"at": -1, "stream": "stream-1"},
        {"at": float("nan"), "stream": "stream-1"},
        {"at": 1e9, "stream": "stream-1"},
        {"at": True, "stream": "stream-1"},
        {"at": "1", "stream": "stream-1"},
        {"at": 1, "stream": ""},
        {"at": 1, "stream": 7},
        {"at": None, "stream": None},
    ],
)
def test_half_a_place_or_a_strange_one_is_refused(place: dict[str, object]) -> None:
    desk = Desk()
    code, facts = desk.refused(RPC_GESTURE, {"gesture": "nod", **place})
    assert (code, facts["code"]) == (BAD_CUE, "BAD_CUE")
    assert desk.timed == []
    assert desk.cues == []
