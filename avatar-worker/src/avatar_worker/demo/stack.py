"""`avatar-worker demo`: livekit-server, worker, agent and page, started together, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp

from avatar_worker.config import Settings, read_settings
from avatar_worker.errors import AvatarWorkerError, ConfigError, DeviceError
from avatar_worker.server.app import serve
from avatar_worker.server.drain import Ending
from avatar_worker.telemetry import log

from .child import Child, start_child
from .livekit_server import LiveKitServer, find_or_build, free_port, run_livekit_server
from .page import DemoPage

HOST = "127.0.0.1"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEFAULT_PORT = 8080
DEFAULT_AVATAR = "demo"
REGISTERED = "REGISTERED"
"""What `demo.agent` prints when rooms can be sent to it."""
WORKER_STARTUP_S = 60.0
AGENT_STARTUP_S = 60.0
POLL_S = 0.1

Say = Callable[[str], None]


def say(line: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def run_demo(
    *,
    port: int = DEFAULT_PORT,
    avatar_id: str = DEFAULT_AVATAR,
    livekit_binary: Path | None = None,
    say: Say = say,
) -> None:
    """Run the whole demo until SIGINT or SIGTERM, then end every part of it and return.

    Args:
        port: of the page and the worker on 127.0.0.1; 0 takes a free one.
        avatar_id: the avatar that is shown.
        livekit_binary: a livekit-server; found or built when None.
        say: gets progress, and at last the one line with the URL.

    Raises:
        ConfigError: the port is taken, or there is no livekit-server.
        AvatarWorkerError: a part ended by itself; the message carries its last lines.
    """
    with _stop_signals() as stop:
        demo = asyncio.create_task(
            _run(port or free_port(), avatar_id, livekit_binary, say, stop), name="demo"
        )
        stopping = asyncio.create_task(stop.wait(), name="demo stop signal")
        try:
            await asyncio.wait({demo, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not demo.done():
                say("Ending the demo ...")
        finally:
            stopping.cancel()
            demo.cancel()
            await asyncio.wait({demo, stopping})
        if not demo.cancelled():
            demo.result()


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set for as long as the block lasts."""
    stop = asyncio.Event()
    _hear(stop)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)


def _hear(stop: asyncio.Event) -> None:
    """Let the signals set the event, whoever heard them before."""
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _run(
    port: int, avatar_id: str, livekit_binary: Path | None, say: Say, stop: asyncio.Event
) -> None:
    _check_port(port)
    binary = livekit_binary or await _livekit_binary(say)
    say("Starting livekit-server, the avatar worker and the demo agent ...")
    async with run_livekit_server(binary=binary) as livekit:
        key = secrets.token_hex(24)
        settings = demo_settings(port=port, livekit=livekit, key=key, avatar_id=avatar_id)
        log.configure(level=settings.log_level, form=settings.log_format)
        # They start side by side and end in this order: an agent that ends first stops its avatars.
        async with (
            _worker(settings, livekit, stop) as worker,
            _agent(port=port, livekit=livekit, key=key, avatar_id=avatar_id) as agent,
        ):
            await _until_worker_is_ready(settings, worker)
            if not await _has_registered(agent):
                raise AvatarWorkerError(f"the demo agent did not start:\n{agent.tail(12)}")
            say(f"The avatar is waiting for you: http://{HOST}:{port}")
            say("Ctrl-C ends everything.")
            await _until_a_part_ends(worker, agent)


async def _livekit_binary(say: Say) -> Path:
    """Find or build in a thread; giving up here also ends the build."""
    give_up = threading.Event()
    try:
        return await asyncio.to_thread(find_or_build, progress=say, give_up=give_up)
    finally:
        give_up.set()


def demo_settings(*, port: int, livekit: LiveKitServer, key: str, avatar_id: str) -> Settings:
    """The worker's settings for the demo: loopback, one random key, quick to end."""
    return read_settings(
        host=HOST,
        port=port,
        api_keys=(key,),
        default_avatar=avatar_id,
        livekit_url=livekit.url,
        livekit_api_key=livekit.api_key,
        livekit_api_secret=livekit.api_secret,
        log_level=None if "AVATAR_WORKER_LOG_LEVEL" in os.environ else "warning",
        drain_timeout=0.0,
    )


def _check_port(port: int) -> None:
    """Refuse a port that is taken, before minutes are spent on anything else."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror}); choose another with --port"
            ) from None


@contextlib.asynccontextmanager
async def _worker(
    settings: Settings, livekit: LiveKitServer, stop: asyncio.Event
) -> AsyncIterator[asyncio.Task[int]]:
    """The worker as a task of this process, with the page beside its own routes."""
    page = DemoPage(livekit_url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    ending = Ending()

    def listening(*_: object) -> None:
        _hear(stop)  # the worker has just taken the signals for itself

    task = asyncio.create_task(
        serve(settings, extra=(page,), ending=ending, on_listening=listening), name="demo worker"
    )
    try:
        yield task
    finally:
        ending.wanted.set()
        ending.urgent.set()
        await asyncio.wait({task})
        _hear(stop)  # and has given them back to nobody


@contextlib.asynccontextmanager
async def _agent(
    *, port: int, livekit: LiveKitServer, key: str, avatar_id: str
) -> AsyncIterator[Child]:
    """The agent as a process of its own."""
    env = {
        **os.environ,
        **livekit.env(),
        "AVALUMA_API_URL": f"http://{HOST}:{port}",
        "AVALUMA_API_KEY": key,
        "AVALUMA_AVATAR_ID": avatar_id,
    }
    child = start_child(
        [sys.executable, "-m", "avatar_worker.demo.agent"], env=env, name="demo agent"
    )
    try:
        yield child
    finally:
        await asyncio.to_thread(child.stop)


async def _until_worker_is_ready(settings: Settings, worker: asyncio.Task[int]) -> None:
    url = f"http://{settings.host}:{settings.port}/ready"
    said = "no answer"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WORKER_STARTUP_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while loop.time() < deadline:
            if worker.done():
                await worker  # raises what ended it
                raise AvatarWorkerError("the worker ended while starting")
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
                    said = await answer.text()
            await asyncio.sleep(POLL_S)
    raise AvatarWorkerError(f"the worker is not ready after {WORKER_STARTUP_S:.0f} s: {said}")


async def _has_registered(agent: Child) -> bool:
    return await asyncio.to_thread(agent.wait_for_line, REGISTERED, AGENT_STARTUP_S)


async def _until_a_part_ends(worker: asyncio.Task[int], agent: Child) -> None:
    """Return when the worker was told to stop; raise when a part fails."""
    while not worker.done():
        if agent.returncode is not None:
            raise AvatarWorkerError(f"the demo agent ended by itself:\n{agent.tail(12)}")
        await asyncio.wait({worker}, timeout=0.5)
    if code := await worker:
        raise DeviceError(f"the worker ended with status {code}")
