"""The second door: LiveKit agent dispatch. The worker is an agent server whose jobs are avatars.

Jobs run in threads of one process, each with an event loop of its own; the engine and the
admission counter are shared.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Clock
from avatar_worker.engine import Engine
from avatar_worker.errors import AvatarError, AvatarWorkerError, CapacityError, PeerError
from livekit import rtc
from livekit.agents import AgentServer, AutoSubscribe, JobContext, JobExecutorType, JobRequest

from .door import Admission, JoinRequest, Reservation, SpeechFrom
from .metadata import DispatchMetadata, parse_metadata
from .room_session import RoomOptions, RoomSession
from .sdk_runtime import start_runtime
from .speech_policy import ATTRIBUTE_ON_BEHALF

logger = logging.getLogger(__name__)

JOB_MUST_START = 20.0
"""Seconds after which an accepted job that was never assigned gives its place back."""
AS_OFTEN_AS_IT_TAKES = sys.maxsize
"""Tries to register: LiveKit's own 16 are used up after two minutes without a server, for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchOptions:
    """How the worker registers with LiveKit.

    Attributes:
        agent_name: What dispatches ask for.
        url, api_key, api_secret: LiveKit and its credentials.
        capacity: Sessions of this worker.
        default_avatar: For metadata without `avatar_id`.
        speech_from: For metadata without `speech_from`.
        speech_from_max: The widest policy that a dispatch may ask for.
        max_duration: Seconds a session may last; 0 for no limit.
    """

    agent_name: str
    url: str
    api_key: str
    api_secret: str
    capacity: int
    default_avatar: str
    speech_from: SpeechFrom = SpeechFrom.AGENTS
    speech_from_max: SpeechFrom = SpeechFrom.ANY
    max_duration: float = 0.0


@dataclass(slots=True)
class _Ticket:
    metadata: DispatchMetadata
    avatar: Avatar
    place: Reservation
    expiry: asyncio.TimerHandle


class DispatchDoor:
    """Registers with LiveKit, takes jobs, turns each into a session."""

    def __init__(
        self,
        options: DispatchOptions,
        *,
        open_avatar: Callable[[str], Avatar],
        engine: Engine,
        clock: Clock,
        room_options: RoomOptions,
    ) -> None:
        self._options = options
        self._admission: Admission | None = None
        self._open_avatar = open_avatar
        self._engine = engine
        self._clock = clock
        self._room_options = room_options
        self._draining = False
        self._tickets: dict[str, _Ticket] = {}
        self._server = AgentServer(
            job_executor_type=JobExecutorType.THREAD,
            # LiveKit does not see workers that report 0.7 or more; the admission counter decides.
            load_fnc=self._load,
            load_threshold=float("inf"),
            num_idle_processes=options.capacity,
            job_memory_warn_mb=0,
            max_retry=AS_OFTEN_AS_IT_TAKES,
            ws_url=options.url,
            api_key=options.api_key,
            api_secret=options.api_secret,
            host="127.0.0.1",
            port=0,
        )
        self._server.rtc_session(
            self._entry, agent_name=options.agent_name, on_request=self._requested
        )

    def not_registered(self) -> str | None:
        """Say that LiveKit has not taken the first registration yet, or None."""
        waits = self._server.id in ("", "unregistered")
        return "not registered with LiveKit" if waits else None

    async def run(self, admission: Admission) -> None:
        """Register, again whenever LiveKit was lost, and serve until `aclose`.

        Args:
            admission: The counter that this door shares with the others.
        """
        self._admission = admission
        start_runtime()
        await self._server.run(devmode=False)

    async def drain(self) -> None:
        """Take no more jobs. The running ones are the host's to end."""
        self._draining = True

    async def aclose(self) -> None:
        """Unregister. Idempotent."""
        self._draining = True
        await self._server.aclose()

    def _load(self) -> float:
        if self._admission is None or self._draining:
            return 1.0
        return self._admission.load()

    async def _requested(self, request: JobRequest) -> None:
        if self._admission is None or self._draining:
            await request.reject(terminate=False)
            return
        try:
            metadata = parse_metadata(
                request.job.metadata, default_avatar=self._options.default_avatar
            )
            avatar = await asyncio.to_thread(self._open_avatar, metadata.avatar_id)
            place = self._admission.reserve(metadata.avatar_id)
        except CapacityError:
            # Anything but this would keep LiveKit from asking the next worker.
            await request.reject(terminate=False)
            return
        except (PeerError, AvatarError) as error:
            logger.warning(
                "a dispatch was refused", extra={"reason": str(error), "job": request.id}
            )
            await request.reject(terminate=True)
            return
        expiry = asyncio.get_running_loop().call_later(JOB_MUST_START, self._expire, request.id)
        self._tickets[request.id] = _Ticket(metadata, avatar, place, expiry)
        attributes = {"avaluma.ai_generated": "true"}
        if metadata.agent_identity is not None:
            attributes[ATTRIBUTE_ON_BEHALF] = metadata.agent_identity
        await request.accept(identity=metadata.identity, name=metadata.name, attributes=attributes)

    def _expire(self, job_id: str) -> None:
        if ticket := self._tickets.pop(job_id, None):
            ticket.place.release("never_assigned")

    async def _entry(self, job: JobContext) -> None:
        ticket = self._tickets.pop(job.job.id, None)
        if ticket is None:
            job.shutdown("expired")
            return
        ticket.expiry.cancel()
        reason = "failed"
        running: list[RoomSession] = []

        async def end(reason: str) -> None:
            for session in running:
                await session.aclose(reason)

        # LiveKit's job outlives its session until the next garbage collection.
        job.add_shutdown_callback(end)
        try:
            session = RoomSession(
                self._join_request(job, ticket),
                self._engine,
                self._clock,
                self._room_options,
                door="dispatch",
                room=job.room,
            )

            async def connect(room: rtc.Room) -> None:
                await job.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)

            await session.start(connect)
            ticket.place.adopt(session)
            running.append(session)
            reason = await session.wait_closed()
            running.clear()
        except AvatarWorkerError as error:
            logger.error(
                "a dispatched session failed",
                extra={"reason": str(error), "job": job.job.id},
            )
        finally:
            ticket.place.release(reason)
            job.shutdown(reason)

    def _join_request(self, job: JobContext, ticket: _Ticket) -> JoinRequest:
        wanted = ticket.metadata
        policy = (wanted.speech_from or self._options.speech_from).at_most(
            self._options.speech_from_max
        )
        longest = self._options.max_duration
        asked = wanted.max_duration or longest
        return JoinRequest(
            session_id=f"sess_{secrets.token_hex(8)}",
            url=self._options.url,
            token="",
            room_name=job.job.room.name,
            identity=wanted.identity,
            on_behalf=wanted.agent_identity,
            avatar=ticket.avatar,
            avatar_id=wanted.avatar_id,
            speech_from=policy,
            speakers=wanted.speakers,
            max_duration=min(asked, longest) if longest else asked,
        )
