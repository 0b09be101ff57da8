from __future__ import annotations

import logging

import pytest
from hypothesis import given, strategies as st

from avatar_worker.clock import Ticks, ms
from avatar_worker.room.call_limit import (
    BURST,
    CALLS_PER_SECOND,
    MAX_CALLERS,
    TOO_MANY_CALLS,
    CallLimit,
)
from livekit import rtc

SECOND = ms(1000)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> Ticks:
        return Ticks(self.time)


class Desk:
    """A participant's methods behind a limit."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.limit = CallLimit(self.clock)
        self.answered: list[str] = []

    async def call(self, caller: str = "agent", method: str = "lk.clear_buffer") -> str | None:
        call = rtc.RpcInvocationData("request", caller, "", 10.0, method=method)

        async def answer(call: rtc.RpcInvocationData) -> str:
            self.answered.append(call.method)
            return "ok"

        return await self.limit.intercept_incoming(call, answer)

    def admitted(self, calls: int, caller: str = "agent") -> int:
        return sum(self.limit.admits(caller) for _ in range(calls))


async def test_twenty_calls_at_once_are_answered_and_the_next_is_a_typed_error() -> None:
    desk = Desk()
    for _ in range(20):
        assert await desk.call() == "ok"
    with pytest.raises(rtc.RpcError, match="20 calls a second") as raised:
        await desk.call()
    assert raised.value.code == TOO_MANY_CALLS
    assert len(desk.answered) == 20, "a refused call does no work"
    assert desk.limit.refused == 1


async def test_all_methods_of_a_caller_share_one_limit() -> None:
    desk = Desk()
    for number in range(20):
        await desk.call(method=("lk.clear_buffer", "avaluma.ping", "unknown")[number % 3])
    with pytest.raises(rtc.RpcError):
        await desk.call(method="avaluma.pause")


def test_one_caller_never_costs_another_a_call() -> None:
    desk = Desk()
    assert desk.admitted(500, "flooder") == BURST
    assert desk.admitted(BURST, "agent") == BURST


def test_after_a_refusal_calls_are_admitted_again_at_the_allowed_pace() -> None:
    desk = Desk()
    desk.admitted(BURST)
    assert desk.admitted(1000) == 0, "refused calls do not lengthen the wait"
    desk.clock.time += SECOND // CALLS_PER_SECOND
    assert desk.admitted(5) == 1
    desk.clock.time += 10 * SECOND
    assert desk.admitted(100) == BURST


def test_a_steady_caller_at_the_limit_is_never_refused() -> None:
    desk = Desk()
    for _ in range(500):
        assert desk.limit.admits("agent")
        desk.clock.time += SECOND // CALLS_PER_SECOND


@given(st.lists(st.integers(0, SECOND), min_size=1, max_size=300))
def test_no_span_of_time_admits_more_than_its_share_and_a_burst(pauses: list[int]) -> None:
    desk = Desk()
    admitted: list[int] = []
    for pause in pauses:
        desk.clock.time += pause
        if desk.limit.admits("agent"):
            admitted.append(desk.clock.time)
    for first, began in enumerate(admitted):
        for last in range(first, len(admitted)):
            share = (admitted[last] - began) * CALLS_PER_SECOND / SECOND
            assert last - first + 1 <= share + BURST


def test_callers_without_number_take_bounded_memory_and_do_not_free_a_flooder() -> None:
    desk = Desk()
    for number in range(10 * MAX_CALLERS):
        desk.limit.admits(f"caller-{number}")
        desk.limit.admits("flooder")
    assert len(desk.limit._paid_until) == MAX_CALLERS
    assert not desk.limit.admits("flooder")


async def test_a_flood_is_told_to_the_operator_once(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            try:
                await desk.call("somebody")
            except rtc.RpcError:
                continue
    [record] = caplog.records
    assert "somebody" not in record.getMessage()
    assert vars(record)["lk.pii.identity"] == "somebody"
