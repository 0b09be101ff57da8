from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable

from livekit import rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from .marks import Mark, StreamMarks
from .pause import PauseCalls

RpcHandler = Callable[[rtc.RpcInvocationData], str]


class AvatarAudioOutput(DataStreamAudioOutput):
    """Streams speech to the avatar until it is released.

    Beyond its base it can let go: a released output finishes what it owes and swallows
    what still arrives, so that nothing waits for an avatar that is gone. And its answers
    are found by room: the base finds them by the avatar's identity alone, which mixes up
    two rooms of one process whose avatars bear the same name. And it pauses, where the
    avatar can.
    """

    _routers: weakref.WeakKeyDictionary[rtc.Room, dict[str, _RpcRouter]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(
        self,
        room: rtc.Room,
        *,
        destination_identity: str,
        sample_rate: int,
        wait_playback_start: bool,
        pause: bool = False,
    ) -> None:
        # The base may call back while it is being made, if the room is connected.
        self._gone = asyncio.Event()
        self._heard_since: float | None = None
        self._captured = 0.0
        self._marks = StreamMarks()
        super().__init__(
            room,
            destination_identity=destination_identity,
            sample_rate=sample_rate,
            wait_remote_track=rtc.TrackKind.KIND_VIDEO,
            wait_playback_start=wait_playback_start,
        )
        self._capabilities = AudioOutputCapabilities(pause=pause)
        self._pause = PauseCalls(room, avatar_identity=destination_identity)

    async def mark(self, mark: Mark) -> None:
        """Tell the avatar something about a place of the speech that is being sent, or of the
        next one if none is. An interruption before that one begins makes it void."""
        if self._gone.is_set():
            return
        writer = self._stream_writer
        await self._marks.put(mark, writer.info.stream_id if writer is not None else None)

    def mute(self) -> None:
        """Stop talking to the avatar; what is captured from now on goes nowhere."""
        self._gone.set()
        self._marks.stop()
        self._pause.stop()
        self._room.off("connection_state_changed", self._handle_connection_state_changed)
        if self._start_atask is not None:
            self._start_atask.cancel()

    def release(self) -> None:
        """Mute, and finish every segment that the avatar has not finished, as interrupted."""
        self.mute()
        self._finish_pending()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if not self._started:
            await self._started_or_gone()
        if self._gone.is_set():
            await AudioOutput.capture_frame(self, frame)
            return
        # A pause before the first word must come before it.
        await self._pause.settled()
        self._captured += frame.duration
        await super().capture_frame(frame)
        if self._stream_writer is not None:
            self._marks.opened(self._stream_writer.info.stream_id)

    def flush(self) -> None:
        if not self._gone.is_set():
            super().flush()
            return
        AudioOutput.flush(self)
        self._finish_pending()

    def clear_buffer(self) -> None:
        self._marks.drop()
        if not self._gone.is_set():
            super().clear_buffer()
            return
        self._finish_pending()

    def pause(self) -> None:
        if self.can_pause:
            self._pause.want(paused=True)
        else:
            super().pause()

    def resume(self) -> None:
        self._pause.want(paused=False)

    def on_playback_started(self, *, created_at: float) -> None:
        self._heard_since = created_at
        super().on_playback_started(created_at=created_at)

    def on_playback_finished(
        self,
        *,
        playback_position: float,
        interrupted: bool,
        synchronized_transcript: str | None = None,
    ) -> None:
        self._heard_since = None
        self._captured = 0.0
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript,
        )

    async def _started_or_gone(self) -> None:
        """Wait for the avatar's picture, for as long as somebody may still bring it."""
        if self._start_atask is None:
            self._start_atask = asyncio.create_task(self._start_task(), name="avaluma.await_avatar")
        gone = asyncio.create_task(self._gone.wait(), name="avaluma.await_release")
        try:
            await asyncio.wait({self._start_atask, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()

    def _finish_pending(self) -> None:
        while self._pending_playback_count > 0:
            position = 0.0
            if self._heard_since is not None:
                position = min(self._captured, max(0.0, time.time() - self._heard_since))
            self.on_playback_finished(playback_position=position, interrupted=True)

    @classmethod
    def _register_playback_finished_rpc(
        cls, room: rtc.Room, *, caller_identity: str, handler: RpcHandler
    ) -> None:
        cls._route(
            room,
            "lk.playback_finished",
            caller_identity,
            handler,
            DataStreamAudioOutput._playback_finished_rpc_handler,
        )

    @classmethod
    def _register_playback_started_rpc(
        cls, room: rtc.Room, *, caller_identity: str, handler: RpcHandler
    ) -> None:
        cls._route(
            room,
            "lk.playback_started",
            caller_identity,
            handler,
            DataStreamAudioOutput._playback_started_rpc_handler,
        )

    @classmethod
    def _route(
        cls, room: rtc.Room, method: str, identity: str, handler: RpcHandler, others: RpcHandler
    ) -> None:
        routers = cls._routers.setdefault(room, {})
        router = routers.setdefault(method, _RpcRouter(others))
        router.handlers[identity] = handler
        room.local_participant.register_rpc_method(method, router.answer)


class _RpcRouter:
    """Hands an avatar's answer to the output of that avatar, in one room."""

    def __init__(self, others: RpcHandler) -> None:
        self.handlers: dict[str, RpcHandler] = {}
        self._others = others

    def answer(self, data: rtc.RpcInvocationData) -> str:
        handler = self.handlers.get(data.caller_identity)
        # Avatars of other plugins in this room register with the base class.
        return handler(data) if handler is not None else self._others(data)
