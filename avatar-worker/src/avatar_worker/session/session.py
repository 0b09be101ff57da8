"""One avatar with its sound, its pictures and its senders. Knows no LiveKit.

The conductor decides; this shell moves sound, orders and pictures, and owns the two tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from avatar_worker.audio import Finished, Started
from avatar_worker.avatars import Avatar
from avatar_worker.clock import Clock, Ticks, ms, seconds, ticks_per
from avatar_worker.engine import Engine, PictureOrder
from avatar_worker.face import Activity, Cue
from avatar_worker.frames import VideoFrame

from .conductor import Conductor
from .ports import PicturePort, ReportPort, SoundPort
from .sitting import Sitting
from .state import Lifecycle, SessionState

logger = logging.getLogger(__name__)

SOUND_COMES_LATER: Final = ms(32)
"""Sound is this much longer on its way than a picture: Opus collects 20 ms before it sends, and a
receiver holds back one to two packets, more or less as it has been disturbed. In the middle of what
receivers were measured at (20 to 40 ms quiet, more under load), see measurements.md."""
MAX_UNPLAYED = ms(10 * 60 * 1000)
"""Speech that one sender may have waiting; a longer segment ends there."""


class Session:
    """A face that speaks what it receives.

    All methods belong to the event loop on which `open` was called.
    """

    def __init__(
        self,
        avatar: Avatar,
        engine: Engine,
        clock: Clock,
        *,
        on_change: Callable[[SessionState, SessionState], None] = lambda old, new: None,
    ) -> None:
        self.avatar = avatar
        self.lifecycle = Lifecycle(on_change)
        self._clock = clock
        self._sitting = Sitting(engine, clock, on_picture=self._drawn, on_failure=self._fail)
        self._conductor = Conductor(
            frame=ticks_per(avatar.canvas.fps),
            look_ahead=engine.look_ahead,
            capacity=MAX_UNPLAYED,
            lag=SOUND_COMES_LATER,
        )
        self._sound: SoundPort | None = None
        self._pictures: PicturePort | None = None
        self._reports: ReportPort | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._something = asyncio.Event()
        self._sound_allowed = asyncio.Event()
        self._played_out = asyncio.Event()
        self._played_out.set()
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Resolves if the session cannot go on, with the reason."""

    # -- life --------------------------------------------------------------------------------

    async def first_picture(self, *, seed: int) -> VideoFrame:
        """Take a seat at the engine and draw the picture to publish with.

        Raises:
            AvatarError: If the avatar cannot be drawn.
            PictureError: If drawing it fails.
            DeviceError: If the engine has stopped.
        """
        return await self._sitting.first_picture(self.avatar, seed=seed)

    def start(self, sound: SoundPort, pictures: PicturePort, reports: ReportPort) -> None:
        """Begin to live: pictures flow from now on."""
        self._sound, self._pictures, self._reports = sound, pictures, reports
        self.lifecycle.to(SessionState.IDLE)
        for name, run in (("session-pictures", self._conduct), ("session-sound", self._play)):
            task = asyncio.create_task(run(), name=name)
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)

    async def aclose(self) -> None:
        """Report every unfinished segment as interrupted, stop, give everything back."""
        if self.lifecycle.state is SessionState.CLOSED:
            return
        if self.lifecycle.state is not SessionState.DRAINING:
            self.lifecycle.to(SessionState.DRAINING)
        if self._sound is not None:
            heard = self._heard()
            self._sound.clear()
            self._report(self._conductor.clear_all(self._clock.now(), heard))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._sitting.close()
        if self.lifecycle.state is SessionState.DRAINING:
            self.lifecycle.to(SessionState.CLOSED)

    async def drain(self, timeout: float) -> None:
        """Let what has been accepted be played out, at most `timeout` seconds, if that can be."""
        played_out = asyncio.create_task(self._played_out.wait(), name="session-drain")
        ends: list[asyncio.Future[Any]] = [played_out, self.failed]
        await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        played_out.cancel()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    # -- what senders do ---------------------------------------------------------------------

    def begin(self, sender: str, *, sample_rate: int, channels: int) -> int:
        """Open a segment and return its id.

        Raises:
            PeerError: If the rate or the channel count is impossible, or too many wait.
        """
        segment_id = self._conductor.playout.begin(
            sender, sample_rate=sample_rate, channels=channels
        )
        self._played_out.clear()
        return segment_id

    def receive(self, segment_id: int, data: bytes) -> bool:
        """Append raw s16le bytes; False if they were dropped."""
        taken = self._conductor.playout.receive(segment_id, data)
        self._something.set()
        return taken

    def end(self, segment_id: int) -> None:
        """Nothing more of this segment will come."""
        self._conductor.playout.end(segment_id)
        self._something.set()

    def starved(self, segment_id: int) -> bool:
        """Whether an open segment has been played as far as it was received."""
        playout = self._conductor.playout
        if playout.is_held(segment_id) or not playout.is_open(segment_id):
            return False
        return not self._conductor.sounding

    def clear(self, sender: str) -> None:
        """Barge-in: drop everything that this sender has sent, and tell it how far it got."""
        self._drop(sender, tell=True)

    def forget(self, sender: str) -> None:
        """The sender has left the room: nobody to tell."""
        self._conductor.release(sender)
        self._drop(sender, tell=False)

    def hold(self, sender: str) -> None:
        """Let this sender's speech wait, to go on later with the first sample not heard."""
        if self._sound is None or self._sitting.seat is None:
            return
        facts, taken_back = self._conductor.hold(sender, self._clock.now(), self._heard())
        if taken_back:
            self._sound.clear()
            self._sitting.cancel()
        self._report(facts)
        self._something.set()

    def release(self, sender: str) -> None:
        """Go on with speech that was held."""
        self._conductor.release(sender)
        self._something.set()

    def _drop(self, sender: str, *, tell: bool) -> None:
        if self._sound is None or self._sitting.seat is None:
            return
        heard = self._heard()
        self._sound.clear()
        facts = self._conductor.clear(sender, self._clock.now(), heard)
        self._sitting.cancel()
        self._report([fact for fact in facts if tell or fact.sender != sender])
        self._something.set()

    def set_activity(self, activity: Activity) -> None:
        """Tell the face what its agent is doing."""
        self._conductor.activity = activity

    def express(self, cue: Cue) -> None:
        """Let the face follow a cue: a mood, a gesture, news of the user's turn."""
        self._sitting.express(cue)

    def express_at(self, segment_id: int, at: Ticks, cue: Cue) -> bool:
        """Let the face follow a cue when this place of a segment is heard.

        Returns:
            False if the segment is over, or has too many cues already.
        """
        return self._conductor.cue(segment_id, at, cue)

    def counters(self) -> dict[str, int]:
        """Counts since the session began."""
        tally = self._conductor.tally
        return {
            "pictures_shown": tally.shown,
            "pictures_late": tally.late,
            "interruptions": tally.clears,
            "starvations": tally.starved,
            "played_ms": round(1000 * seconds(self._conductor.playout.played)),
        }

    # -- the two tasks -----------------------------------------------------------------------

    def _drawn(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        self._conductor.picture(order, frame)
        self._something.set()

    def _heard(self) -> int:
        assert self._sound is not None
        return self._conductor.playout.pushed - self._sound.queued()

    async def _conduct(self) -> None:
        assert self._sound is not None
        assert self._pictures is not None
        while True:
            self._something.clear()
            now = self._clock.now()
            step = self._conductor.step(now, self._sound.queued())
            if step.show is not None:
                self._pictures.show(step.show)
            for order, deadline in step.orders:
                self._sitting.submit(order, deadline=deadline)
            self._report(step.reports)
            self._follow_phase()
            with contextlib.suppress(TimeoutError):
                wait = seconds(step.wake_at - self._clock.now())
                async with asyncio.timeout(max(0.0, wait)):
                    await self._something.wait()

    async def _play(self) -> None:
        assert self._sound is not None
        while True:
            pcm = self._conductor.sound()
            if pcm is None:
                self._sound_allowed.clear()
                await self._sound_allowed.wait()
            else:
                await self._sound.write(pcm)
                self._something.set()

    def _follow_phase(self) -> None:
        if self._conductor.playout.empty:
            self._played_out.set()
        if self._conductor.sounding:
            self._sound_allowed.set()
        state = self.lifecycle.state
        if self._conductor.sounding and state is SessionState.IDLE:
            self.lifecycle.to(SessionState.SPEAKING)
        elif state is SessionState.SPEAKING and self._conductor.playout.empty:
            self.lifecycle.to(SessionState.IDLE)

    def _report(self, facts: Sequence[Started | Finished]) -> None:
        assert self._reports is not None
        for fact in facts:
            self._reports.report(fact)
