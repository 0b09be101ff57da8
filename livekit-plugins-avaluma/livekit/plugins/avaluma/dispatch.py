from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from livekit import api
from livekit.agents import APIConnectionError
from livekit.protocol.agent import Job, JobStatus

from .api import UNDO_TIMEOUT, StartReply
from .errors import AvatarDispatchError
from .log import logger

POLL_INTERVAL = 0.25


class AvatarDispatch:
    """One avatar session, dispatched by LiveKit to a registered avatar worker.

    LiveKit never says that nobody took a dispatch, and never tries again: the only
    way to know is to look at it until a job runs.
    """

    def __init__(
        self,
        *,
        livekit_api: api.LiveKitAPI,
        agent_name: str,
        room: str,
        metadata: Mapping[str, Any],
        timeout: float,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        self._service = livekit_api.agent_dispatch
        self._agent_name = agent_name
        self._room = room
        self._metadata = json.dumps(metadata)
        self._timeout = timeout
        self._poll_interval = poll_interval
        self._dispatch_id: str | None = None

    @property
    def dispatch_id(self) -> str | None:
        """LiveKit's id of the dispatch; None before the start and after the stop."""
        return self._dispatch_id

    async def start(self) -> StartReply:
        """Create the dispatch and wait for its job to run.

        Raises:
            AvatarDispatchError: LiveKit refused, no worker took the job in time, or the job
                ended at once.
            APIConnectionError: LiveKit's API could not be reached.
        """
        await self._create()
        try:
            await asyncio.wait_for(self._job_runs(), self._timeout)
        except asyncio.TimeoutError:
            await self.stop()
            raise AvatarDispatchError(
                f"no avatar worker took the job within {self._timeout:g} s; is one running, "
                "registered under this name, and not full?",
                agent_name=self._agent_name,
            ) from None
        except BaseException:
            await self.stop()
            raise
        # Only a worker that can do this registers under a dispatch name.
        return StartReply(playback_started=True, pause=True)

    async def stop(self) -> None:
        dispatch_id, self._dispatch_id = self._dispatch_id, None
        if dispatch_id is None:
            return
        try:
            await self._service.delete_dispatch(dispatch_id, self._room)
        except Exception as error:
            logger.warning(
                "the avatar's dispatch could not be deleted, the avatar leaves by itself",
                extra={"error": type(error).__name__, "code": getattr(error, "code", None)},
            )

    async def _create(self) -> None:
        request = asyncio.create_task(
            self._service.create_dispatch(
                api.CreateAgentDispatchRequest(
                    agent_name=self._agent_name, room=self._room, metadata=self._metadata
                )
            ),
            name="avaluma.create_dispatch",
        )
        try:
            self._dispatch_id = (await asyncio.shield(request)).id
        except asyncio.CancelledError:
            await self._undo(request)
            raise
        except api.TwirpError as error:
            raise AvatarDispatchError(
                f"LiveKit answered {error.code}", agent_name=self._agent_name
            ) from None
        except (aiohttp.ClientError, asyncio.TimeoutError):
            # Not tried again: a create whose answer was lost would dispatch a second avatar.
            raise APIConnectionError("LiveKit's API cannot be reached") from None

    async def _undo(self, request: asyncio.Task[Any]) -> None:
        try:
            await asyncio.wait({request}, timeout=UNDO_TIMEOUT)
        finally:
            request.cancel()  # does nothing to a request that has its answer
        if request.done() and not request.cancelled() and request.exception() is None:
            self._dispatch_id = request.result().id
            await self.stop()

    async def _job_runs(self) -> None:
        while True:
            for job in await self._jobs():
                if job.state.status == JobStatus.JS_RUNNING:
                    return
                if job.state.status != JobStatus.JS_PENDING:
                    # SUCCESS without a participant is how a worker's refusal is filed.
                    logger.warning(
                        "the avatar's job ended before it ran",
                        extra={"status": JobStatus.Name(job.state.status)},
                    )
                    raise AvatarDispatchError(
                        "a worker refused or ended the job (see its log)",
                        agent_name=self._agent_name,
                    )
            await asyncio.sleep(self._poll_interval)

    async def _jobs(self) -> list[Job]:
        try:
            listed = await self._service.list_dispatch(self._room)
        except (api.TwirpError, aiohttp.ClientError, asyncio.TimeoutError) as error:
            logger.debug(
                "the dispatch could not be looked at, trying again",
                extra={"error": type(error).__name__, "code": getattr(error, "code", None)},
            )
            return []
        return [
            job
            for dispatch in listed
            if dispatch.id == self._dispatch_id
            for job in dispatch.state.jobs
        ]
