from __future__ import annotations

import numpy as np
import pytest

from avatar_worker.audio import Finished, PlayoutBuffer, SpeechDoor, Started
from avatar_worker.audio.segment import Segment
from avatar_worker.clock import Ticks, ms
from avatar_worker.errors import PeerError


def segment(rate: int = 16_000) -> Segment:
    return Segment(1, "ann", SpeechDoor(rate, 1), bytes_per_second=2 * rate)


def ramp(samples: int) -> bytes:
    return (np.arange(samples) % 2_000).astype("<i2").tobytes()


def test_bytes_are_resampled_only_when_somebody_reads() -> None:
    it = segment()
    it.receive(ramp(160_000))
    assert it.length == 0
    assert it.waiting == ms(10_000)
    it.take_sound(1_920)
    assert 1_920 <= it.length < ms(600)


def test_both_readers_get_the_same_moments_whoever_reads_first() -> None:
    first, second = segment(), segment()
    for it in (first, second):
        it.receive(ramp(3_200))
        it.ended = True
    sound_first = (first.take_sound(9_600), first.take_analysis(3_200))
    analysis_first = (second.take_analysis(3_200), second.take_sound(9_600))
    np.testing.assert_array_equal(sound_first[0], analysis_first[1])
    np.testing.assert_array_equal(sound_first[1], analysis_first[0])


def test_what_was_not_heard_can_be_taken_again() -> None:
    it = segment()
    it.receive(ramp(16_000))
    heard = it.take_sound(4_800)
    taken = it.take_sound(4_800)
    it.played = 4_800
    it.rewind()
    np.testing.assert_array_equal(it.take_sound(4_800), taken)
    assert len(heard) == 4_800


def test_heard_samples_are_given_back() -> None:
    it = segment()
    it.receive(ramp(16_000 * 20))
    held = 0
    for _ in range(400):
        it.take_sound(1_920)
        it.take_analysis(640)
        it.played = it.pushed
        it.forget_played()
        held = max(held, it._sound._data.nbytes)
    assert held < 2 * ms(1_000)


def test_a_sender_that_is_ten_minutes_ahead_has_its_segment_ended() -> None:
    buffer = PlayoutBuffer(capacity=ms(1_000))
    segment_id = buffer.begin("ann", sample_rate=16_000, channels=1)
    for _ in range(11):
        taken = buffer.receive(segment_id, ramp(1_600))
    assert taken
    assert not buffer.receive(segment_id, ramp(1_600))
    assert not buffer.is_open(segment_id)
    while len(buffer.take_sound(Ticks(48_000))):
        pass
    events = buffer.advance(buffer.pushed)
    assert events == [
        Started(segment_id, "ann"),
        Finished(segment_id, "ann", ms(1_100), interrupted=False),
    ]


def test_a_newer_segment_ends_the_older_one_of_the_same_sender() -> None:
    buffer = PlayoutBuffer(capacity=ms(10_000))
    older = buffer.begin("ann", sample_rate=16_000, channels=1)
    other = buffer.begin("bob", sample_rate=16_000, channels=1)
    newer = buffer.begin("ann", sample_rate=16_000, channels=1)
    assert [buffer.is_open(i) for i in (older, other, newer)] == [False, True, True]


def test_too_many_waiting_segments_are_refused() -> None:
    buffer = PlayoutBuffer(capacity=ms(10_000))
    for _ in range(64):
        buffer.begin("ann", sample_rate=16_000, channels=1)
    with pytest.raises(PeerError, match="64 segments"):
        buffer.begin("ann", sample_rate=16_000, channels=1)
    buffer.begin("bob", sample_rate=16_000, channels=1)


def test_the_net_looks_into_silence_behind_the_last_word() -> None:
    buffer = PlayoutBuffer(capacity=ms(10_000))
    segment_id = buffer.begin("ann", sample_rate=16_000, channels=1)
    buffer.receive(segment_id, np.full(640, 5_000, "<i2").tobytes())
    assert buffer.take_analysis(1_280) is None, "more may come"
    buffer.end(segment_id)
    analysis = buffer.take_analysis(1_920)
    assert analysis is not None
    assert np.abs(analysis[:600]).min() > 0.1
    assert np.abs(analysis[700:]).max() == 0


def test_the_silence_is_played_only_when_more_speech_follows() -> None:
    buffer = PlayoutBuffer(capacity=ms(10_000))
    first = buffer.begin("ann", sample_rate=16_000, channels=1)
    buffer.receive(first, ramp(640))
    buffer.end(first)
    buffer.take_analysis(1_920)
    assert len(buffer.take_sound(Ticks(48_000))) == 1_920
    second = buffer.begin("ann", sample_rate=16_000, channels=1)
    buffer.receive(second, ramp(640))
    buffer.end(second)
    assert len(buffer.take_sound(Ticks(48_000))) == 3_840 + 1_920
