"""What an avatar has in a room that it has joined: two tracks, its reports, the calls it answers."""

from __future__ import annotations

from collections import Counter
from functools import partial

from avatar_worker.clock import Clock, Ticks
from avatar_worker.errors import PeerError
from avatar_worker.face import Cue
from avatar_worker.frames import VideoFrame
from avatar_worker.session import Session
from livekit import rtc

from .absence import Absences
from .call_limit import CallLimit
from .caller_in import CallerIn
from .expression import ExpressionDesk
from .reports import Reports
from .rpc import CallDesk
from .speech_in import SpeechIn
from .states import ATTRIBUTE_AGENT_STATE
from .tracks_out import PictureTrack, SoundTrack, VideoOptions


class Stage:
    """Made after the join, and given back in two steps around the goodbye.

    Args:
        room: Connected.
        session: Speaks and shows its face here.
        speech: What it hears; its reports go through this room from now on.
        clock: The session's.
        absences: Who only reconnects.
        on_behalf: The agent that the avatar speaks for, if it is known.
        video: How pictures are encoded.
        hear_caller: Whether the agent may let the avatar listen to its caller.
    """

    def __init__(
        self,
        room: rtc.Room,
        session: Session,
        speech: SpeechIn,
        *,
        clock: Clock,
        absences: Absences,
        on_behalf: str | None,
        video: VideoOptions,
        hear_caller: bool,
    ) -> None:
        participant, canvas = room.local_participant, session.avatar.canvas
        self._room = room
        self._session = session
        self._stranded = False
        self.reports = Reports(participant, absences)
        speech.answer_through(self.reports)
        self._limit = CallLimit(clock)
        participant.add_rpc_interceptor(self._limit)
        self._expression = ExpressionDesk(
            session.express,
            express_at=partial(_express_at, speech, session),
            refusal=speech.refusal,
        )
        self.calls = CallDesk(
            participant, session, on_behalf=on_behalf, expression=self._expression
        )
        self.caller: CallerIn | None = None
        if hear_caller:
            self.caller = CallerIn(room, session.express, on_behalf=on_behalf)
            self.caller.start()
        agent = room.remote_participants.get(on_behalf) if on_behalf else None
        if agent is not None:
            self.calls.agent_state(agent.attributes.get(ATTRIBUTE_AGENT_STATE, ""))
        self.sound = SoundTrack(clock)
        self.pictures = PictureTrack(canvas.width, canvas.height, canvas.fps, video)

    async def publish(self, first: VideoFrame) -> None:
        """Let the session live, and publish it, beginning with this picture.

        Raises:
            PeerError: If LiveKit refuses.
        """
        participant = self._room.local_participant
        self.pictures.show(first)
        self._session.start(self.sound, self.pictures, self.reports)
        try:
            await self.pictures.publish(participant)
            await self.sound.publish(participant)
        except rtc.participant.PublishTrackError:
            raise PeerError("LiveKit did not let the avatar publish its tracks") from None

    def counters(self) -> Counter[str]:
        """What was counted so far; safe from any thread."""
        counts = self.calls.counts + self._expression.counts
        counts["calls_refused"] = self._limit.refused
        counts["reports_delivered"] = self.reports.delivered
        counts["reports_failed"] = self.reports.failed
        if self.caller is not None:
            counts["caller_heard_ms"] = self.caller.heard_ms
        return counts

    async def stop_listening(self) -> None:
        """Hear the caller no more. Idempotent."""
        if self.caller is not None:
            await self.caller.aclose()

    async def say_goodbye(self, timeout: float) -> None:
        """Wait for the answers to the last reports, and answer no more; call before leaving.

        Args:
            timeout: Seconds that the answers may take.
        """
        self._stranded = not self._room.isconnected()
        if not self._stranded:
            await self.reports.flush(timeout)
        await self.reports.aclose()
        self.calls.close()

    async def aclose(self) -> None:
        """Give the tracks back; call after leaving."""
        await self.sound.aclose(stranded=self._stranded)
        await self.pictures.aclose()


async def _express_at(
    speech: SpeechIn, session: Session, sender: str, stream: str, at: Ticks, cue: Cue
) -> bool:
    segment = await speech.segment(sender, stream)
    return segment is not None and session.express_at(segment, at, cue)
