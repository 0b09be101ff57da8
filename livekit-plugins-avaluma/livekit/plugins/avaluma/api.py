from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import aiohttp

from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APITimeoutError,
)

from .errors import AvatarServerError
from .log import logger

START_PATH = "/v1/livekit/start-avatar"
STOP_PATH = "/v1/livekit/stop-avatar"

DEFAULT_SAMPLE_RATE = 16000
FEATURE_PLAYBACK_STARTED = "playback_started"
FEATURE_PAUSE = "pause"

# Bounds the whole request: a server that accepts the connection and never answers
# must not hang the agent.
REQUEST_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
MAX_RETRY_AFTER = 30.0
# How long a cancelled start waits for the answer, to stop what the server has begun.
UNDO_TIMEOUT = 3.0


@dataclass(frozen=True)
class StartReply:
    """What the avatar's side can do, as far as it says."""

    playback_started: bool = False
    """It calls ``lk.playback_started`` at the first audible sample."""
    pause: bool = False
    """It answers ``avaluma.pause`` and ``avaluma.resume``."""
    sample_rate: int = DEFAULT_SAMPLE_RATE
    """The rate it wants to receive, Hz."""


class RemoteAvatar(Protocol):
    """A door to the avatar's side: the HTTP API or LiveKit dispatch."""

    async def start(self) -> StartReply:
        """Bring the avatar into the room. Cancelling it undoes what was begun."""

    async def stop(self) -> None:
        """Take the avatar out of the room. Never raises, does nothing if none was started."""


class AvatarServer:
    """One avatar session on an avatar server."""

    def __init__(
        self,
        *,
        base_url: str,
        license_key: str | None,
        request: Mapping[str, Any],
        conn_options: APIConnectOptions,
        http_session: Callable[[], aiohttp.ClientSession],
    ) -> None:
        self._base_url = base_url
        self._request = dict(request)
        self._conn_options = conn_options
        self._http_session = http_session
        self._headers = {"api-secret": license_key} if license_key else {}
        self._session_id: str | None = None

    @property
    def session_id(self) -> str | None:
        """The server's name for the session; None before the start, or if it gave none."""
        return self._session_id

    async def start(self) -> StartReply:
        """Ask for the avatar until the server agrees or refuses.

        Raises:
            AvatarServerError: The server refused, or was still too busy at the last try.
            APIConnectionError: The server could not be reached in any try.
        """
        # The same over all tries: a try whose answer was lost finds its own session again.
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        tries = self._conn_options.max_retry + 1
        for attempt in range(tries):
            last = attempt + 1 == tries
            delay = self._conn_options._interval_for_retry(attempt)
            try:
                return await self._try_start(headers)
            except AvatarServerError as error:
                if last or not error.retryable:
                    raise
                delay = max(delay, error.retry_after)
                reason: dict[str, object] = {"status": error.status_code}
            except asyncio.TimeoutError:
                if last:
                    raise APITimeoutError("the avatar server did not answer in time") from None
                reason = {"error": "timeout"}
            except aiohttp.ClientError as error:
                if last:
                    # The cause carries the URL and the headers.
                    raise APIConnectionError("the avatar server cannot be reached") from None
                reason = {"error": type(error).__name__}
            logger.warning(
                "the avatar server did not start the session, trying again",
                extra={**reason, "attempt": attempt + 1, "delay": delay},
            )
            await asyncio.sleep(delay)
        raise AssertionError("unreachable: the last try returns or raises")

    async def stop(self) -> None:
        session_id, self._session_id = self._session_id, None
        if session_id is None:
            return
        try:
            status, _, _ = await self._post(
                STOP_PATH, {"session_id": session_id}, self._headers, total=STOP_TIMEOUT
            )
        except Exception as error:
            # RuntimeError too: after the job the http context is gone.
            logger.warning(
                "the avatar server could not be told to stop, the avatar leaves by itself",
                extra={"error": type(error).__name__, "session_id": session_id},
            )
            return
        if status >= 400:
            logger.debug(
                "the avatar server did not know the session to stop",
                extra={"status": status, "session_id": session_id},
            )

    async def _try_start(self, headers: dict[str, str]) -> StartReply:
        request = asyncio.create_task(
            self._post(START_PATH, self._request, headers, total=REQUEST_TIMEOUT),
            name="avaluma.start_avatar",
        )
        try:
            status, retry_after, body = await asyncio.shield(request)
        except asyncio.CancelledError:
            await self._undo(request)
            raise
        if not 200 <= status < 300:
            raise _status_error(status, retry_after, body)
        return self._accept(body)

    async def _undo(self, request: asyncio.Task[tuple[int, float, str]]) -> None:
        """End a request nobody waits for any more, and the session it may have started.

        The server goes on with a start whose client hung up, and only its answer names
        the session.
        """
        try:
            await asyncio.wait({request}, timeout=UNDO_TIMEOUT)
        finally:
            request.cancel()  # does nothing to a request that has its answer
        if not request.done() or request.cancelled() or request.exception() is not None:
            return
        status, _, body = request.result()
        if 200 <= status < 300:
            self._accept(body)
            await self.stop()

    def _accept(self, body: str) -> StartReply:
        answer: dict[str, Any] = {}
        if body.strip():
            answer = _json_object(body)
            if not answer:
                logger.warning("the avatar server's answer is no JSON object and is ignored")
        session_id = answer.get("session_id")
        self._session_id = session_id if isinstance(session_id, str) and session_id else None

        rate = answer.get("sample_rate", DEFAULT_SAMPLE_RATE)
        if type(rate) is not int or not 8000 <= rate <= 48000:
            logger.warning("the avatar server asks for an impossible sample rate, using 16000")
            rate = DEFAULT_SAMPLE_RATE
        listed = answer.get("features")
        features = listed if isinstance(listed, list) else []
        return StartReply(
            playback_started=FEATURE_PLAYBACK_STARTED in features,
            pause=FEATURE_PAUSE in features,
            sample_rate=rate,
        )

    async def _post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], *, total: float
    ) -> tuple[int, float, str]:
        """Return status, seconds of Retry-After (0.0 without one), and body."""
        async with self._http_session().post(
            self._base_url + path,
            json=body,
            headers=headers,
            # A redirect would take the key and the room token elsewhere.
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=total, sock_connect=self._conn_options.timeout),
        ) as response:
            text = await response.text(errors="replace")
            return response.status, _retry_after(response.headers.get("Retry-After")), text


def _status_error(status: int, retry_after: float, body: str) -> AvatarServerError:
    answer = _json_object(body)
    code = answer.get("code")
    if not isinstance(code, str):
        code = ""
    if 300 <= status < 400:
        message = "the avatar server redirects: set AVALUMA_API_URL to its final address"
    elif code:
        message = f"the avatar server refused the start: {code}"
    else:
        message = "the avatar server refused the start"
    return AvatarServerError(
        message,
        status_code=status,
        code=code,
        retry_after=retry_after,
        body={key: answer[key] for key in ("code", "error") if key in answer} or None,
    )


def _json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object; anything else is an empty one."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _retry_after(value: str | None) -> float:
    """Seconds to wait, from delta-seconds or an HTTP date (RFC 9110, 10.2.3), at most 30."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else 0.0
