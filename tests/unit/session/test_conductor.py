"""Pictures follow the sound, in virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import Ticks, ms
from avatar_worker.session.conductor import FIRST_PICTURE_WAIT, Phase
from fakes.stage import Stage

FRAME = ms(40)


def gaps(stage: Stage, since: int = 0) -> list[int]:
    times = [s.at for s in stage.shown if s.at >= since]
    return [b - a for a, b in zip(times, times[1:], strict=False)]


def test_idle_pictures_keep_25_a_second() -> None:
    stage = Stage()
    stage.run(ms(4_000))
    assert 98 <= len(stage.shown) <= 101
    assert max(gaps(stage, ms(200))) <= ms(42)


def test_speech_starts_with_its_first_picture() -> None:
    stage = Stage()
    stage.run(ms(500))
    stage.say("agent", ms(1_000))
    stage.run(ms(1_500))

    first = next(s for s in stage.shown if s.order.speaking)
    first_sound = stage.sound[0][0]
    assert first.order.speech_pts == 0
    assert abs(first.at - first_sound) <= ms(3)
    assert first_sound - ms(500) <= ms(12), "bursty speech waits for one picture only"


def test_each_picture_is_shown_when_its_place_in_the_speech_is_heard() -> None:
    stage = Stage()
    stage.say("agent", ms(4_000))
    stage.run(ms(5_000))

    speaking = [s for s in stage.shown if s.order.speaking]
    assert len(speaking) == 100
    skew = [s.heard - s.order.speech_pts for s in speaking]
    assert min(skew) >= -ms(2)
    assert max(skew) <= ms(2)


@pytest.mark.parametrize("stalled", [False, True])
def test_pictures_may_be_shown_a_while_after_their_sound(stalled: bool) -> None:
    stage = Stage(
        render=lambda number: ms(250) if stalled and 40 <= number < 43 else ms(8), lag=ms(30)
    )
    stage.run(ms(500))
    stage.say("agent", ms(4_000))
    stage.run(ms(5_000))

    assert stage.sound[0][0] - ms(500) <= ms(12), "the sound does not wait for it"
    speaking = [s for s in stage.shown if s.order.speaking]
    assert len(speaking) >= (90 if stalled else 100)
    skew = [s.heard - s.order.speech_pts for s in speaking if not stalled or s.at > ms(3_000)]
    assert min(skew) >= ms(28)
    assert max(skew) <= ms(32)
    assert [f.position for f in stage.finished] == [ms(4_000)]


def test_a_picture_that_waits_for_its_sound_is_not_shown_after_a_clear() -> None:
    stage = Stage(lag=ms(30))
    stage.say("agent", ms(5_000))
    stage.run(ms(1_000))
    cleared_at = stage.now
    stage.clear("agent")
    stage.run(ms(500))
    after = [s for s in stage.shown if s.at > cleared_at]
    assert not any(s.order.speaking for s in after)
    assert after[0].at - cleared_at <= ms(12)


def test_a_stalled_renderer_loses_pictures_but_no_sound_and_leaves_no_skew() -> None:
    stage = Stage(render=lambda number: ms(250) if 40 <= number < 43 else ms(8))
    stage.say("agent", ms(4_000))
    stage.run(ms(5_000))

    starts = [at for at, _ in stage.sound]
    assert all(b - a == len(pcm) for (a, pcm), b in zip(stage.sound, starts[1:], strict=False))
    late = [s for s in stage.shown if s.order.speaking and s.at > ms(2_500)]
    assert late
    assert all(abs(s.heard - s.order.speech_pts) <= ms(2) for s in late)
    assert stage.conductor.tally.late > 0


def test_sound_does_not_wait_long_for_a_first_picture_that_never_comes() -> None:
    stage = Stage(render=lambda number: ms(10_000) if number >= 3 else ms(8))
    stage.run(ms(50))
    stage.say("agent", ms(500))
    stage.run(ms(1_000))
    assert stage.sound[0][0] <= ms(50) + FIRST_PICTURE_WAIT + ms(2)
    assert [f.interrupted for f in stage.finished] == [False]


def test_started_comes_with_the_first_sample_and_finished_after_the_last() -> None:
    stage = Stage()
    stage.say("agent", ms(1_000))
    stage.run(ms(1_500))

    (started_at, started), (finished_at, finished) = stage.facts
    assert isinstance(started, Started)
    assert started_at - stage.sound[0][0] <= ms(41)
    assert finished == Finished(1, "agent", ms(1_000), interrupted=False)
    last_at, last = stage.sound[-1]
    assert 0 <= finished_at - (last_at + len(last)) <= ms(2)
    assert stage.conductor.phase is Phase.REST


def test_a_clear_reports_what_was_heard_and_not_what_was_pushed() -> None:
    stage = Stage()
    stage.say("agent", ms(5_000))
    stage.run(ms(1_000))
    pushed = stage.conductor.playout.pushed
    heard = pushed - stage.queue
    stage.clear("agent")

    assert stage.finished == [Finished(1, "agent", Ticks(heard), interrupted=True)]
    assert heard < pushed


def test_after_a_clear_the_next_picture_closes_the_mouth_at_once() -> None:
    stage = Stage()
    stage.say("agent", ms(5_000))
    stage.run(ms(1_000))
    cleared_at = stage.now
    stage.clear("agent")
    stage.run(ms(500))

    after = [s for s in stage.shown if s.at > cleared_at]
    assert not any(s.order.speaking for s in after)
    assert after[0].at - cleared_at <= ms(12)
    assert not [at for at, _ in stage.sound if at > cleared_at + ms(60)]


def test_a_clear_of_one_sender_leaves_the_other_its_speech() -> None:
    stage = Stage()
    stage.say("ann", ms(300), value=1)
    stage.say("bob", ms(600), value=2)
    stage.run(ms(280))
    stage.clear("ann")
    stage.run(ms(1_500))

    ann, bob = stage.finished
    assert (ann.sender, ann.interrupted) == ("ann", True)
    assert bob == Finished(2, "bob", ms(600), interrupted=False)


def test_new_speech_after_a_clear_is_new_to_the_net() -> None:
    stage = Stage()
    stage.say("agent", ms(3_000))
    stage.run(ms(500))
    stage.clear("agent")
    stage.run(ms(100))
    stage.say("agent", ms(500))
    stage.run(ms(1_000))

    second = [s.order for s in stage.shown if s.order.speaking and s.order.generation == 1]
    assert second[0].restart
    assert len(second[0].analysis) == 1_280
    assert stage.finished[-1] == Finished(2, "agent", ms(500), interrupted=False)


def test_segments_follow_each_other_without_a_hole() -> None:
    stage = Stage()
    stage.say("agent", ms(515))
    stage.say("agent", ms(515))
    stage.run(ms(2_000))

    ends = [(at, at + len(pcm)) for at, pcm in stage.sound]
    assert all(b[0] == a[1] for a, b in zip(ends, ends[1:], strict=False))
    assert [f.position for f in stage.finished] == [ms(515), ms(515)]


def test_a_segment_that_arrives_while_the_last_one_rings_out_is_not_lost() -> None:
    stage = Stage()
    stage.say("agent", ms(515))
    stage.run(ms(480))
    stage.say("agent", ms(400))
    stage.run(ms(1_500))
    assert [(f.position, f.interrupted) for f in stage.finished] == [
        (ms(515), False),
        (ms(400), False),
    ]


def test_a_slow_sender_is_waited_for_while_the_face_lives_on() -> None:
    stage = Stage()
    segment = stage.say("agent", ms(400), end=False)
    stage.run(ms(1_500))
    assert stage.conductor.phase is Phase.REST
    assert not stage.finished
    idle = [s for s in stage.shown if ms(600) < s.at < ms(1_500)]
    assert len(idle) >= 20
    assert not any(s.order.speaking for s in idle)

    stage.send(segment, ms(600))
    stage.conductor.playout.end(segment)
    stage.run(ms(1_500))
    assert stage.finished == [Finished(segment, "agent", ms(1_000), interrupted=False)]
    resumed = [s.order for s in stage.shown if s.order.speaking and s.at > ms(1_500)]
    assert not resumed[0].restart, "the net goes on where it was"


def test_a_live_sender_is_played_without_starving() -> None:
    stage = Stage()
    segment = stage.conductor.playout.begin("live", sample_rate=16_000, channels=1)
    for _ in range(100):
        stage.send(segment, ms(20))
        stage.run(ms(20))
    stage.conductor.playout.end(segment)
    stage.run(ms(500))
    assert stage.conductor.tally.starved <= 1
    assert stage.finished == [Finished(segment, "live", ms(2_000), interrupted=False)]


@pytest.mark.parametrize("samples", [1, 7, 160, 640, 641])
def test_the_shortest_segments_are_heard_and_finished(samples: int) -> None:
    stage = Stage()
    stage.say("agent", samples * 3)
    stage.run(ms(500))
    assert [f.position for f in stage.finished] == [samples * 3]
    assert sum(len(pcm) for _, pcm in stage.sound) == samples * 3


def test_an_empty_segment_is_finished_and_never_started() -> None:
    stage = Stage()
    stage.say("agent", 0)
    stage.run(ms(100))
    assert [fact for _, fact in stage.facts] == [Finished(1, "agent", ms(0), interrupted=False)]


def test_clearing_silence_reports_nothing() -> None:
    stage = Stage()
    stage.run(ms(100))
    stage.clear("agent")
    stage.run(ms(100))
    assert stage.facts == []


def test_three_queued_segments_are_cleared_in_order() -> None:
    stage = Stage()
    for _ in range(3):
        stage.say("agent", ms(1_000))
    stage.run(ms(400))
    stage.clear("agent")
    assert [(f.segment_id, f.position > 0, f.interrupted) for f in stage.finished] == [
        (1, True, True),
        (2, False, True),
        (3, False, True),
    ]


def test_the_sound_is_what_was_sent() -> None:
    stage = Stage()
    stage.say("agent", ms(777), value=1_000)
    stage.run(ms(1_500))
    pcm = np.concatenate([pcm for _, pcm in stage.sound])
    assert len(pcm) == ms(777)
    middle = pcm[2_000:-2_000]
    assert np.abs(middle - 1_000).max() <= 2
