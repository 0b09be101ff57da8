"""What senders are told, against an honest stand-in for the SDK's local participant."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import ms
from avatar_worker.room.absence import Absences
from avatar_worker.room.reports import Reports
from livekit import rtc


@dataclass
class Line:
    """Answers calls as told and remembers them in the order in which they were made."""

    calls: list[tuple[str, str, str]] = field(default_factory=list)
    errors: dict[str, list[int]] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float
    ) -> str:
        self.calls.append((destination_identity, method.removeprefix("lk.playback_"), payload))
        if event := self.hold.get(method.removeprefix("lk.playback_")):
            await event.wait()
        if codes := self.errors.get(method.removeprefix("lk.playback_")):
            raise rtc.RpcError(codes.pop(0), "no")
        return "ok"


def reports(line: Line) -> Reports:
    return Reports(line)  # type: ignore[arg-type]


def finished(segment: int, position: int, *, interrupted: bool = False, to: str = "a") -> Finished:
    return Finished(segment, to, ms(position), interrupted)


def payloads(line: Line) -> list[dict[str, Any]]:
    return [json.loads(payload) for _, method, payload in line.calls if method == "finished"]


async def test_started_comes_before_finished_and_the_keys_are_exactly_the_agents() -> None:
    line = Line()
    it = reports(line)
    it.report(Started(1, "a"))
    it.report(finished(1, 1_240))
    await it.flush(1)
    assert [method for _, method, _ in line.calls] == ["started", "finished"]
    assert payloads(line) == [
        {"playback_position": 1.24, "interrupted": False, "synchronized_transcript": None}
    ]
    await it.aclose()


async def test_finished_does_not_wait_for_the_answer_to_started() -> None:
    line = Line(hold={"started": asyncio.Event()})
    it = reports(line)
    it.report(Started(1, "a"))
    it.report(finished(1, 500))
    await it.flush(0.5)
    assert [method for _, method, _ in line.calls] == ["started", "finished"]
    await it.aclose()


async def test_three_ends_are_told_in_order() -> None:
    line = Line()
    it = reports(line)
    for number, position in ((1, 700), (2, 0), (3, 0)):
        it.report(finished(number, position, interrupted=True))
    await it.flush(1)
    assert [p["playback_position"] for p in payloads(line)] == [0.7, 0.0, 0.0]
    await it.aclose()


async def test_an_undelivered_end_is_told_again() -> None:
    line = Line(errors={"finished": [1505, 1401]})
    it = reports(line)
    it.report(finished(1, 100))
    await it.flush(2)
    assert len(line.calls) == 3
    assert (it.delivered, it.failed) == (1, 0)
    await it.aclose()


@pytest.mark.parametrize("code", [1500, 1501, 1502, 1503])
async def test_an_end_that_may_have_arrived_is_never_told_twice(code: int) -> None:
    line = Line(errors={"finished": [code]})
    it = reports(line)
    it.report(finished(1, 100))
    await it.flush(1)
    assert len(line.calls) == 1
    assert it.failed == 1
    await it.aclose()


async def test_a_peer_without_the_calls_is_left_alone_after_the_first() -> None:
    line = Line(errors={"started": [1400], "finished": [1400]})
    it = reports(line)
    for number in (1, 2, 3):
        it.report(Started(number, "a"))
        it.report(finished(number, 100))
        await it.flush(1)
    assert [method for _, method, _ in line.calls] == ["started", "finished"]
    assert it.failed == 0
    await it.aclose()


async def test_a_peer_that_comes_back_is_asked_again() -> None:
    line = Line(errors={"finished": [1400]})
    it = reports(line)
    it.report(finished(1, 100))
    await it.flush(1)
    it.forget("a")
    it.report(finished(2, 200))
    await it.flush(1)
    assert [p["playback_position"] for p in payloads(line)] == [0.1, 0.2]
    await it.aclose()


async def test_a_silent_peer_delays_nobody_else() -> None:
    line = Line()

    async def perform(**call: Any) -> str:
        if call["destination_identity"] == "silent":
            await asyncio.Event().wait()
        return await Line.perform_rpc(line, **call)

    line.perform_rpc = perform  # type: ignore[method-assign]
    it = reports(line)
    it.report(finished(1, 100, to="silent"))
    it.report(finished(2, 200, to="b"))
    await it.flush(0.1)
    assert [to for to, _, _ in line.calls] == ["b"]
    await it.aclose()


async def test_an_end_that_a_reconnect_cut_off_is_told_when_the_peer_is_back() -> None:
    line = Line(errors={"finished": [1503]}, hold={"finished": asyncio.Event()})
    absences = Absences(on_gone=lambda identity: None, connected=lambda: True, grace=5.0)
    it = Reports(line, absences)  # type: ignore[arg-type]
    it.report(finished(1, 300))
    await asyncio.sleep(0.05)
    absences.left("a", reason=0)
    line.hold["finished"].set()
    await asyncio.sleep(0.3)
    assert len(line.calls) == 1, "nobody is there to be called"
    absences.back("a")
    await it.flush(2)
    assert len(line.calls) == 2
    assert (it.delivered, it.failed) == (1, 0)
    await it.aclose()


async def test_ends_for_others_do_not_wait_for_one_that_reconnects() -> None:
    line = Line()
    absences = Absences(on_gone=lambda identity: None, connected=lambda: True, grace=5.0)
    absences.left("a", reason=0)
    it = Reports(line, absences)  # type: ignore[arg-type]
    it.report(finished(1, 300, to="a"))
    it.report(finished(2, 400, to="b"))
    await it.flush(0.2)
    assert [to for to, _, _ in line.calls] == ["b"]
    await it.aclose()
