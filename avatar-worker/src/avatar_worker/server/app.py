"""The place where everything is wired together, and the life of the process."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from avatar_worker.config import Settings, is_loopback
from avatar_worker.errors import ConfigError, DeviceError
from avatar_worker.telemetry.log import describe
from avatar_worker.telemetry.metrics import Metrics

from . import livekit_url
from .admission import Places
from .api import Api
from .auth import KeyRing
from .build import build_worker
from .drain import Ending, on_signals
from .host_options import HostOptions
from .patience import patient
from .rate_limit import RateLimiter
from .routes import add_routes, answering
from .sessions import SessionHost
from .start_request import MAX_BODY, StartPolicy
from .worker import Worker

OK: Final = 0
DEVICE_LOST: Final = 70
HEADER_TIMEOUT: Final = 5.0  # seconds for a request line and its headers
LINGER: Final = 1.0  # seconds for the rest of a body that nobody will read
LAG_PERIOD: Final = 0.5  # seconds between two looks at the event loop
CLOSE_TIMEOUT: Final = 10.0  # seconds that ending all sessions may take
OPEN_LIMIT: Final = 1_000_000  # calls a minute where no key is configured: loopback only

Extra = Callable[[web.Application], None]

_log = logging.getLogger(__name__)


def make_host(settings: Settings, worker: Worker, metrics: Metrics) -> SessionHost:
    """Return the host of this worker's sessions."""
    return SessionHost(
        join=worker.join,
        open_avatar=worker.avatars.open,
        places=Places(settings.max_sessions),
        metrics=metrics,
        options=HostOptions(
            speech_from=settings.speech_from,
            speech_from_max=settings.speech_from_max,
            start_budget=settings.start_budget,
        ),
    )


def make_app(
    settings: Settings,
    worker: Worker,
    host: SessionHost,
    metrics: Metrics,
    extra: Sequence[Extra] = (),
) -> web.Application:
    """Return the HTTP door.

    Args:
        settings: The operator's.
        worker: Its avatars and checks are shown.
        host: Does the work.
        metrics: Counts it.
        extra: Adds further routes, e.g. the demo's page.

    Raises:
        ConfigError: If the list of LiveKit hosts cannot be read.
    """

    def no_avatar() -> str | None:
        return None if worker.avatars.entries() else "no avatar"

    registration = (worker.dispatch.not_registered,) if worker.dispatch is not None else ()
    secret = settings.livekit_api_secret
    secrets = (
        {settings.livekit_api_key: secret.get_secret_value()}
        if settings.livekit_api_key and secret
        else {}
    )
    keys = KeyRing.of(key.get_secret_value() for key in settings.api_keys)
    limit = OPEN_LIMIT if keys.is_open else settings.rate_limit
    api = Api(
        host=host,
        avatars=worker.avatars,
        keys=keys,
        policy=StartPolicy(
            hosts=livekit_url.rules(
                settings.livekit_hosts, settings.livekit_url, local=is_loopback(settings.host)
            ),
            secrets=secrets,
            default_avatar=settings.default_avatar,
            max_duration=settings.max_duration,
        ),
        metrics=metrics,
        starts=RateLimiter(limit),
        calls=RateLimiter(limit),
        strangers=RateLimiter(settings.rate_limit),
        checks=(*worker.checks, no_avatar, *registration, host.not_ready),
        metrics_networks=settings.metrics_networks,
    )
    app = web.Application(client_max_size=MAX_BODY, middlewares=[answering(metrics)])
    add_routes(app, api)
    for add in extra:
        add(app)
    return app


async def serve(
    settings: Settings,
    *,
    extra: Sequence[Extra] = (),
    ready: asyncio.Event | None = None,
    worker: Worker | None = None,
    ending: Ending | None = None,
    on_listening: Callable[[str, int], None] | None = None,
) -> int:
    """Run both doors until SIGTERM or SIGINT, drain, and return the exit code.

    Args:
        settings: The operator's.
        extra: Adds further routes.
        ready: Set once the HTTP door is open.
        worker: The parts to stand on; by default those of `build_worker`.
        ending: A way to ask for the end beside the signals.
        on_listening: Told the address and port once the HTTP door is open.

    Raises:
        ConfigError: If a setting makes no sense, or the port is taken.
    """
    worker = build_worker(settings) if worker is None else worker
    ending = ending or Ending()
    metrics = Metrics()
    metrics.look_ahead.set(settings.look_ahead_ms / 1000)
    metrics.watch_failures(worker.failures)
    try:
        host = make_host(settings, worker, metrics)
        app = make_app(settings, worker, host, metrics, extra)
        async with _listening(app, settings) as (address, port):
            with on_signals(ending):
                _log.info("worker listens", extra={"address": address, "port": port})
                if on_listening is not None:
                    on_listening(address, port)
                if ready is not None:
                    ready.set()
                return await _until_the_end(settings, worker, host, metrics, ending)
    finally:
        await worker.aclose()


@asynccontextmanager
async def _listening(app: web.Application, settings: Settings) -> AsyncIterator[tuple[str, int]]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, lingering_time=LINGER)
    await runner.setup()
    assert runner.server is not None
    try:
        server = await _bind(patient(runner.server, HEADER_TIMEOUT), settings)
        try:
            address, port = server.sockets[0].getsockname()[:2]
            yield address, port
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _bind(factory: Callable[[], asyncio.Protocol], settings: Settings) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, settings.host, settings.port)
    except socket.gaierror:
        raise ConfigError(
            f"there is no address {settings.host} on this machine; set AVATAR_WORKER_HOST"
        ) from None
    except OSError:
        raise ConfigError(
            f"port {settings.port} on {settings.host} cannot be opened, another program may "
            "hold it; choose one with --port or AVATAR_WORKER_PORT"
        ) from None


async def _until_the_end(
    settings: Settings, worker: Worker, host: SessionHost, metrics: Metrics, ending: Ending
) -> int:
    """Watch what runs beside HTTP; return the exit code when all sessions are gone."""
    background = [asyncio.create_task(_measure_lag(metrics), name="loop lag")]
    if worker.dispatch is not None:
        background.append(asyncio.create_task(_dispatch(worker, host), name="dispatch door"))
    lost = asyncio.ensure_future(worker.watch()) if worker.watch else None
    asked = asyncio.create_task(ending.wanted.wait(), name="end asked for")
    try:
        await asyncio.wait({asked, *([lost] if lost else [])}, return_when="FIRST_COMPLETED")
        code, reason = OK, "drain"
        if lost is not None and lost.done():
            error = lost.exception() or DeviceError("the device stopped")
            _log.critical("device lost, every session ends", extra={"cause": describe(error)})
            code, reason = DEVICE_LOST, "device_lost"
            ending.urgent.set()
        await _drain(settings, worker, host, ending, reason)
        return code
    finally:
        await _cancel([task for task in (*background, asked, lost) if task is not None])
        if worker.dispatch is not None:
            await worker.dispatch.aclose()


async def _drain(
    settings: Settings, worker: Worker, host: SessionHost, ending: Ending, reason: str
) -> None:
    _log.info("worker drains", extra={"sessions": host.active()})
    host.stop_admitting()
    closing: list[asyncio.Task[Any]] = []
    if worker.dispatch is not None:
        closing.append(asyncio.create_task(worker.dispatch.drain(), name="dispatch drain"))
    waiting = asyncio.create_task(host.wait_empty(settings.drain_timeout), name="drain")
    urgent = asyncio.create_task(ending.urgent.wait(), name="end at once")
    await asyncio.wait({waiting, urgent}, return_when="FIRST_COMPLETED")
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await host.close_all(reason)
    except TimeoutError:
        _log.error("sessions did not end in time", extra={"sessions": host.active()})
    finally:
        await _cancel([waiting, urgent, *closing])


async def _dispatch(worker: Worker, host: SessionHost) -> None:
    assert worker.dispatch is not None
    try:
        await worker.dispatch.run(host)
    except Exception as error:
        # HTTP starts go on: they bring their own LiveKit.
        _log.error("dispatch door closed", extra={"cause": describe(error)})


async def _measure_lag(metrics: Metrics) -> None:
    while True:
        due = time.monotonic() + LAG_PERIOD
        await asyncio.sleep(LAG_PERIOD)
        metrics.loop_lag.observe(max(0.0, time.monotonic() - due))


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
