"""Tells senders how their segments fared: `lk.playback_started`, `lk.playback_finished`."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field

from avatar_worker.audio import Finished, Started
from avatar_worker.clock import seconds
from livekit import rtc

from .absence import Absences

logger = logging.getLogger(__name__)

RPC_STARTED = "lk.playback_started"
RPC_FINISHED = "lk.playback_finished"
NOT_DELIVERED = frozenset({1401, 1505})
"""Codes that prove the peer has not seen the call. After any other, a repeat counts twice."""
RECIPIENT_LEFT = 1503
"""Repeated only if the peer may return: answers take milliseconds and outages seconds, so a call
that a reconnect cut off was lost in the outage."""
ANSWER_WITHIN = 5.0
STARTED_HEAD_START = 0.02
"""The SDK may reorder calls that are made at the same moment."""
MAX_WAITING = 256


@dataclass(slots=True)
class _Peer:
    facts: asyncio.Queue[Started | Finished] = field(
        default_factory=lambda: asyncio.Queue(MAX_WAITING)
    )
    worker: asyncio.Task[None] | None = None
    started_unsupported: bool = False
    finished_unsupported: bool = False
    started_calls: set[asyncio.Task[None]] = field(default_factory=set)

    def tasks(self) -> list[asyncio.Task[None]]:
        """Hand out what runs, and let go of it: a cancelled task keeps its frame, and that us."""
        worker, self.worker = self.worker, None
        return [*([worker] if worker is not None else []), *self.started_calls]


class Reports:
    """One first-in-first-out line per sender; a slow or foreign one delays nobody else."""

    def __init__(
        self,
        participant: rtc.LocalParticipant,
        absences: Absences | None = None,
    ) -> None:
        """Report through `participant`; calls wait for a peer that only reconnects."""
        self._participant = participant
        self._absences = absences
        self._peers: dict[str, _Peer] = {}
        self.delivered = 0
        self.failed = 0

    def report(self, fact: Started | Finished) -> None:
        """Send a fact to its sender. Never blocks."""
        peer = self._peers.setdefault(fact.sender, _Peer())
        if peer.worker is None:
            peer.worker = asyncio.create_task(self._serve(fact.sender, peer), name="peer-reports")
        try:
            peer.facts.put_nowait(fact)
        except asyncio.QueueFull:
            self.failed += 1
            logger.warning("a sender does not answer reports", extra={"waiting": MAX_WAITING})

    def forget(self, identity: str) -> None:
        """The peer has left; its successor under the same identity may support more."""
        peer = self._peers.pop(identity, None)
        for task in peer.tasks() if peer is not None else ():
            task.cancel()

    async def flush(self, timeout: float) -> None:
        """Wait until everything reported has been answered, at most `timeout` seconds."""
        lines = [peer.facts.join() for peer in self._peers.values()]
        try:
            async with asyncio.timeout(timeout):
                await asyncio.gather(*lines)
        except TimeoutError:
            logger.info("some reports were not answered in time")

    async def aclose(self) -> None:
        """Stop. Idempotent."""
        tasks = [task for peer in self._peers.values() for task in peer.tasks()]
        self._peers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, identity: str, peer: _Peer) -> None:
        last_start = 0.0
        loop = asyncio.get_running_loop()
        while True:
            fact = await peer.facts.get()
            try:
                if isinstance(fact, Started):
                    # Not awaited: the end must not wait for the answer to the beginning.
                    call = asyncio.create_task(self._started(identity, peer), name="peer-started")
                    peer.started_calls.add(call)
                    call.add_done_callback(peer.started_calls.discard)
                    last_start = loop.time()
                else:
                    await asyncio.sleep(max(0.0, last_start + STARTED_HEAD_START - loop.time()))
                    await self._finished(identity, peer, fact)
            finally:
                peer.facts.task_done()

    async def _started(self, identity: str, peer: _Peer) -> None:
        if not peer.started_unsupported:
            code = await self._call(identity, RPC_STARTED, "", tries=1)
            peer.started_unsupported = code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD

    async def _finished(self, identity: str, peer: _Peer, fact: Finished) -> None:
        if peer.finished_unsupported:
            return
        # The agent turns these keys into arguments: one more or one less is an error there.
        payload = json.dumps(
            {
                "playback_position": seconds(fact.position),
                "interrupted": fact.interrupted,
                "synchronized_transcript": None,
            }
        )
        code = await self._call(identity, RPC_FINISHED, payload, tries=3)
        peer.finished_unsupported = code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD

    async def _call(self, identity: str, method: str, payload: str, *, tries: int) -> int | None:
        """Call the peer; None if it answered, else the error's code."""
        code = 0
        for attempt in range(tries):
            if self._absences is not None:
                await self._absences.settled(identity)
            try:
                await self._participant.perform_rpc(
                    destination_identity=identity,
                    method=method,
                    payload=payload,
                    response_timeout=ANSWER_WITHIN,
                )
                self.delivered += 1
                return None
            except rtc.RpcError as error:
                code = int(error.code)
                if code not in NOT_DELIVERED and not self._cut_off(code, identity):
                    break
                await asyncio.sleep(0.1 * (attempt + 1))
        if code != rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD:
            self.failed += 1
            logger.warning(
                "a sender could not be told about its speech",
                extra={"rpc": method, "code": code, "lk.pii.identity": identity},
            )
        return code

    def _cut_off(self, code: int, identity: str) -> bool:
        returns = self._absences is not None and self._absences.may_return(identity)
        return code == RECIPIENT_LEFT and returns
