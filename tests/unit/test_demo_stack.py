from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import pytest

from avatar_worker.demo import stack
from avatar_worker.demo.child import start_child
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.errors import AvatarWorkerError, ConfigError


def server() -> LiveKitServer:
    """A description of a livekit-server; the process behind it is none."""
    child = start_child([sys.executable, "-c", "pass"], env=os.environ, name="none")
    child.stop()
    return LiveKitServer(port=7880, api_key="devkey", api_secret="s" * 48, child=child)


def test_the_demo_s_worker_stays_on_this_machine_and_wants_its_own_key() -> None:
    settings = stack.demo_settings(port=8080, livekit=server(), key="k" * 48, avatar_id="demo")
    assert settings.host == "127.0.0.1"
    assert [key.get_secret_value() for key in settings.api_keys] == ["k" * 48]
    assert settings.livekit_url == "ws://127.0.0.1:7880"
    assert settings.default_avatar == "demo"
    assert settings.log_level == "warning"


def test_a_log_level_of_one_s_own_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_WORKER_LOG_LEVEL", "debug")
    settings = stack.demo_settings(port=1, livekit=server(), key="k" * 48, avatar_id="demo")
    assert settings.log_level == "debug"


def test_neither_the_secret_nor_the_key_shows_when_things_are_printed() -> None:
    livekit = server()
    settings = stack.demo_settings(port=1, livekit=livekit, key="k" * 48, avatar_id="demo")
    shown = f"{livekit!r} {settings!r}"
    assert "s" * 48 not in shown
    assert "k" * 48 not in shown


async def test_a_taken_port_is_refused_before_anything_starts() -> None:
    said: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} cannot be used.*--port"):
            await stack.run_demo(port=port, say=said.append)
    assert said == []


async def test_the_signals_are_given_back_when_the_demo_has_failed() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigError):
            await stack.run_demo(port=other.getsockname()[1], say=lambda line: None)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


async def test_an_agent_that_dies_ends_the_demo_with_its_last_words() -> None:
    child = start_child(
        [sys.executable, "-c", "raise SystemExit('out of words')"], env=os.environ, name="agent"
    )
    assert child.wait(20)
    loop = asyncio.get_running_loop()
    worker = loop.create_task(asyncio.sleep(30, 0), name="worker")
    with pytest.raises(AvatarWorkerError, match="(?s)ended by itself.*out of words"):
        await stack._until_a_part_ends(worker, child)
    worker.cancel()
    child.stop()
