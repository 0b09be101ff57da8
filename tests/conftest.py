from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from avatar_worker.demo import chromium
from avatar_worker.demo.livekit_server import LiveKitServer, run_livekit_server
from avatar_worker.engine import Engine
from avatar_worker.errors import ConfigError
from fakes.watched_face import WatchedPipeline


@pytest.fixture(scope="session")
def livekit_server() -> Iterator[LiveKitServer]:
    """The real livekit-server on free ports, one for the whole run; without one the test fails."""
    stack = AsyncExitStack()
    # A thread of its own keeps this loop apart from the tests' loops, and holds the process: on
    # Linux it ends with the thread that started it.
    with ThreadPoolExecutor(1, "livekit-server") as thread, asyncio.Runner() as runner:
        entering = stack.enter_async_context(run_livekit_server())
        try:
            server = thread.submit(runner.run, entering).result()
        except ConfigError as error:
            pytest.fail(str(error), pytrace=False)
        yield server
        thread.submit(runner.run, stack.aclose()).result()


@pytest.fixture(scope="session")
def chromium_binary() -> Path:
    """A Chromium; without one the test fails and says how to get it."""
    try:
        return chromium.find_or_install()
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def face() -> WatchedPipeline:
    """What the test's engine draws with: plain pictures, and what they were to show."""
    return WatchedPipeline()


@pytest.fixture
def engine(face: WatchedPipeline) -> Iterator[Engine]:
    """A render engine that draws plain pictures, and is whole at the end."""
    engine = Engine(face)
    yield engine
    engine.close()
    assert engine.failed is None
