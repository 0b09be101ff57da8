"""Speech that waits: not heard, not lost, and nobody else's."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import ms
from avatar_worker.session.conductor import LONGEST_HOLD, Phase
from fakes.stage import Stage


def ramp(stage: Stage, sender: str, duration: int) -> None:
    """A segment whose samples say where they belong."""
    playout = stage.conductor.playout
    segment = playout.begin(sender, sample_rate=48_000, channels=1)
    assert playout.receive(segment, (np.arange(duration) % 30_000).astype(np.int16).tobytes())
    playout.end(segment)


def test_a_pause_is_silent_and_speech_goes_on_from_the_first_sample_not_heard() -> None:
    stage = Stage()
    ramp(stage, "agent", ms(500))
    stage.run(ms(217))
    stage.hold("agent")
    handed_out = len(stage.sound)
    position = stage.conductor.playout.played
    stage.run(ms(3_000))
    assert len(stage.sound) == handed_out
    assert stage.conductor.phase is Phase.REST
    assert stage.finished == []

    stage.release("agent")
    stage.run(ms(1_000))
    parts = [pcm for _, pcm in stage.sound]
    before, after = np.concatenate(parts[:handed_out]), np.concatenate(parts[handed_out:])
    assert position < len(before), "a pause takes back what was queued"
    assert np.array_equal(np.append(before[:position], after), np.arange(ms(500)))
    assert [(f.position, f.interrupted) for f in stage.finished] == [(ms(500), False)]
    assert sum(isinstance(fact, Started) for _, fact in stage.facts) == 1


def test_the_mouth_rests_during_a_pause_and_leads_again_after_it() -> None:
    stage = Stage()
    stage.say("agent", ms(2_000))
    stage.run(ms(600))
    stage.hold("agent")
    paused_at = stage.now
    stage.run(ms(1_000))
    assert not any(s.order.speaking for s in stage.shown if s.at > paused_at)
    assert sum(s.at > paused_at for s in stage.shown) >= 24, "the face goes on living"
    stage.release("agent")
    stage.run(ms(2_000))
    after = [s for s in stage.shown if s.order.speaking and s.at > paused_at]
    assert max(abs(s.heard - s.order.speech_pts) for s in after) <= ms(2)


def test_a_clear_during_a_pause_reports_what_was_heard_and_the_pause_goes_on() -> None:
    stage = Stage()
    stage.say("agent", ms(2_000))
    stage.run(ms(600))
    stage.hold("agent")
    stage.run(ms(500))
    position = stage.conductor.playout.played
    stage.clear("agent")
    assert [(f.position, f.interrupted) for f in stage.finished] == [(position, True)]
    stage.say("agent", ms(200))
    stage.run(ms(1_000))
    assert len(stage.finished) == 1, "as with LiveKit's own output, only a resume ends it"
    stage.release("agent")
    stage.run(ms(1_000))
    assert stage.finished[1].position == ms(200)


def test_a_pause_before_the_first_word_holds_it_back() -> None:
    stage = Stage()
    stage.hold("agent")
    stage.say("agent", ms(200))
    stage.run(ms(1_000))
    assert stage.sound == []
    stage.release("agent")
    stage.run(ms(500))
    assert [f.position for f in stage.finished] == [ms(200)]


def test_who_speaks_before_a_paused_one_finishes_and_who_speaks_after_it_waits() -> None:
    stage = Stage()
    for sender, value in (("ann", 1), ("bob", 2), ("cid", 3)):
        stage.say(sender, ms(300), value=value)
    stage.run(ms(100))
    stage.hold("bob")
    stage.run(ms(2_000))
    assert [f.sender for f in stage.finished] == ["ann"]
    assert stage.conductor.phase is Phase.REST
    stage.release("bob")
    stage.run(ms(2_000))
    assert [(f.sender, f.position) for f in stage.finished[1:]] == [
        ("bob", ms(300)),
        ("cid", ms(300)),
    ]


def test_a_pause_of_somebody_silent_disturbs_nobody() -> None:
    undisturbed, stage = Stage(), Stage()
    for one in (undisturbed, stage):
        one.say("ann", ms(800))
        one.run(ms(300))
    stage.hold("bob")
    for one in (undisturbed, stage):
        one.run(ms(1_000))
    assert [at for at, _ in stage.sound] == [at for at, _ in undisturbed.sound]


def test_a_pause_whose_end_was_lost_ends_by_itself() -> None:
    stage = Stage()
    stage.say("agent", ms(600))
    stage.run(ms(200))
    stage.hold("agent")
    stage.run(LONGEST_HOLD - ms(100))
    assert stage.finished == []
    stage.hold("agent")  # asking again does not make it longer
    stage.run(ms(1_500))
    assert [(f.position, f.interrupted) for f in stage.finished] == [(ms(600), False)]


@pytest.mark.parametrize("length", [30, 50, 400])
def test_an_empty_open_segment_does_not_hold_up_the_end_of_what_comes_before(length: int) -> None:
    stage = Stage()
    stage.say("ann", ms(length))
    waiting = stage.say("bob", 0, end=False)
    stage.run(ms(length + 200))
    assert [(f.sender, f.position) for f in stage.finished] == [("ann", ms(length))]
    stage.send(waiting, ms(400), value=7)
    stage.conductor.playout.end(waiting)
    stage.run(ms(1_000))
    last = stage.finished[-1]
    assert isinstance(last, Finished)
    assert (last.sender, last.position) == ("bob", ms(400))
