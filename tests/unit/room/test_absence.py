from __future__ import annotations

import asyncio
from collections.abc import Callable

from avatar_worker.room.absence import Absences

CLIENT_INITIATED = 1


def absences(gone: list[str], connected: Callable[[], bool] = lambda: True) -> Absences:
    return Absences(on_gone=gone.append, connected=connected, grace=0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_leave_with_a_reason_is_believed_at_once() -> None:
    gone: list[str] = []
    it = absences(gone)
    it.left("a", reason=CLIENT_INITIATED)
    assert gone == ["a"]
    assert not it.may_return("a")


async def test_a_leave_without_a_reason_is_believed_after_a_while() -> None:
    gone: list[str] = []
    it = absences(gone)
    it.left("a", reason=0)
    it.left("b", reason=None)
    assert gone == []
    assert it.may_return("a")
    await until(lambda: gone == ["a", "b"])
    assert not it.may_return("a")


async def test_who_comes_back_never_left() -> None:
    gone: list[str] = []
    it = absences(gone)
    it.left("a", reason=0)
    it.left("b", reason=0)
    it.back("a")
    assert not it.may_return("a")
    await until(lambda: gone == ["b"])


async def test_nobody_is_given_up_while_we_are_cut_off_ourselves() -> None:
    gone: list[str] = []
    connected: list[bool] = []
    it = absences(gone, lambda: bool(connected))
    it.left("a", reason=0)
    await asyncio.sleep(0.1)
    assert gone == []
    assert it.may_return("a")
    connected.append(True)
    await until(lambda: gone == ["a"])


async def test_a_reason_that_comes_later_ends_the_waiting() -> None:
    gone: list[str] = []
    it = absences(gone)
    it.left("a", reason=0)
    it.left("a", reason=CLIENT_INITIATED)
    assert gone == ["a"]
    await asyncio.sleep(0.05)
    assert gone == ["a"]


async def test_after_the_end_nobody_leaves() -> None:
    gone: list[str] = []
    it = absences(gone)
    it.left("a", reason=0)
    it.close()
    it.close()
    await asyncio.sleep(0.05)
    assert gone == []
