"""Pairs pictures with sound. Pure: told the time and what was heard, it says what to do.

Sound is the master. A picture belongs to a place in the speech and is shown when that place is
heard; it may be late or missing, the sound never waits for it (but for the first one of an
utterance, a little). Between utterances pictures follow the clock.

    REST ──speech is there──> PREPARING ──first picture drawn──> SOUNDING ──all heard──> REST
      ^                          │                                  │
      └──────────clear───────────┴────────────clear, starved────────┘
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.audio import Finished, PlayoutBuffer, Started
from avatar_worker.audio.segment import TICKS_PER_ANALYSIS_SAMPLE
from avatar_worker.clock import Ticks, ms
from avatar_worker.engine import PictureOrder
from avatar_worker.face import Activity, Cue
from avatar_worker.frames import VideoFrame

from .idle_beat import EARLY, IdleBeat
from .step import Step, Tally
from .timed_cues import TimedCues

PREFETCH: Final = ms(160)
"""Pictures are ordered this far ahead of the ear; more than the sound track's queue."""
FIRST_PICTURE_WAIT: Final = ms(60)
"""An utterance starts without its first picture after this long."""
STARVED_CUSHION: Final = ms(160)
"""After running dry inside a segment, wait for this much before going on."""
LONGEST_HOLD: Final = ms(60_000)
"""A sender that has not let go of its speech by then has lost its call."""


class Phase(StrEnum):
    """What the conductor is doing."""

    REST = "rest"
    """Nothing to say, or the sender is slower than speech."""
    PREPARING = "preparing"
    """The first picture is being drawn; the sound is held back for it."""
    SOUNDING = "sounding"
    """Sound is playing, pictures follow it."""


class Conductor:
    """One session's speech, pictures and reports."""

    def __init__(self, *, frame: Ticks, look_ahead: Ticks, capacity: Ticks, lag: int = 0) -> None:
        self.playout = PlayoutBuffer(capacity=capacity)
        self.activity = Activity.IDLE
        self.phase = Phase.REST
        self.tally = Tally()
        self._frame = frame
        self._look_ahead = look_ahead
        self._lag = lag  # how long after its sound a picture is shown
        self._generation = 0
        self._continues = False
        self._restart = True
        self._prepared_at = Ticks(0)
        self._next_order = 0
        self._shown_to = 0
        self._drawn: dict[int, VideoFrame] = {}
        self._awaited: set[int] = set()
        self._idle = IdleBeat(frame)
        self._held: dict[str, Ticks] = {}
        self._cues = TimedCues()

    # -- what happens ------------------------------------------------------------------------

    def picture(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        """Take an order's answer; None if it came too late to be drawn."""
        if order.generation != self._generation:
            return
        if order.speaking:
            if order.speech_pts not in self._awaited:
                return
            self._awaited.remove(order.speech_pts)
            if frame is None or order.speech_pts < self._shown_to:
                self.tally.late += 1
            else:
                self._drawn[order.speech_pts] = frame
        else:
            self._idle.drawn(frame)
            self.tally.late += frame is None

    def clear(self, sender: str, now: Ticks, heard: int) -> list[Started | Finished]:
        """Drop what one sender has sent. The sound track must be emptied with it.

        Args:
            sender: Whose speech is over.
            now: The time.
            heard: What had left the sound track before it was emptied.
        """
        self.tally.clears += 1
        reports = self._advance(heard)
        dropped = self.playout.clear(sender)
        self._rest(now)
        return [*reports, *dropped]

    def hold(self, sender: str, now: Ticks, heard: int) -> tuple[list[Started | Finished], bool]:
        """Keep one sender's speech waiting, from the first sample that was not heard.

        Returns:
            What happened so far, and whether the sound track must be emptied.
        """
        self._held.setdefault(sender, now)
        reports = self._advance(heard)
        taken_back = self.playout.hold(sender)
        if taken_back:
            self._rest(now)
        return reports, taken_back

    def release(self, sender: str) -> None:
        """Go on with a held sender's speech. Unknown senders are ignored."""
        if self._held.pop(sender, None) is not None:
            self.playout.release(sender)

    def cue(self, segment_id: int, at: Ticks, cue: Cue) -> bool:
        """Let the face follow a cue at a place of a segment; False if it is over or has too many."""
        return segment_id in self.playout.unfinished() and self._cues.put(segment_id, at, cue)

    def clear_all(self, now: Ticks, heard: int) -> list[Started | Finished]:
        """Drop everybody's speech: the session ends."""
        reports = self._advance(heard)
        dropped = self.playout.clear_all()
        self._rest(now)
        return [*reports, *dropped]

    def _advance(self, heard: int) -> list[Started | Finished]:
        reports = self.playout.advance(heard)
        for report in reports:
            if isinstance(report, Finished):
                self._cues.forget(report.segment_id)
        return reports

    def _rest(self, now: Ticks) -> None:
        self.phase = Phase.REST
        self._continues = False
        self._restart = True
        self._generation += 1
        self._drawn.clear()
        self._awaited.clear()
        self._idle.restart(now)
        self._cues.rewind(self.playout.unfinished())

    # -- what to do --------------------------------------------------------------------------

    def step(self, now: Ticks, queued: Ticks) -> Step:
        """Decide.

        Args:
            now: The time.
            queued: Sound handed out and not yet heard.
        """
        heard = self.playout.pushed - queued
        reports = self._advance(heard)
        for sender in [s for s, since in self._held.items() if now - since >= LONGEST_HOLD]:
            self.release(sender)
        self._change_phase(now)
        heard = self.playout.played
        orders = self._speech_orders(now, heard)
        show = self._speech_picture(heard)
        if show is not None:
            self._idle.postpone(now)
        elif self._pictures_follow_the_clock():
            show = self._idle.show(now)
        if self._pictures_follow_the_clock():
            sounding = self.phase is Phase.SOUNDING
            activity = Activity.SPEAKING if sounding else self.activity
            if order := self._idle.order(now, activity, self._generation):
                orders.append(order)
        self.tally.shown += show is not None
        return Step(reports, orders, show, self._wake_at(now, heard))

    def sound(self) -> npt.NDArray[np.int16] | None:
        """Take the next slice of sound, at most one frame long; None: not now."""
        room = self._next_order - self.playout.pushed
        if self.phase is not Phase.SOUNDING or room <= 0:
            return None
        pcm = self.playout.take_sound(min(self._frame, room))
        return pcm if len(pcm) else None

    @property
    def sounding(self) -> bool:
        """Whether speech is being played."""
        return self.phase is Phase.SOUNDING

    def _change_phase(self, now: Ticks) -> None:
        if self.phase is Phase.REST:
            needed = STARVED_CUSHION if self._continues else self._look_ahead
            there, is_all = self.playout.ahead(Ticks(needed + self._frame))
            if there and (there >= needed or is_all):
                self.phase = Phase.PREPARING
                self._prepared_at = now
                self._next_order = self.playout.pushed
                self._shown_to = self._next_order
        elif self.phase is Phase.PREPARING:
            waited = now - self._prepared_at
            if self._drawn or (waited >= FIRST_PICTURE_WAIT and self._awaited):
                self.phase = Phase.SOUNDING
        elif self.playout.played == self.playout.pushed:
            if self.playout.ahead(ms(1)) == (0, True):
                self.playout.settle()
                self._leave_sounding(continues=False)
            elif self.playout.pushed == self._next_order and not self._drawable(self._next_order):
                self._leave_sounding(continues=True)
                self.tally.starved += 1

    def _leave_sounding(self, *, continues: bool) -> None:
        self.phase = Phase.REST
        self._continues = continues
        self._restart = not continues
        self._drawn.clear()
        self._awaited.clear()

    def _speech_orders(self, now: Ticks, heard: int) -> list[tuple[PictureOrder, Ticks]]:
        orders: list[tuple[PictureOrder, Ticks]] = []
        if self.phase is Phase.REST:
            return orders
        while self._next_order - heard < PREFETCH and self._drawable(self._next_order):
            place = self._next_order
            wanted = place + self._look_ahead - self.playout.fed
            analysis = self.playout.take_analysis(wanted // TICKS_PER_ANALYSIS_SAMPLE)
            if analysis is None:
                break
            shown_at = Ticks(now + place + self._lag - heard)
            order = PictureOrder(
                pts=shown_at,
                speaking=True,
                analysis=analysis,
                restart=self._restart,
                activity=Activity.SPEAKING,
                speech_pts=place,
                generation=self._generation,
                cues=self._cues.due(*self.playout.place(place)),
            )
            orders.append((order, Ticks(shown_at + self._frame)))
            self._restart = False
            self._awaited.add(place)
            self._next_order += self._frame
        return orders

    def _drawable(self, place: int) -> bool:
        """Whether there is speech at `place`, and the net could look ahead from there."""
        distance = place - self.playout.pushed
        wanted = distance + self._look_ahead
        there, is_all = self.playout.ahead(Ticks(wanted))
        return there >= wanted or (is_all and there > distance)

    def _speech_picture(self, heard: int) -> VideoFrame | None:
        if self.phase is not Phase.SOUNDING:
            return None
        due = sorted(place for place in self._drawn if place + self._lag <= heard + EARLY)
        if not due:
            return None
        frames = [self._drawn.pop(place) for place in due]
        self._shown_to = due[-1]
        self.tally.late += len(due) - 1
        return frames[-1]

    def _pictures_follow_the_clock(self) -> bool:
        return not self._drawn and not (self.phase is Phase.SOUNDING and self._awaited)

    def _wake_at(self, now: Ticks, heard: int) -> Ticks:
        times = [now + self._frame]
        if self.phase is Phase.PREPARING:
            times.append(self._prepared_at + FIRST_PICTURE_WAIT)
        if self.phase is Phase.SOUNDING:
            times += [now + place + self._lag - heard for place in self._drawn]
            left, is_all = self.playout.ahead(self._frame)
            if is_all and not left:
                times.append(now + self.playout.pushed - heard)
        if (due := self._idle.due) is not None:
            times.append(due)
        return Ticks(max(now + ms(1), min(times)))
