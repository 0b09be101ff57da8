"""The level of a queue that drains in packets, told by a clock that drains evenly."""

from __future__ import annotations

from hypothesis import given, strategies as st

from avatar_worker.clock import Ticks, ms
from avatar_worker.room.queue_level import BEHIND, QueueLevel

CAPACITY = ms(60)


def level(now: int = 0) -> QueueLevel:
    return QueueLevel(CAPACITY, Ticks(now))


def test_an_empty_queue_holds_nothing_however_long_one_waits() -> None:
    it = level()
    assert it.queued(Ticks(0)) == 0
    assert it.queued(ms(5_000)) == 0


def test_what_was_just_written_is_there_and_no_more() -> None:
    it = level()
    it.write(ms(100), ms(40))
    assert it.queued(ms(100)) == ms(40)


def test_sound_leaves_a_little_later_than_the_clock_says() -> None:
    it = level()
    it.write(ms(100), ms(40))
    assert it.queued(ms(120)) == ms(25)
    assert it.queued(ms(139)) == ms(6)
    assert it.queued(ms(140)) == 0


def test_asking_changes_nothing_and_the_delay_does_not_add_up() -> None:
    it = level()
    for number in range(100):
        it.queued(ms(40 * number + 20))
        it.write(ms(40 * number + 20), ms(40))
    assert it.queued(ms(40 * 99 + 20)) == ms(40)


def test_what_has_left_never_comes_back_while_more_is_written() -> None:
    it = level()
    pushed, gone = 0, 0
    for at in range(0, 2_000):
        if at % 40 == 0:
            it.write(ms(at), ms(40) + (ms(20) if at == 0 else 0))
            pushed += ms(40) + (ms(20) if at == 0 else 0)
        assert pushed - it.queued(ms(at)) >= gone
        gone = pushed - it.queued(ms(at))
    assert gone == pushed - ms(20 + 1 + 5)


def test_a_queue_that_let_its_writer_wait_is_full() -> None:
    it = level()
    it.write(ms(0), ms(90))
    it.filled(ms(31))
    assert it.queued(ms(31)) == CAPACITY + BEHIND
    assert it.queued(ms(51)) == ms(45)


def test_a_clear_leaves_nothing_of_it() -> None:
    it = level()
    it.write(ms(0), ms(40))
    it.clear(ms(10))
    assert it.queued(ms(10)) == 0
    it.write(ms(12), ms(20))
    assert it.queued(ms(12)) == ms(20)


@given(
    writes=st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 1_920)), max_size=20),
    later=st.lists(st.integers(0, 2_000), min_size=1, max_size=20),
)
def test_it_falls_with_time_and_stays_near_an_even_drain(
    writes: list[tuple[int, int]], later: list[int]
) -> None:
    it = level()
    now = even = 0
    for wait, length in writes:
        now, even = now + wait, max(0, even - wait) + length
        it.write(Ticks(now), length)
    before = it.queued(Ticks(now))
    assert even <= before <= even + BEHIND
    for wait in later:
        now, even = now + wait, max(0, even - wait)
        queued = it.queued(Ticks(now))
        assert even <= queued <= min(before, even + BEHIND)
        assert (queued == 0) == (even == 0)
        before = queued
