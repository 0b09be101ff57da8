"""`start`, `dev` and `demo`: the commands that serve."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from avatar_worker.config import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on. [AVATAR_WORKER_HOST]")]
Port = Annotated[
    int | None, typer.Option(help="Port to listen on, 0 for a free one. [AVATAR_WORKER_PORT]")
]
Avatars = Annotated[
    str | None,
    typer.Option(help="Folders of avatars, separated by commas. [AVATAR_WORKER_AVATARS]"),
]
DefaultAvatar = Annotated[
    str | None,
    typer.Option(help="Avatar where a request names none. [AVATAR_WORKER_DEFAULT_AVATAR]"),
]
MaxSessions = Annotated[
    int | None, typer.Option(help="Most sessions at a time. [AVATAR_WORKER_MAX_SESSIONS]")
]
Renderer = Annotated[
    str | None, typer.Option(help="auto, cpu or reference. [AVATAR_WORKER_RENDERER]")
]
LogLevel = Annotated[
    str | None, typer.Option(help="debug, info, warning, error. [AVATAR_WORKER_LOG_LEVEL]")
]
LogFormat = Annotated[
    str | None, typer.Option(help="auto, pretty or json. [AVATAR_WORKER_LOG_FORMAT]")
]
Dispatch = Annotated[
    bool | None,
    typer.Option("--dispatch/--no-dispatch", help="Take LiveKit jobs. [AVATAR_WORKER_DISPATCH]"),
]

DEV_LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:7880",
    "LIVEKIT_API_KEY": "devkey",
    "LIVEKIT_API_SECRET": "secret",
}
"""What `livekit-server --dev` listens to."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(start)
    app.command()(dev)
    app.command()(demo)


def start(
    host: Host = None,
    port: Port = None,
    avatars: Avatars = None,
    default_avatar: DefaultAvatar = None,
    max_sessions: MaxSessions = None,
    renderer: Renderer = None,
    dispatch: Dispatch = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Serve avatars until SIGTERM, then drain.

    Opens the HTTP door, and the dispatch door where LIVEKIT_URL, LIVEKIT_API_KEY and
    LIVEKIT_API_SECRET are set. Beyond loopback it needs AVATAR_WORKER_API_KEYS.
    """
    from avatar_worker.config import read_settings

    _serve(
        read_settings(
            host=host,
            port=port,
            avatars=avatars,
            default_avatar=default_avatar,
            max_sessions=max_sessions,
            renderer=renderer,
            dispatch=dispatch,
            log_level=log_level,
            log_format=log_format,
        )
    )


def dev(
    port: Port = None,
    avatars: Avatars = None,
    default_avatar: DefaultAvatar = None,
    renderer: Renderer = None,
    log_level: LogLevel = "debug",
) -> None:
    """Serve on this machine only, against `livekit-server --dev` unless LIVEKIT_URL is set.

    Adds the demo's web page, whose endpoint hands out room tokens: never use it in production.
    """
    from avatar_worker.config import read_settings
    from avatar_worker.demo.page import DemoPage

    for name, value in DEV_LIVEKIT.items():
        os.environ.setdefault(name, value)
    settings = read_settings(
        host="127.0.0.1",
        port=port,
        avatars=avatars,
        default_avatar=default_avatar,
        renderer=renderer,
        log_level=log_level,
        log_format="pretty",
        drain_timeout=0.0,
    )
    assert settings.livekit_api_secret is not None
    page = DemoPage(
        livekit_url=settings.livekit_url or "",
        api_key=settings.livekit_api_key or "",
        api_secret=settings.livekit_api_secret.get_secret_value(),
    )
    _serve(settings, extra=(page,))


def demo(
    port: Annotated[int, typer.Option(help="Port of the page on this machine.")] = 8080,
    avatar: Annotated[str, typer.Option(help="Which avatar to show.")] = "demo",
) -> None:
    """Start everything here (LiveKit, worker, a keyless agent) and print one URL to open."""
    import asyncio

    from avatar_worker.demo.stack import run_demo

    asyncio.run(run_demo(port=port, avatar_id=avatar))


def _serve(settings: Settings, **options: Any) -> None:
    import asyncio

    from avatar_worker.server.app import serve
    from avatar_worker.server.arenas import limit_arenas
    from avatar_worker.telemetry import log

    limit_arenas()
    log.configure(
        level=settings.log_level, form=settings.log_format, personal=settings.log_personal
    )

    def listening(host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"avatar-worker listens on http://{shown}:{port}", err=True)

    raise typer.Exit(asyncio.run(serve(settings, on_listening=listening, **options)))
