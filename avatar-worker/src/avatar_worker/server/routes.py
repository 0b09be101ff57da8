"""Every path of the worker, and the only table from errors to HTTP answers."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from avatar_worker.errors import AvatarError, AvatarNotFoundError, CapacityError, PeerError
from avatar_worker.telemetry.metrics import Metrics

from . import refusals as no
from .api import CALLER, Api

BASES: Final = ("/v1/livekit", "/livekit/v1", "/v1", "")
RETRY_AFTER: Final = 2  # seconds; the public plugin's own pace

ERRORS: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (no.MissingParameterError, 400, "MISSING_PARAMETER"),
    (no.InvalidTokenError, 400, "INVALID_TOKEN"),
    (no.UrlNotAllowedError, 400, "URL_NOT_ALLOWED"),
    (no.KeyMissingError, 401, "INVALID_LICENSE"),
    (no.KeyWrongError, 403, "INVALID_LICENSE"),
    (AvatarNotFoundError, 404, "AVATAR_NOT_FOUND"),
    (no.SessionNotFoundError, 404, "SESSION_NOT_FOUND"),
    (no.AlreadyActiveError, 409, "AVATAR_ALREADY_ACTIVE"),
    (AvatarError, 422, "AVATAR_UNUSABLE"),
    (no.RateLimitedError, 429, "RATE_LIMIT_EXCEEDED"),
    (no.TooManySessionsError, 429, "RATE_LIMIT_EXCEEDED"),
    (PeerError, 502, "ROOM_JOIN_FAILED"),
    (no.DrainingError, 503, "DRAINING"),
    (CapacityError, 503, "AT_CAPACITY"),
)
"""First match wins; an error that is not here is a bug and answered 500 `INTERNAL_ERROR`."""
HTTP_CODES: Final = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "BODY_TOO_LARGE",
}

_log = logging.getLogger(__name__)


def add_routes(app: web.Application, api: Api) -> None:
    """Add every route and alias of the worker."""
    for base in BASES:
        _post(app, f"{base}/start-avatar", api.start)
        _post(app, f"{base}/stop-avatar", api.stop)
    app.router.add_get("/v1/sessions", api.list_sessions)
    app.router.add_get("/v1/sessions/{id}", api.get_session)
    app.router.add_delete("/v1/sessions/{id}", api.delete_session)
    app.router.add_get("/v1/avatars", api.list_avatars)
    app.router.add_get("/health", api.health)
    app.router.add_get("/ready", api.ready)
    app.router.add_get("/metrics", api.prometheus)


def _post(app: web.Application, path: str, handler: Handler) -> None:
    # A base URL with a slash at its end posts to `//v1/...`.
    for spelling in (path, f"/{path}", f"{path}/", f"/{path}/"):
        app.router.add_post(spelling, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as it is answered.

    Attributes:
        status: HTTP status.
        code: Stable code.
        sentence: For people; never foreign text, which carries URLs and headers.
        details: Facts of ours.
        retry_after: Seconds, or none.
    """

    status: int
    code: str
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """Look `error` up."""
        for kind, status, code in ERRORS:
            if isinstance(error, kind):
                return cls(
                    status=status,
                    code=code,
                    sentence=str(error),
                    details=_details(error),
                    retry_after=_wait(error, status),
                )
        if isinstance(error, web.HTTPException):
            code = HTTP_CODES.get(error.status, f"HTTP_{error.status}")
            return cls(status=error.status, code=code, sentence=error.reason)
        sentence = "an internal error; the worker's log has it"
        return cls(status=500, code="INTERNAL_ERROR", sentence=sentence)

    def response(self) -> web.Response:
        """Return it as an answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        content = {"error": self.sentence, "code": self.code, "details": self.details}
        return web.json_response(content, status=self.status, headers=headers)


def _details(error: Exception) -> dict[str, Any]:
    if isinstance(error, no.DrainingError):
        return {}
    if isinstance(error, CapacityError):
        return {"active": error.active, "capacity": error.capacity, "reason": "sessions"}
    for name in ("field", "claim", "avatar_id", "session_id", "quota"):
        if (value := getattr(error, name, None)) is not None:
            return {name: value}
    return {}


def _wait(error: Exception, status: int) -> int | None:
    if isinstance(error, no.RateLimitedError):
        return error.retry_after
    return RETRY_AFTER if status in (429, 503) else None


def answering(metrics: Metrics) -> Middleware:
    """Return the middleware that answers errors, counts every request and logs a line for it."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        route = _template(request)
        code = None
        try:
            response = await handler(request)
        except web.HTTPRedirection:
            raise
        except Exception as error:
            problem = Problem.of(error)
            code = problem.code
            metrics.api_errors.labels(code).inc()
            if problem.status == 500:
                _log.exception("request failed", extra={"route": route})
            response = problem.response()
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = ",".join(sorted(error.allowed_methods))
        response.force_close()  # a deadline for headers holds once a connection, see `patience`
        response.headers["Server"] = "avatar-worker"  # and not the versions beneath it
        metrics.api_requests.labels(route, _method(request), str(response.status)).inc()
        _log.info(
            "request answered",
            extra={
                "method": _method(request),
                "route": route,
                "status": response.status,
                "code": code,
                "ms": round(1000 * (time.monotonic() - began), 1),
                "caller": request.get(CALLER),
            },
        )
        return response

    return answer


def _template(request: web.Request) -> str:
    """Return the route as it was added, without what callers put into it."""
    resource = request.match_info.route.resource
    if resource is None:
        return "unknown"
    canonical = resource.canonical
    return "/" + canonical.strip("/") if canonical else "unknown"


def _method(request: web.Request) -> str:
    known = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH")
    return request.method if request.method in known else "other"
