"""`avatar-worker demo` as a person meets it: one command, one URL, a real browser."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from avatar_worker.demo.child import Child, start_child
from avatar_worker.demo.livekit_server import free_port
from avatar_worker.demo.script import GREETING, reply_to
from fakes.browser import LOUDNESS, VIDEO_HASH, complaints

pytestmark = pytest.mark.e2e

COMMAND = [str(Path(sys.executable).parent / "avatar-worker"), "demo"]
READY_S = 60.0


def start_demo(port: int) -> Child:
    """The command, in a session of its own, as a terminal would run it."""
    return start_child([*COMMAND, "--port", str(port)], env=os.environ, name="demo")


@asynccontextmanager
async def running_demo() -> AsyncIterator[tuple[str, Child]]:
    """The demo, ready; its URL."""
    port = free_port()
    child = start_demo(port)
    url = f"http://127.0.0.1:{port}"
    try:
        ready = await asyncio.to_thread(child.wait_for_line, "Ctrl-C ends everything.", READY_S)
        assert ready, child.tail(40)
        assert f"The avatar is waiting for you: {url}" in child.tail(40)
        yield url, child
    finally:
        await asyncio.to_thread(child.stop, grace_s=20)


def processes(pattern: str, of: int) -> list[int]:
    """Pids whose command line matches and whose ancestor is `of`."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    parents, matching = dict[int, int](), list[int]()
    for line in listed.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        parents[int(pid)] = int(parent)
        if re.search(pattern, command):
            matching.append(int(pid))

    def belongs(pid: int) -> bool:
        while pid := parents.get(pid, 0):
            if pid == of:
                return True
        return False

    return [pid for pid in matching if belongs(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_loud(page: Page, timeout: float) -> float:
    """Wait until the page plays something; how loud it then is."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if (level := float(await page.evaluate(LOUDNESS, 200))) > 0.03:
            return level
    raise TimeoutError(f"nothing was heard within {timeout} s")


async def until_quiet(page: Page, timeout: float) -> float:
    """Wait until the page has played nothing for 0.4 s; how long that took, in s."""
    started = time.monotonic()
    while time.monotonic() - started < timeout:
        if float(await page.evaluate(LOUDNESS, 400)) < 0.01:
            return time.monotonic() - started
    raise TimeoutError(f"still loud after {timeout} s")


@pytest.mark.timeout(240)
async def test_the_avatar_is_alive_speaks_and_can_be_interrupted(browser: Browser) -> None:
    async with running_demo() as (url, demo):
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        lines = complaints(page)
        await page.goto(url)

        # Alive: pictures come and change before anything is said.
        await expect(page.locator(".stage.live")).to_be_visible(timeout=15_000)
        hashes = set()
        for _ in range(20):
            hashes.add(await page.evaluate(VIDEO_HASH))
            await asyncio.sleep(0.05)
        assert len(hashes) > 4

        # It greets aloud, and the transcript follows.
        assert await until_loud(page, 20) > 0.03
        log = page.get_by_role("log").get_by_role("listitem")
        await expect(log.first).to_contain_text(GREETING[:20], timeout=10_000)
        await expect(page.get_by_role("status")).to_contain_text("Speaking")

        # Typing interrupts the greeting.
        field = page.get_by_label("Your message")
        await field.fill("stop")
        await page.keyboard.press("Enter")
        await expect(log.last).to_contain_text("Of course", timeout=10_000)
        await expect(log.last).to_contain_text(reply_to("stop")[-20:], timeout=30_000)
        await until_quiet(page, 15)
        await expect(page.get_by_role("status")).to_have_text("Listening", timeout=10_000)
        assert GREETING[-20:] not in await page.get_by_role("log").inner_text()

        # It answers aloud after a silence.
        await field.fill("who are you?")
        await page.keyboard.press("Enter")
        assert await until_loud(page, 10) > 0.03

        assert lines == []
        assert demo.returncode is None, demo.tail(40)


@pytest.mark.timeout(240)
async def test_a_second_visitor_gets_an_avatar_too(browser: Browser) -> None:
    async with running_demo() as (url, _):
        pages = [await browser.new_page() for _ in range(2)]
        for page in pages:
            await page.goto(url)
        for page in pages:
            await expect(page.locator(".stage.live")).to_be_visible(timeout=40_000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_ends_every_part_and_the_exit_status_is_0(number: signal.Signals) -> None:
    async with running_demo() as (_, demo):
        parts = processes("livekit-server|demo.agent", of=demo.pid)
        assert len(parts) == 2
        os.kill(demo.pid, number)
        assert await asyncio.to_thread(demo.wait, 15)
        assert demo.returncode == 0, demo.tail(40)
        assert "Traceback" not in demo.tail(400)
        assert [pid for pid in parts if alive(pid)] == []


async def test_ctrl_c_while_it_starts_ends_it_too() -> None:
    demo = start_demo(free_port())
    wanted = "Starting livekit-server, the avatar worker and the demo agent ..."
    assert await asyncio.to_thread(demo.wait_for_line, wanted, READY_S), demo.tail(40)
    parts = processes("livekit-server|demo.agent", of=demo.pid)
    os.kill(demo.pid, signal.SIGINT)
    assert await asyncio.to_thread(demo.wait, 20)
    tail = demo.tail(400)
    demo.stop()
    assert demo.returncode == 0, tail
    assert "Traceback" not in tail
    assert [pid for pid in parts if alive(pid)] == []


async def test_when_the_demo_is_killed_its_parts_end_too() -> None:
    async with running_demo() as (_, demo):
        parts = processes("livekit-server|demo.agent", of=demo.pid)
        os.kill(demo.pid, signal.SIGKILL)
        for _ in range(150):
            if not any(alive(pid) for pid in parts):
                break
            await asyncio.sleep(0.1)
        assert [pid for pid in parts if alive(pid)] == []


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        demo = start_demo(port)
        assert await asyncio.to_thread(demo.wait, 30)
        said = demo.tail(400)
        demo.stop()
    assert demo.returncode not in (0, None)
    assert f"port {port} cannot be used" in said
    assert "--port" in said
    assert "Traceback" not in said
