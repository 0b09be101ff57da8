"""Cues that wait for a place in the speech, alone and in a session's virtual time."""

from __future__ import annotations

import pytest

from avatar_worker.clock import Ticks, ms
from avatar_worker.face import Cue, Gesture, Mood
from avatar_worker.session.timed_cues import MOST_CUES, TimedCues
from fakes.stage import Stage

NOD, SMILE, SAD = Gesture("nod"), Gesture("smile"), Mood("sad")


# -- the list ------------------------------------------------------------------------------------


def test_a_cue_is_given_once_at_its_place_or_behind_it() -> None:
    cues = TimedCues()
    assert cues.put(1, ms(100), NOD)
    assert cues.due(1, ms(80)) == ()
    assert cues.due(1, ms(120)) == (NOD,)
    assert cues.due(1, ms(160)) == ()


def test_cues_come_in_the_order_of_their_places_and_those_of_one_place_as_they_were_put() -> None:
    cues = TimedCues()
    for at, cue in ((200, SMILE), (100, SAD), (100, NOD)):
        cues.put(1, ms(at), cue)
    assert cues.due(1, ms(240)) == (SAD, NOD, SMILE)


def test_a_segment_has_its_own_cues_and_no_more_than_so_many() -> None:
    cues = TimedCues()
    assert all(cues.put(1, ms(n), NOD) for n in range(MOST_CUES))
    assert not cues.put(1, ms(1), SMILE)
    assert cues.put(2, ms(1), SMILE)
    assert cues.due(3, ms(1_000)) == ()
    assert cues.due(2, ms(1_000)) == (SMILE,)
    cues.forget(1)
    assert cues.due(1, ms(1_000)) == ()


def test_what_was_ordered_ahead_and_not_heard_is_given_again() -> None:
    cues = TimedCues()
    for number in (1, 2):
        cues.put(number, ms(50), NOD)
        cues.put(number, ms(150), SMILE)
        assert cues.due(number, ms(200)) == (NOD, SMILE)
    cues.rewind({2: ms(100)})
    assert cues.due(1, ms(500)) == (), "a segment that is over has none"
    assert cues.due(2, ms(500)) == (SMILE,)


# -- in a conversation ---------------------------------------------------------------------------


def placed(stage: Stage) -> list[tuple[int, Cue]]:
    """The cues of the pictures that were shown, each with what had been heard by then."""
    return [(shown.heard, cue) for shown in stage.shown for cue in shown.order.cues]


@pytest.mark.parametrize("at", [0, 10, 40, 500, 960])
def test_the_picture_of_a_cues_place_is_the_first_to_follow_it(at: int) -> None:
    stage = Stage()
    segment = stage.say("ann", ms(1_000))
    assert stage.conductor.cue(segment, ms(at), NOD)
    stage.run(ms(2_000))
    [(heard, cue)] = placed(stage)
    assert cue == NOD
    assert -ms(2) <= heard - ms(at) < ms(42)


def test_a_cue_of_the_second_segment_waits_for_it() -> None:
    stage = Stage()
    stage.say("ann", ms(700))
    second = stage.say("ann", ms(500))
    stage.conductor.cue(second, ms(200), NOD)
    stage.run(ms(3_000))
    [(heard, _)] = placed(stage)
    assert -ms(2) <= heard - ms(900) < ms(42)


def test_a_cue_for_a_place_that_was_heard_already_is_followed_at_once() -> None:
    stage = Stage()
    segment = stage.say("ann", ms(2_000))
    stage.run(ms(1_000))
    heard_then = stage.conductor.playout.played
    stage.conductor.cue(segment, ms(100), NOD)
    stage.run(ms(2_000))
    [(heard, _)] = placed(stage)
    assert 0 <= heard - heard_then < ms(260), "pictures are ordered ahead of the ear"


def test_a_cue_goes_with_its_segment_when_that_is_cleared() -> None:
    stage = Stage()
    segment = stage.say("ann", ms(2_000))
    stage.conductor.cue(segment, ms(1_500), NOD)
    stage.run(ms(500))
    stage.clear("ann")
    stage.say("ann", ms(2_000))
    stage.run(ms(3_000))
    assert placed(stage) == []
    assert not stage.conductor.cue(segment, ms(1_500), NOD), "it is over"


def test_a_cue_survives_that_somebody_else_is_interrupted() -> None:
    stage = Stage()
    mine = stage.say("ann", ms(1_000))
    stage.say("bob", ms(1_000))
    stage.conductor.cue(mine, ms(500), NOD)
    stage.run(ms(420))  # the picture of 500 ms is ordered, and not shown
    stage.clear("bob")
    stage.run(ms(2_000))
    assert [cue for _, cue in placed(stage)] == [NOD]


def test_a_cue_waits_while_its_speech_is_held() -> None:
    stage = Stage()
    segment = stage.say("ann", ms(1_000))
    stage.conductor.cue(segment, ms(600), NOD)
    stage.run(ms(300))
    stage.hold("ann")
    stage.run(ms(2_000))
    assert placed(stage) == []
    stage.release("ann")
    stage.run(ms(2_000))
    [(heard, _)] = placed(stage)
    assert -ms(2) <= heard - ms(600) < ms(42)


def test_nothing_of_a_segment_that_is_over_is_kept() -> None:
    stage = Stage()
    segment = stage.say("ann", ms(300))
    stage.conductor.cue(segment, ms(100), NOD)
    stage.conductor.cue(segment, Ticks(ms(5_000)), SMILE)
    stage.run(ms(1_000))
    assert stage.conductor._cues._cues == {}
    assert not stage.conductor.cue(segment, ms(100), NOD)
