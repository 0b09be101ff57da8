"""Pictures that follow the clock, one at a time and on the beat."""

from __future__ import annotations

import numpy as np

from avatar_worker.clock import Ticks, ms
from avatar_worker.face import Activity
from avatar_worker.frames import VideoFrame
from avatar_worker.session.idle_beat import EARLY, IdleBeat

FRAME = ms(40)


def picture(pts: int = 0) -> VideoFrame:
    return VideoFrame(Ticks(pts), 2, 2, np.zeros(6, np.uint8))


def drawn(beat: IdleBeat, now: int) -> VideoFrame:
    """Order a picture, and have it drawn."""
    asked = beat.order(Ticks(now), Activity.IDLE, 1)
    assert asked is not None
    frame = picture(asked[0].pts)
    beat.drawn(frame)
    return frame


def test_one_picture_is_under_way_at_a_time() -> None:
    beat = IdleBeat(FRAME)
    asked = beat.order(ms(5), Activity.LISTENING, 7)
    assert asked is not None
    order, deadline = asked
    assert (order.pts, order.speaking, order.activity) == (ms(5), False, Activity.LISTENING)
    assert (order.generation, order.cues) == (7, ())
    assert deadline == ms(5) + 2 * FRAME
    assert beat.order(ms(6), Activity.IDLE, 7) is None, "it is being drawn"
    beat.drawn(picture())
    assert beat.order(ms(7), Activity.IDLE, 7) is None, "it waits for its moment"
    assert beat.show(ms(7)) is not None
    assert beat.order(ms(8), Activity.IDLE, 7) is not None


def test_pictures_keep_the_beat_though_each_is_shown_a_little_late() -> None:
    beat = IdleBeat(FRAME)
    beat.restart(ms(100))
    moments = []
    for number in range(5):
        drawn(beat, ms(100 + 40 * number))
        due = beat.due
        assert due is not None
        moments.append(due)
        assert beat.show(Ticks(due + ms(3))) is not None
    assert moments == [ms(100 + 40 * number) for number in range(5)]


def test_a_missed_picture_begins_a_new_beat() -> None:
    beat = IdleBeat(FRAME)
    beat.restart(ms(0))
    drawn(beat, 0)
    assert beat.show(ms(90)) is not None
    drawn(beat, ms(91))
    assert beat.due == ms(130)


def test_a_picture_is_shown_no_earlier_than_timers_are_good_for() -> None:
    beat = IdleBeat(FRAME)
    beat.restart(ms(100))
    frame = drawn(beat, ms(60))
    assert beat.show(Ticks(ms(100) - EARLY - 1)) is None
    assert beat.show(Ticks(ms(100) - EARLY)) is frame
    assert beat.show(ms(200)) is None, "once"


def test_what_was_shown_instead_takes_its_turn() -> None:
    beat = IdleBeat(FRAME)
    drawn(beat, 0)
    beat.postpone(ms(10))
    assert beat.due is None
    assert beat.show(ms(500)) is None
    drawn(beat, ms(12))
    assert beat.due == ms(50)


def test_an_order_that_came_too_late_is_asked_for_again() -> None:
    beat = IdleBeat(FRAME)
    assert beat.order(ms(0), Activity.IDLE, 1) is not None
    beat.drawn(None)
    assert beat.due is None
    assert beat.order(ms(80), Activity.IDLE, 1) is not None


def test_after_a_restart_nothing_of_before_is_shown() -> None:
    beat = IdleBeat(FRAME)
    drawn(beat, 0)
    beat.restart(ms(20))
    assert beat.show(ms(100)) is None
    asked = beat.order(ms(20), Activity.IDLE, 2)
    assert asked is not None
    assert asked[0].pts == ms(20)
