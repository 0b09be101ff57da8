"""A local livekit-server: find it, build it once if need be, run it on free ports.

`python -m avatar_worker.demo.livekit_server` prints the path of the binary.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avatar_worker.errors import ConfigError

from .child import Child, start_child

VERSION = "1.13.5"
MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
GO_NEEDED = (1, 26)

HOW_TO_GET_ONE = (
    f"livekit-server {VERSION} is missing. Do one of these and run again: set LIVEKIT_SERVER_BIN to "
    "a livekit-server binary; put `livekit-server` on PATH; or put Go "
    f"{GO_NEEDED[0]}.{GO_NEEDED[1]} or newer on PATH, and it is built here once (3 to 4 minutes)."
)

STARTUP_S = 20.0
TICK_S = 0.5
TICKS_PER_LINE = 10
Progress = Callable[[str], None]


def cached_binary(env: Mapping[str, str]) -> Path:
    """Where the built binary is kept: `$XDG_CACHE_HOME` or `~/.cache`, then `avaluma/bin`."""
    cache = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME") or Path.home()) / ".cache")
    return cache / "avaluma" / "bin" / f"livekit-server-{VERSION}"


def find(env: Mapping[str, str] | None = None) -> Path | None:
    """The first livekit-server there is: `LIVEKIT_SERVER_BIN`, `PATH`, then our cache.

    Raises:
        ConfigError: `LIVEKIT_SERVER_BIN` is set to something that cannot be run.
    """
    env = os.environ if env is None else env
    if named := env.get("LIVEKIT_SERVER_BIN"):
        if not os.access(named, os.X_OK) or not os.path.isfile(named):
            raise ConfigError(
                f"LIVEKIT_SERVER_BIN is {named!r}, which is not a file that can be run; "
                "point it at a livekit-server binary or unset it."
            )
        return Path(named)
    if on_path := shutil.which("livekit-server", path=env.get("PATH", "")):
        return Path(on_path)
    cached = cached_binary(env)
    return cached if os.access(cached, os.X_OK) else None


def find_or_build(
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    give_up: threading.Event | None = None,
) -> Path:
    """A livekit-server, built with Go when this machine has none.

    Args:
        env: where to look; the process's environment when None.
        progress: gets a line every few seconds of a build; stderr when None.
        give_up: ends a build when another thread sets it.

    Raises:
        ConfigError: there is none and none can be built; the message says how to get one.
    """
    env = os.environ if env is None else env
    found = find(env)
    return found or build(env, progress or _say, give_up or threading.Event())


def go_version(text: str) -> tuple[int, int] | None:
    """`go version go1.26.8 linux/amd64` as (1, 26), None when it is not a release."""
    match = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def build(env: Mapping[str, str], progress: Progress, give_up: threading.Event) -> Path:
    """Build the pinned version into the cache and return its path.

    Raises:
        ConfigError: no Go, a Go that is too old, or the build failed.
    """
    go = shutil.which("go", path=env.get("PATH", ""))
    if go is None:
        raise ConfigError(HOW_TO_GET_ONE)
    answer = subprocess.run(
        [go, "version"], env=dict(env), capture_output=True, text=True, check=False
    )
    version = go_version(answer.stdout)
    if version is None or version < GO_NEEDED:
        there = answer.stdout.strip() or answer.stderr.strip()
        raise ConfigError(f"{HOW_TO_GET_ONE} (The Go on PATH says: {there})")
    target = cached_binary(env)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed, so that a half-built binary is never found.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as scratch:
        command = [go, "install", MODULE]
        child = start_child(command, env={**env, "GOBIN": scratch, "CGO_ENABLED": "0"}, name="go")
        try:
            _wait_with_progress(child, progress, give_up)
        finally:
            child.stop(grace_s=2.0)
        if child.returncode != 0:
            raise ConfigError(
                f"building livekit-server failed: {child.tail(6)}\n"
                f"`go install` needs to reach a Go module proxy (see `go env GOPROXY`). {HOW_TO_GET_ONE}"
            )
        os.replace(Path(scratch) / "server", target)
    return target


def _wait_with_progress(child: Child, progress: Progress, give_up: threading.Event) -> None:
    """Tell the time every few seconds until the child has ended."""
    started = time.monotonic()
    for tick in itertools.count():
        if tick % TICKS_PER_LINE == 0:
            progress(
                f"building livekit-server {VERSION} with Go, once: "
                f"{time.monotonic() - started:.0f} s so far, 3 to 4 minutes on two cores"
            )
        if child.wait(TICK_S):
            return
        if give_up.is_set():
            raise ConfigError("building livekit-server was given up")


def _say(line: str) -> None:
    """One line on stderr; stdout is kept for the path."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@dataclass(frozen=True, kw_only=True)
class LiveKitServer:
    """A running livekit-server on 127.0.0.1."""

    port: int
    """HTTP and WebSocket."""
    api_key: str
    api_secret: str = field(repr=False)
    child: Child = field(repr=False)

    @property
    def url(self) -> str:
        """For `Room.connect` and browsers: `ws://127.0.0.1:port`."""
        return f"ws://127.0.0.1:{self.port}"

    def env(self) -> dict[str, str]:
        """The three LiveKit variables as the SDKs read them."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
        }


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def config(*, port: int, tcp_port: int, udp_port: int, api_key: str, api_secret: str) -> str:
    """The YAML for one node that is reached over loopback only. Unknown keys would be fatal."""
    return f"""\
port: {port}
bind_addresses: [127.0.0.1]
keys: {{{api_key}: {api_secret}}}
rtc: {{tcp_port: {tcp_port}, udp_port: {udp_port}, use_external_ip: false, node_ip: 127.0.0.1, enable_loopback_candidate: true}}
room: {{departure_timeout: 5, empty_timeout: 60}}
logging: {{level: warn, json: false}}
"""


@contextlib.asynccontextmanager
async def run_livekit_server(
    *, binary: Path | None = None, attempts: int = 3
) -> AsyncIterator[LiveKitServer]:
    """Start a livekit-server on free ports, wait until it answers, end it at the end of the block.

    Args:
        binary: which one; found or built when None.
        attempts: how often to choose new ports when another program takes one first.

    Raises:
        ConfigError: there is none, or it does not start; the message carries its last lines.
    """
    if binary is None:
        binary = await asyncio.to_thread(find_or_build)
    for attempt in range(attempts):
        server = _launch(binary)
        try:
            if await _answers(server):
                yield server
                return
            if attempt + 1 == attempts or server.child.returncode is None:
                raise ConfigError(f"livekit-server did not start: {server.child.tail(6)}")
        finally:
            # The first signal makes it wait for its rooms to empty, the second ends it.
            await asyncio.to_thread(server.child.stop, asks=2)


def _launch(binary: Path) -> LiveKitServer:
    """Start the process. The configuration, secret included, travels in its environment."""
    key, secret = "devkey", secrets.token_hex(24)
    port = free_port()
    body = config(
        port=port,
        tcp_port=free_port(),
        udp_port=free_port(socket.SOCK_DGRAM),
        api_key=key,
        api_secret=secret,
    )
    child = start_child(
        [str(binary)], env={**os.environ, "LIVEKIT_CONFIG": body}, name="livekit-server"
    )
    return LiveKitServer(port=port, api_key=key, api_secret=secret, child=child)


async def _answers(server: LiveKitServer) -> bool:
    """Whether `GET /` says 200 before the process ends or the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STARTUP_S
    while loop.time() < deadline and server.child.returncode is None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            status = await reader.readline()
            writer.close()
            await writer.wait_closed()
            if b" 200 " in status:
                return True
        await asyncio.sleep(0.05)
    return False


def main() -> int:
    """Print the path of a livekit-server, building one if there is none."""
    try:
        path = find_or_build()
    except ConfigError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
