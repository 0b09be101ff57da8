"""examples/agent-2 as people run it: a command, and a page in a real browser."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.door import SpeechFrom
from avatar_worker.room.room_session import RoomSession
from fakes.browser import LOUDNESS, VIDEO_HASH, complaints
from fakes.scene import AVATAR, avatar_in, join_request, speech
from fakes.tokens import avatar_token, fresh_room, viewer_token
from fakes.viewer import Viewer, watch

from .conftest import CHROMIUM_FLAGS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

ROOT = Path(__file__).parents[2]
SPEAK = ROOT / "examples" / "agent-2" / "speak.py"


@dataclass
class Place:
    """A room with an avatar that speaks for nobody."""

    server: LiveKitServer
    room: str
    session: RoomSession
    viewer: Viewer

    async def command(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Run `speak.py`; its exit code and what it wrote."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SPEAK),
            *arguments,
            env=os.environ
            | {
                "LIVEKIT_URL": self.server.url,
                "LIVEKIT_API_KEY": self.server.api_key,
                "LIVEKIT_API_SECRET": self.server.api_secret,
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def place(server: LiveKitServer, engine: Engine) -> AsyncIterator[Place]:
    room = fresh_room()
    asked = join_request(
        server,
        room,
        token=avatar_token(server, room, on_behalf=None),
        on_behalf=None,
        speech_from=SpeechFrom.LISTED,
        speakers=("narrator",),
    )
    token = viewer_token(server, room)
    async with (
        watch(server.url, token, identity=AVATAR) as viewer,
        avatar_in(engine, asked) as session,
    ):
        yield Place(server, room, session, viewer)


def wav(path: Path, seconds: float, *, rate: int = 22_050, channels: int = 1) -> Path:
    data = speech(seconds, rate)
    if channels == 2:
        data = b"".join(data[at : at + 2] * 2 for at in range(0, len(data), 2))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data)
    return path


async def test_a_wav_file_is_spoken_and_reported(
    livekit_server: LiveKitServer, engine: Engine, tmp_path: Path
) -> None:
    async with place(livekit_server, engine) as there:
        path = str(wav(tmp_path / "hello.wav", 1.2, channels=2))
        code, out, err = await there.command(path, "--room", there.room)
        assert (code, out) == (0, "started\nfinished at 1.20 s\n"), err
        assert max(sound.rms for sound in there.viewer.sounds) > 0.02


async def test_an_interruption_is_reported_where_it_was_heard(
    livekit_server: LiveKitServer, engine: Engine, tmp_path: Path
) -> None:
    async with place(livekit_server, engine) as there:
        path = str(wav(tmp_path / "long.wav", 30.0))
        arguments = (path, "--room", there.room, "--interrupt-after", "1.0")
        code, out, err = await there.command(*arguments)
        assert code == 0, err
        started, end = out.splitlines()
        assert started == "started"
        assert end.startswith("interrupted at ")
        heard = float(end.split()[2])
        assert heard == pytest.approx(there.session.counters()["played_ms"] / 1000, abs=0.05)
        assert 0.3 < heard < 15, "what was not heard is not counted"


async def test_live_sound_comes_through_a_pipe_with_any_token(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with place(livekit_server, engine) as there:
        token = viewer_token(livekit_server, there.room, identity="narrator")
        arguments = ("-", "--rate", "8000", "--token", token)
        code, out, err = await there.command(*arguments, stdin=speech(0.8, 8_000))
        assert (code, out) == (0, "started\nfinished at 0.80 s\n"), err


async def test_who_is_not_heard_is_told_what_would_change_that(
    livekit_server: LiveKitServer, engine: Engine, tmp_path: Path
) -> None:
    async with place(livekit_server, engine) as there:
        path = str(wav(tmp_path / "hello.wav", 0.5))
        arguments = (path, "--room", there.room, "--identity", "stranger")
        code, out, err = await there.command(*arguments)
        assert (code, out) == (1, "")
        assert "speech_from" in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("missing.wav",), "WAV file with 16 bit"),
        (("hello.wav", "--avatar", "avatar-none", "--wait", "0.5"), "no avatar 'avatar-none'"),
        (("hello.wav", "--token", "no.good.token"), "does not let us in"),
        ((), "give a WAV file"),
    ],
)
async def test_what_cannot_work_ends_in_a_sentence(
    livekit_server: LiveKitServer, engine: Engine, arguments: tuple[str, ...], reason: str
) -> None:
    async with place(livekit_server, engine) as there:
        code, out, err = await there.command("--room", there.room, *arguments)
        assert code != 0
        assert out == ""
        assert reason in err
        assert "Traceback" not in err


@pytest.fixture
def site() -> Iterator[str]:
    """The repository behind a plain static server, as the README says."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

    handler = functools.partial(Quiet, directory=str(ROOT))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="static")
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/examples/agent-2/"
        server.shutdown()
        thread.join()


@pytest.fixture
async def browser_with_microphone(chromium_binary: Path) -> AsyncIterator[Browser]:
    """A headless Chromium whose microphone beeps, and that asks nobody."""
    flags = [
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_binary, args=[*CHROMIUM_FLAGS, *flags]
        )
        yield browser
        await browser.close()


async def joined(browser: Browser, site: str, there: Place) -> Page:
    code, token, err = await there.command("--print-token", "--room", there.room)
    assert code == 0, err
    page = await browser.new_page()
    link = urlencode({"url": there.server.url, "token": token.strip(), "avatar": AVATAR})
    await page.goto(f"{site}#{link}")
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("status")).to_have_text("Ready", timeout=10_000)
    return page


async def test_the_page_speaks_a_file_shows_the_avatar_and_interrupts_it(
    livekit_server: LiveKitServer,
    engine: Engine,
    browser_with_microphone: Browser,
    site: str,
    tmp_path: Path,
) -> None:
    async with place(livekit_server, engine) as there:
        page = await joined(browser_with_microphone, site, there)
        lines = complaints(page)
        status = page.get_by_role("status")
        await page.get_by_label("A sound file").set_input_files(wav(tmp_path / "a.wav", 3.0))
        await expect(status).to_have_text("Started", timeout=5_000)
        assert await page.evaluate(LOUDNESS, 600) > 0.01
        await expect(status).to_have_text("Finished at 3.00 s", timeout=8_000)
        before = await page.evaluate(VIDEO_HASH)
        # The picture is alive; at the turn of a breath it may look the same for a moment.
        async with asyncio.timeout(15.0):
            while await page.evaluate(VIDEO_HASH) == before:
                await asyncio.sleep(0.1)

        await page.get_by_label("A sound file").set_input_files(wav(tmp_path / "b.wav", 20.0))
        await expect(status).to_have_text("Started", timeout=5_000)
        await page.get_by_role("button", name="Interrupt").click()
        await expect(status).to_contain_text("Interrupted at", timeout=5_000)
        await there.viewer.wait_for(lambda v: v.loudness(0.2) < 0.01, 15.0)
        assert lines == []


async def test_the_page_speaks_with_a_microphone(
    livekit_server: LiveKitServer, engine: Engine, browser_with_microphone: Browser, site: str
) -> None:
    async with place(livekit_server, engine) as there:
        page = await joined(browser_with_microphone, site, there)
        lines = complaints(page)
        button = page.get_by_role("button", name="Microphone")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        await there.viewer.wait_for(lambda v: v.loudness(0.1) > 0.01, 15.0)
        await asyncio.sleep(1.5)
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
        await expect(page.get_by_role("status")).to_contain_text("Finished at", timeout=5_000)
        assert there.session.counters()["played_ms"] > 1_000
        assert lines == []
