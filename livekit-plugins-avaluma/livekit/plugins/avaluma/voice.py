from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from livekit import rtc
from livekit.agents import utils
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from .log import logger

SAMPLE_RATE = 24000
QUEUE_MS = 100
"""Sound that the SDK holds ahead of the ear; it must be a multiple of 10."""
SLICE = SAMPLE_RATE // 50  # 20 ms
SUBSCRIBED_WITHIN = 2.0
"""Who listens subscribes within milliseconds; an empty room is not waited for."""
UNPUBLISHED_WITHIN = 2.0


class AgentVoice(AudioOutput):
    """The agent's own track in the room, published with the first word.

    It stands in for an avatar that was lost. Speech is taken at the pace at which it is
    heard, so an interruption has at most 100 ms to take back.
    """

    def __init__(self, room: rtc.Room) -> None:
        super().__init__(
            label="AgentVoice",
            capabilities=AudioOutputCapabilities(pause=True),
            sample_rate=SAMPLE_RATE,
        )
        self._room = room
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=QUEUE_MS)
        self._publication: rtc.LocalTrackPublication | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._paused = False
        self._gone = False
        self._cut = asyncio.Event()
        self._change = asyncio.Event()
        self._played = 0.0
        self._begin()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if not self._gone:
            await self._published()
        if self._finishing is not None:
            await asyncio.wait({self._finishing})
        await super().capture_frame(frame)
        await self._push(self._sliced(frame))

    def flush(self) -> None:
        super().flush()
        if self._pending_playback_count and self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(), name="avaluma.voice_playout")

    def clear_buffer(self) -> None:
        if self._pending_playback_count and not self._cut.is_set():
            self._played = max(0.0, self._played - self._source.queued_duration)
            self._cut.set()
            self._change.set()
            if not self._gone:
                self._source.clear_queue()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._change.set()

    def retire(self) -> None:
        """Leave the room when what was begun has been said: an avatar speaks again."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="avaluma.voice_leaves")

    def release(self) -> None:
        """Leave the room now; what has not been heard is finished as interrupted."""
        self.clear_buffer()
        self.flush()
        self.retire()

    async def aclose(self) -> None:
        """Release, and wait until the room is left. Idempotent."""
        self.release()
        assert self._closing is not None
        await asyncio.wait({self._closing})

    async def _close(self) -> None:
        await self.wait_for_playout()
        self._gone = True
        if self._publishing is not None:
            await utils.aio.cancel_and_wait(self._publishing)
        if self._publication is not None and self._room.isconnected():
            try:
                gone = self._room.local_participant.unpublish_track(self._publication.sid)
                await asyncio.wait_for(gone, UNPUBLISHED_WITHIN)
            except Exception as error:
                logger.debug(
                    "the agent's own track could not be taken back",
                    extra={"error": type(error).__name__},
                )
        await self._source.aclose()

    async def _published(self) -> None:
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish(), name="avaluma.publish_voice")
        await asyncio.wait({self._publishing})

    async def _publish(self) -> None:
        track = rtc.LocalAudioTrack.create_audio_track("agent-voice", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        try:
            self._publication = await self._room.local_participant.publish_track(track, options)
            await asyncio.wait_for(self._publication.wait_for_subscription(), SUBSCRIBED_WITHIN)
        except asyncio.TimeoutError:
            return
        except Exception as error:
            # Nobody hears it, but the speech must come to its end.
            logger.error(
                "the agent's own voice could not be published",
                extra={"error": type(error).__name__},
            )

    def _begin(self) -> None:
        """Make ready for the next segment."""
        self._cut.clear()
        self._started = False
        self._played = 0.0
        self._slices = utils.audio.AudioByteStream(SAMPLE_RATE, 1, samples_per_channel=SLICE)
        self._resampler: rtc.AudioResampler | None = None
        self._finishing = None

    async def _push(self, slices: Iterable[rtc.AudioFrame]) -> None:
        for piece in slices:
            if not await self._may_go_on():
                return
            if not self._started:
                self._started = True
                self.on_playback_started(created_at=time.time())
            self._played += piece.duration
            await self._source.capture_frame(piece)

    async def _may_go_on(self) -> bool:
        """Wait for the end of a pause; False if nothing more of the segment will be heard."""
        while self._paused and not self._cut.is_set():
            self._change.clear()
            await self._change.wait()
        return not (self._cut.is_set() or self._gone)

    def _sliced(self, frame: rtc.AudioFrame) -> Iterable[rtc.AudioFrame]:
        # A segment that began at the avatar comes at the avatar's rate.
        if frame.sample_rate == SAMPLE_RATE:
            return self._slices.push(frame.data)
        if self._resampler is None:
            self._resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE)
        parts = self._resampler.push(frame)
        return [piece for part in parts for piece in self._slices.push(part.data)]

    def _rest(self) -> Iterable[rtc.AudioFrame]:
        parts = self._resampler.flush() if self._resampler is not None else []
        whole = [piece for part in parts for piece in self._slices.push(part.data)]
        return whole + self._slices.flush()

    async def _finish(self) -> None:
        await self._push(self._rest())
        ends = {
            asyncio.ensure_future(self._source.wait_for_playout()),
            asyncio.ensure_future(self._cut.wait()),
        }
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        interrupted, position = self._cut.is_set() or self._gone, self._played
        if interrupted and not self._gone:
            self._source.clear_queue()  # a slice may have been on its way
        self._begin()
        self.on_playback_finished(playback_position=position, interrupted=interrupted)
