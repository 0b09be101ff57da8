"""Speech from byte streams: one stream is one segment. A bad stream hurts only itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Mapping
from typing import Any

from avatar_worker.audio import Finished
from avatar_worker.clock import Ticks
from avatar_worker.errors import PeerError
from avatar_worker.session import ReportPort, Session
from livekit import rtc

from .people import People
from .speech_policy import SpeechPolicy

logger = logging.getLogger(__name__)

TOPIC = "lk.audio_stream"
ERROR_TOPIC = "avaluma.error"
IGNORED_BYTE_TOPICS = ("lk.agent.session",)
IGNORED_TEXT_TOPICS = ("lk.transcription", "lk.chat")
QUIET_TIMEOUT = 10.0
"""A stream that says nothing for this long while nothing is left to play has lost its trailer."""
DRAINED_WITHIN = 0.05
"""Seconds that a stream gets to hand over what has arrived when its sender opens the next one."""
STREAM_WITHIN = 2.0
"""Seconds that somebody waits for a stream of which a call has come first."""
MOST_STREAMS = 256
"""Streams whose ids are remembered."""
DEFAULT_RATE = 16_000
DEFAULT_CHANNELS = 1


class SpeechIn:
    """Reads every stream of a room in a task of its own."""

    def __init__(
        self,
        room: rtc.Room,
        session: Session,
        policy: SpeechPolicy,
        *,
        quiet_timeout: float = QUIET_TIMEOUT,
    ) -> None:
        self._room = room
        self._session = session
        self._policy = policy
        self._people = People(room)
        self._quiet_timeout = quiet_timeout
        self._reports: ReportPort | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._warned: set[str] = set()
        self._segments: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._begun = asyncio.Event()
        self.counts: Counter[str] = Counter()
        # Allowed before connecting, and done then: no stream can be missed.
        room.register_byte_stream_handler(TOPIC, self._opened)
        # Without a handler the SDK logs each of these; a job's room may have one already.
        with contextlib.suppress(ValueError):
            for topic in IGNORED_BYTE_TOPICS:
                room.register_byte_stream_handler(topic, lambda reader, identity: _close(reader))
        with contextlib.suppress(ValueError):
            for topic in IGNORED_TEXT_TOPICS:
                room.register_text_stream_handler(topic, lambda reader, identity: _close(reader))

    def answer_through(self, reports: ReportPort) -> None:
        """Set who tells senders about streams that could not be read at all."""
        self._reports = reports

    async def refusal(self, identity: str) -> str | None:
        """Return None if this participant may speak through the avatar, else why not."""
        refusal = self._policy.refusal(self._people.speaker(identity), speaks=False)
        if refusal is not None and self._people.unannounced(identity):
            await self._people.news_of(identity)
            refusal = self._policy.refusal(self._people.speaker(identity), speaks=False)
        return refusal

    async def segment(self, identity: str, stream_id: str) -> int | None:
        """Return the segment that a participant's stream became; wait a little for its first news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STREAM_WITHIN):
                while (identity, stream_id) not in self._segments:
                    self._begun.clear()
                    await self._begun.wait()
        return self._segments.get((identity, stream_id))

    async def aclose(self) -> None:
        """Stop reading. Idempotent."""
        self._room.unregister_byte_stream_handler(TOPIC)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _opened(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        refusal = self._policy.refusal(self._people.speaker(identity))
        if refusal is None:
            self._admit(reader, identity)
        elif self._people.unannounced(identity):
            self._spawn(self._wait_for_news(reader, identity), "speech-unannounced")
        else:
            self._refuse(reader, identity, refusal)

    async def _wait_for_news(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        """Hold the stream of somebody whose kind is not known yet; the SDK keeps its bytes."""
        await self._people.news_of(identity)
        refusal = self._policy.refusal(self._people.speaker(identity))
        if refusal is None:
            self._admit(reader, identity)
        else:
            self._refuse(reader, identity, refusal)

    def _admit(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        older = self._reading.get(identity)
        if older is not None:
            task = self._spawn(self._read_after(older, reader, identity), "speech-next")
        elif (segment_id := self._begin(reader, identity)) is not None:
            task = self._spawn(self._read(reader, segment_id), "speech-stream")
        else:
            return
        self._reading[identity] = task
        task.add_done_callback(lambda done: self._forget(identity, done))

    async def _read_after(
        self, older: asyncio.Task[None], reader: rtc.ByteStreamReader, identity: str
    ) -> None:
        """Begin when the stream before has been read: each has a queue of its own in the SDK."""
        await asyncio.wait({older}, timeout=DRAINED_WITHIN)
        segment_id = self._begin(reader, identity)
        if segment_id is not None:
            await self._read(reader, segment_id)

    def _begin(self, reader: rtc.ByteStreamReader, identity: str) -> int | None:
        """Open the stream's segment; None if it cannot be read, which its sender is told."""
        try:
            rate, channels = _format(reader.info.attributes or {})
            segment_id = self._session.begin(identity, sample_rate=rate, channels=channels)
        except PeerError as error:
            _close(reader)
            self.counts["streams_unreadable"] += 1
            if self._reports is not None:
                self._reports.report(Finished(0, identity, Ticks(0), interrupted=False))
            self._tell(identity, str(error))
            return None
        self.counts["streams"] += 1
        self._segments[identity, reader.info.stream_id] = segment_id
        if len(self._segments) > MOST_STREAMS:
            self._segments.popitem(last=False)
        self._begun.set()
        return segment_id

    def _forget(self, identity: str, task: asyncio.Task[None]) -> None:
        if self._reading.get(identity) is task:
            del self._reading[identity]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self, reader: rtc.ByteStreamReader, segment_id: int) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(self._quiet_timeout):
                        data = await anext(reader)
                except TimeoutError:
                    if self._session.starved(segment_id):
                        self.counts["trailers_lost"] += 1
                        return
                    continue
                if not self._session.receive(segment_id, data):
                    return
        except StopAsyncIteration:
            return
        except rtc.StreamError:
            self.counts["streams_broken"] += 1
        finally:
            self._session.end(segment_id)
            _close(reader)

    def _refuse(self, reader: rtc.ByteStreamReader, identity: str, refusal: str) -> None:
        _close(reader)
        self.counts["streams_refused"] += 1
        if identity not in self._warned:
            self._warned.add(identity)
            logger.warning(
                "a participant's speech was refused",
                extra={"reason": refusal, "lk.pii.identity": identity},
            )
        if identity:
            self._tell(identity, refusal)

    def _tell(self, identity: str, message: str) -> None:
        payload = json.dumps({"code": "SPEECH_REFUSED", "error": message})
        self._spawn(self._send(identity, payload), "speech-refusal")

    async def _send(self, identity: str, payload: str) -> None:
        try:
            await self._room.local_participant.publish_data(
                payload, destination_identities=[identity], topic=ERROR_TOPIC
            )
        except Exception:
            logger.info("a refusal could not be delivered")


def _format(attributes: Mapping[str, str]) -> tuple[int, int]:
    """Return (sample rate, channels) of a stream.

    Raises:
        PeerError: If they are there and make no sense.
    """
    try:
        return (
            int(attributes.get("sample_rate", DEFAULT_RATE)),
            int(attributes.get("num_channels", DEFAULT_CHANNELS)),
        )
    except ValueError:
        raise PeerError("sample_rate and num_channels must be whole numbers") from None


def _close(reader: rtc.ByteStreamReader | rtc.TextStreamReader) -> None:
    # A reader that is not read to its end holds a subscription for the life of the process.
    with contextlib.suppress(Exception):
        reader.close()
