"""Random conversations in virtual time: two senders, a network and a renderer, against a naive model.

The promises: one `finished` for each segment, in each sender's order, whatever happens; the position is
what was heard; a clear silences its sender and nobody else; sound is played once, in order, unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import Ticks, ms
from avatar_worker.session.conductor import Phase
from fakes.stage import Stage

SENDERS = ("ann", "bob")
DURATIONS = st.sampled_from([1, 20, 39, 40, 41, 80, 200, 515, 1_000, 3_000])
WAITS = st.sampled_from([1, 5, 20, 40, 100, 250, 700, 2_000])


@dataclass
class Segment:
    """What a sender remembers of one segment."""

    id: int
    sender: str
    sent: int = 0
    open: bool = True
    cleared: bool = False
    vanished: bool = False
    started: int = 0
    ends: list[Finished] = field(default_factory=list)


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.segments: dict[int, Segment] = {}
        self.told: dict[str, list[int]] = {sender: [] for sender in SENDERS}
        self.held: set[str] = set()
        self.read = 0

    @initialize(delay=st.sampled_from([4, 12, 35]), stall_at=st.integers(5, 400))
    def a_renderer_with_one_stall(self, delay: int, stall_at: int) -> None:
        self.stage.render = lambda number: ms(300 if number == stall_at else delay)

    def mine(self, sender: str, *, open_only: bool = False) -> list[Segment]:
        return [
            s for s in self.segments.values() if s.sender == sender and (s.open or not open_only)
        ]

    def listen(self) -> None:
        """Take the reports that were sent since."""
        for _, fact in self.stage.facts[self.read :]:
            segment = self.segments[fact.segment_id]
            assert fact.sender == segment.sender
            if isinstance(fact, Started):
                segment.started += 1
            else:
                segment.ends.append(fact)
                self.told[segment.sender].append(segment.id)
        self.read = len(self.stage.facts)

    # -- what people do --------------------------------------------------------------------

    @rule(sender=st.sampled_from(SENDERS), milliseconds=DURATIONS, burst=st.booleans())
    def somebody_speaks(self, sender: str, milliseconds: int, burst: bool) -> None:
        for older in self.mine(sender, open_only=True):
            older.open = False  # its trailer is lost, or comes late
        value = 1 + SENDERS.index(sender)
        segment_id = self.stage.say(sender, ms(milliseconds), end=burst, value=value)
        self.segments[segment_id] = Segment(segment_id, sender, ms(milliseconds), open=not burst)

    @rule(sender=st.sampled_from(SENDERS))
    def somebody_sends_nothing(self, sender: str) -> None:
        for older in self.mine(sender, open_only=True):
            older.open = False
        segment_id = self.stage.say(sender, 0)
        self.segments[segment_id] = Segment(segment_id, sender, 0, open=False)

    @precondition(lambda self: any(s.open for s in self.segments.values()))
    @rule(data=st.data(), milliseconds=DURATIONS)
    def an_open_segment_goes_on(self, data: st.DataObject, milliseconds: int) -> None:
        segment = data.draw(st.sampled_from([s for s in self.segments.values() if s.open]))
        value = 1 + SENDERS.index(segment.sender)
        self.stage.send(segment.id, ms(milliseconds), value=value)
        segment.sent += ms(milliseconds)

    @precondition(lambda self: bool(self.segments))
    @rule(data=st.data())
    def a_trailer_comes(self, data: st.DataObject) -> None:
        """In time, late, twice, or for a segment that was cleared long ago."""
        segment = data.draw(st.sampled_from(list(self.segments.values())))
        self.stage.conductor.playout.end(segment.id)
        segment.open = False

    @rule(sender=st.sampled_from(SENDERS), times=st.integers(1, 2))
    def somebody_barges_in(self, sender: str, times: int) -> None:
        self.listen()
        other = next(s for s in SENDERS if s != sender)
        before = {s.id: len(s.ends) for s in self.mine(other)}
        unfinished = [s for s in self.mine(sender) if not s.ends and not s.vanished]
        for _ in range(times):
            self.stage.clear(sender)
        self.listen()
        for segment in unfinished:
            segment.open, segment.cleared = False, True
            assert len(segment.ends) == 1
        assert all(
            not end.interrupted for s in self.mine(other) for end in s.ends[before[s.id] :]
        ), "a clear cut somebody else short"

    @rule(sender=st.sampled_from(SENDERS))
    def somebody_vanishes(self, sender: str) -> None:
        """And may speak again under the same identity, as after a reconnect."""
        self.listen()
        for segment in self.mine(sender):
            segment.open = False
            segment.vanished |= not segment.ends
        other = next(s for s in SENDERS if s != sender)
        before = {s.id: len(s.ends) for s in self.mine(other)}
        self.stage.vanish(sender)
        self.held.discard(sender)
        self.listen()
        assert all(
            not end.interrupted for s in self.mine(other) for end in s.ends[before[s.id] :]
        ), "a leave cut somebody else short"

    @rule(sender=st.sampled_from(SENDERS))
    def somebody_pauses(self, sender: str) -> None:
        self.stage.hold(sender)
        self.held.add(sender)
        self.listen()

    @rule(sender=st.sampled_from(SENDERS))
    def somebody_goes_on(self, sender: str) -> None:
        self.stage.release(sender)
        self.held.discard(sender)

    @precondition(lambda self: bool(self.held))
    @rule(milliseconds=WAITS)
    def a_pause_lasts(self, milliseconds: int) -> None:
        facts = len(self.stage.facts)
        self.stage.run(ms(milliseconds))
        self.listen()
        assert all(
            fact.sender not in self.held or (isinstance(fact, Finished) and fact.position == 0)
            for _, fact in self.stage.facts[facts:]
        ), "a paused voice was heard"

    @precondition(lambda self: bool(self.segments))
    @rule(data=st.data())
    def bytes_of_a_cleared_segment_arrive(self, data: st.DataObject) -> None:
        over = [s for s in self.segments.values() if s.cleared or s.vanished or s.ends]
        if over:
            segment = data.draw(st.sampled_from(over))
            assert not self.stage.conductor.playout.receive(segment.id, b"\0\0" * 100)

    @rule(milliseconds=WAITS)
    def time_passes(self, milliseconds: int) -> None:
        self.stage.run(ms(milliseconds))
        self.listen()

    # -- what must hold --------------------------------------------------------------------

    @invariant()
    def nothing_is_told_twice_and_positions_are_true(self) -> None:
        self.listen()
        for segment in self.segments.values():
            assert segment.started <= 1
            assert len(segment.ends) <= 1
            for end in segment.ends:
                assert 0 <= end.position <= segment.sent
                assert (end.position > 0) == (segment.started == 1)
                if not end.interrupted:
                    assert end.position == segment.sent

    @invariant()
    def each_sender_is_told_in_its_own_order(self) -> None:
        assert all(ids == sorted(ids) for ids in self.told.values())

    @invariant()
    def the_mouth_never_runs_away_from_the_voice(self) -> None:
        for shown in self.stage.shown[-3:]:
            if shown.order.speaking:
                assert -ms(2) <= shown.heard - shown.order.speech_pts <= ms(330)

    def teardown(self) -> None:
        """Everybody falls silent: every segment must come to its end, once."""
        for segment in self.segments.values():
            self.stage.conductor.playout.end(segment.id)
        for sender in SENDERS:
            self.stage.release(sender)
        total = sum(s.sent for s in self.segments.values())
        self.stage.run(Ticks(total + ms(1_000) * (1 + len(self.segments))))
        self.listen()
        assert all(len(s.ends) == (not s.vanished) for s in self.segments.values())
        assert self.stage.conductor.phase is Phase.REST
        for sender in SENDERS:
            uncut = [s for s in self.mine(sender) if s.ends and not s.ends[0].interrupted]
            assert sum(s.ends[0].position for s in uncut) == sum(s.sent for s in uncut)
        assert self.stage.conductor.playout.empty


Conversation.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, print_blob=True
)
TestConversation = Conversation.TestCase


class ManyConversations(Conversation):
    """The same model at length, with `-m soak`."""


ManyConversations.TestCase.settings = settings(
    max_examples=10_000, stateful_step_count=30, deadline=None, print_blob=True
)
TestTenThousandConversations = pytest.mark.soak(
    pytest.mark.timeout(7_200)(ManyConversations.TestCase)
)


def test_two_senders_are_heard_sample_by_sample_in_the_order_of_their_headers() -> None:
    stage = Stage()
    stage.say("ann", ms(400), value=3_000)
    stage.say("bob", ms(400), value=-3_000)
    stage.run(ms(1_500))
    pcm = np.concatenate([pcm for _, pcm in stage.sound])
    assert np.all(pcm[1_000 : ms(400) - 1_000] > 2_900)
    assert np.all(pcm[ms(400) + 1_000 : ms(800) - 1_000] < -2_900)
