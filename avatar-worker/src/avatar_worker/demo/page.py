"""The demo's web page and the endpoint that opens a fresh room for it.

Only `avatar-worker demo` and `dev` add these routes: the endpoint hands room tokens to whoever can
load the page, which is meant for one person on one machine.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from urllib.parse import urlsplit

from aiohttp import ClientError, web

from livekit import api

from .agent_name import AGENT_NAME

COOKIE = "avatar_demo"
CSRF_HEADER = "X-CSRF-Token"
TOKEN_LIFE = timedelta(hours=1)
ROOMS_PER_MINUTE = 30
MAX_TICKET = 200  # bytes

FILES = {
    "app.js": "text/javascript",
    "style.css": "text/css",
    "vendor/livekit-client.umd.js": "text/javascript",
}


@dataclass(frozen=True, kw_only=True)
class DemoPage:
    """What the page needs to know; call it with the worker's application to add the routes."""

    livekit_url: str
    """As the browser reaches it, `ws://` or `wss://`."""
    api_key: str
    api_secret: str = field(repr=False)
    agent_name: str = AGENT_NAME
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    """Host names under which the page may be asked for; others are refused, against rebinding."""
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    """Seconds, for the limit on rooms."""

    def __call__(self, app: web.Application) -> None:
        """Add `GET /`, `GET /demo/<file>`, `POST /demo/token` and `POST /demo/leave`."""
        door = _Door(self)
        app.router.add_get("/", door.index)
        app.router.add_get("/demo/{file:.+}", door.file)
        app.router.add_post("/demo/token", door.token)
        app.router.add_post("/demo/leave", door.leave)


def content_security_policy(livekit_url: str) -> str:
    """The page's own files, its own server and one LiveKit server; nothing else.

    livekit-client opens a WebSocket and asks the same host over HTTP why a join failed.
    """
    parts = urlsplit(livekit_url)
    secure = "s" if parts.scheme == "wss" else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            f"connect-src 'self' ws{secure}://{parts.netloc} http{secure}://{parts.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class _Door:
    """The handlers. The only state is a key for cookies and the times of the last rooms."""

    def __init__(self, options: DemoPage) -> None:
        self._options = options
        self._key = secrets.token_bytes(32)
        self._opened: deque[float] = deque(maxlen=ROOMS_PER_MINUTE)
        self._policy = content_security_policy(options.livekit_url)

    async def index(self, request: web.Request) -> web.Response:
        self._check_host(request)
        visitor = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
        text = _read("index.html").decode()
        text = text.replace("{{csrf}}", html.escape(self._csrf(visitor), quote=True))
        response = self._respond(text.encode(), "text/html")
        response.set_cookie(COOKIE, visitor, httponly=True, samesite="Strict", path="/")
        return response

    async def file(self, request: web.Request) -> web.Response:
        self._check_host(request)
        name = request.match_info["file"]
        if name not in FILES:
            raise web.HTTPNotFound
        return self._respond(_read(name), FILES[name])

    async def token(self, request: web.Request) -> web.Response:
        """Answer with a viewer's token for a fresh room; the join itself brings the agent.

        The viewer has to be in the room before the agent: a participant without a track is
        announced to those who are there already up to 3 s late, and the agent waits for it.
        """
        self._check_host(request)
        visitor = request.cookies.get(COOKIE, "")
        shown = request.headers.get(CSRF_HEADER, "")
        if not visitor or not hmac.compare_digest(shown.encode(), self._csrf(visitor).encode()):
            return _refuse(403, "Reload the page and try again.")
        wait = self._seconds_until_free()
        if wait > 0:
            refusal = _refuse(429, "Too many rooms were opened; wait a moment.")
            refusal.headers["Retry-After"] = str(int(wait) + 1)
            return refusal
        room = f"demo-{secrets.token_hex(8)}"
        answer = {
            "url": self._options.livekit_url,
            "token": self._viewer_token(room),
            "room": room,
            "leave": f"{room} {self._sign(f'leave {room}')}",
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def leave(self, request: web.Request) -> web.Response:
        """Close the room whose ticket is the body.

        A browser that leaves a page can post a few bytes, and little else: without this the room
        would learn of it only from a connection that has gone silent.
        """
        self._check_host(request)
        if (request.content_length or 0) > MAX_TICKET:
            return _refuse(413, "That is no ticket.")
        room, _, shown = (await request.content.read(MAX_TICKET)).decode("latin-1").partition(" ")
        if not hmac.compare_digest(shown.encode(), self._sign(f"leave {room}").encode()):
            return _refuse(403, "That is no ticket.")
        try:
            async with self._livekit() as livekit:
                await livekit.room.delete_room(api.DeleteRoomRequest(room=room))
        except (api.TwirpError, ClientError, TimeoutError):
            return _refuse(502, "The LiveKit server does not answer.")
        return web.Response(status=204)

    def _livekit(self) -> api.LiveKitAPI:
        options = self._options
        return api.LiveKitAPI(options.livekit_url, options.api_key, options.api_secret)

    def _viewer_token(self, room: str) -> str:
        grants = api.VideoGrants(
            room_join=True, room=room, can_publish=False, can_publish_data=True, can_subscribe=True
        )
        token = api.AccessToken(self._options.api_key, self._options.api_secret)
        token = token.with_identity(f"viewer-{secrets.token_hex(4)}").with_name("You")
        # Only the join that creates a room dispatches; nobody else knows this room's name.
        agent = api.RoomAgentDispatch(agent_name=self._options.agent_name)
        token = token.with_room_config(api.RoomConfiguration(agents=[agent]))
        return token.with_ttl(TOKEN_LIFE).with_grants(grants).to_jwt()

    def _seconds_until_free(self) -> float:
        """0 when one more room may be opened now, which then counts."""
        now = self._options.clock()
        if len(self._opened) == ROOMS_PER_MINUTE and now - self._opened[0] < 60.0:
            return 60.0 - (now - self._opened[0])
        self._opened.append(now)
        return 0.0

    def _csrf(self, visitor: str) -> str:
        return self._sign(f"csrf {visitor}")

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _check_host(self, request: web.Request) -> None:
        host = urlsplit(f"//{request.host}").hostname
        if host not in self._options.hosts:
            raise web.HTTPMisdirectedRequest(text="This page is served on this machine only.\n")

    def _respond(self, body: bytes, content_type: str) -> web.Response:
        return web.Response(
            body=body,
            content_type=content_type,
            charset="utf-8",
            headers={
                "Content-Security-Policy": self._policy,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cache-Control": "no-cache",
            },
        )


def _refuse(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


def _read(name: str) -> bytes:
    return resources.files(__package__).joinpath("page", *name.split("/")).read_bytes()
