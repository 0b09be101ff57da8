"""The page by itself: a real browser and livekit-server, a test card instead of an avatar."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, TimeoutError, expect

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.demo.page import DemoPage
from fakes.browser import LOUDNESS, VIDEO_HASH, complaints
from fakes.stand_in import stand_in
from fakes.tokens import admin
from livekit import api

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def served(server: LiveKitServer, url: str | None = None) -> AsyncIterator[str]:
    """The page on a real HTTP server; its URL."""
    app = web.Application()
    DemoPage(livekit_url=url or server.url, api_key=server.api_key, api_secret=server.api_secret)(
        app
    )
    async with TestServer(app) as http:
        yield str(http.make_url("/"))


async def open_page(
    browser: Browser, url: str, *, clock: bool = False, **context: object
) -> tuple[Page, str, list[str]]:
    """Open the page; the page, its room, and where its complaints will appear.

    With `clock` the page's time can be moved on.
    """
    page = await browser.new_page(**context)  # type: ignore[arg-type]
    if clock:
        await page.clock.install()
    lines = complaints(page)
    async with page.expect_response("**/demo/token") as response:
        await page.goto(url)
    room = (await (await response.value).json())["room"]
    return page, room, lines


async def test_the_page_shows_the_avatar_its_state_and_both_sides_of_the_talk(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, room, lines = await open_page(browser, url)
        assert await page.get_by_label("Your message").is_disabled()
        async with stand_in(livekit_server, room) as agent:
            await agent.is_in_state("listening")
            await expect(page.locator(".stage.live")).to_be_visible(timeout=15_000)
            await expect(page.get_by_role("status")).to_have_text("Listening", timeout=5_000)
            hashes = set()
            for _ in range(10):
                hashes.add(await page.evaluate(VIDEO_HASH))
                await asyncio.sleep(0.05)
            assert len(hashes) > 1
            assert await page.evaluate(LOUDNESS, 300) < 0.01
            agent.loud.set()
            await asyncio.sleep(0.5)
            assert await page.evaluate(LOUDNESS, 300) > 0.2
            agent.loud.clear()

            await page.get_by_label("Your message").fill("Hello <b>you</b>")
            await page.keyboard.press("Enter")
            assert await asyncio.wait_for(agent.heard.get(), 15.0) == "Hello <b>you</b>"
            await agent.is_in_state("speaking")
            await agent.says("Good ", "morning ", "<script>alert(1)</script>")
            log = page.get_by_role("log").get_by_role("listitem")
            await expect(log).to_have_count(2)
            await expect(log.nth(0)).to_have_text("YouHello <b>you</b>")
            await expect(log.nth(1)).to_have_text("AvatarGood morning <script>alert(1)</script>")
            await expect(page.get_by_role("status")).to_contain_text("type to interrupt")
            assert await page.get_by_label("Your message").input_value() == ""
        await expect(page.locator(".stage.live")).to_have_count(0, timeout=10_000)
        await expect(page.get_by_label("Your message")).to_be_disabled()
        assert lines == []


async def test_where_sound_needs_a_click_the_page_offers_one(
    livekit_server: LiveKitServer, strict_browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, room, _ = await open_page(strict_browser, url)
        async with stand_in(livekit_server, room):
            button = page.get_by_role("button", name="Turn sound on")
            await expect(button).to_be_visible(timeout=15_000)
            # The browser may let the sound through after all, and the button goes before the click.
            with contextlib.suppress(TimeoutError):
                await button.click(timeout=5_000)
            await expect(button).to_be_hidden()
            tag = page.locator("#audio audio")
            await expect(tag).to_have_js_property("paused", False, timeout=10_000)


async def test_an_empty_line_is_not_sent(livekit_server: LiveKitServer, browser: Browser) -> None:
    async with served(livekit_server) as url:
        page, room, _ = await open_page(browser, url)
        async with stand_in(livekit_server, room) as agent:
            field = page.get_by_label("Your message")
            await expect(field).to_be_enabled(timeout=15_000)
            await field.fill("   ")
            await page.keyboard.press("Enter")
            await field.fill("real")
            await page.keyboard.press("Enter")
            assert await asyncio.wait_for(agent.heard.get(), 15.0) == "real"


async def test_on_a_phone_everything_fits_without_scrolling_sideways(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, room, _ = await open_page(
            browser, url, viewport={"width": 360, "height": 640}, has_touch=True
        )
        async with stand_in(livekit_server, room):
            await expect(page.locator(".stage.live")).to_be_visible(timeout=15_000)
            size = await page.evaluate(
                "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
            )
            assert size == [360, 640]
            for part in (page.locator("#video"), page.get_by_label("Your message")):
                box = await part.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 360
                assert box["y"] + box["height"] <= 640
            box = await page.get_by_role("button", name="Send").bounding_box()
            assert box is not None
            assert box["height"] >= 44


async def test_a_room_that_cannot_be_opened_is_said_in_a_sentence(
    livekit_server: LiveKitServer, browser: Browser, tmp_path: Path
) -> None:
    async with served(livekit_server, url="ws://127.0.0.1:9") as url:
        page = await browser.new_page()
        await page.goto(url)
        await expect(page.get_by_role("status")).to_have_text(
            "The LiveKit server cannot be reached. Reload the page to try again.", timeout=15_000
        )


async def test_where_no_agent_comes_two_more_rooms_are_tried_and_then_it_is_said(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url, admin(livekit_server) as server_api:
        page, first, _ = await open_page(browser, url, clock=True)
        rooms = [first]
        status = page.get_by_role("status")
        for _ in range(2):
            await expect(status).to_have_text("Getting ready …", timeout=15_000)
            async with page.expect_response("**/demo/token") as response:
                await page.clock.fast_forward(8_500)
            rooms.append((await (await response.value).json())["room"])
            await expect(page.get_by_label("Your message")).to_be_disabled()
        await expect(status).to_have_text("Getting ready …", timeout=15_000)
        await page.clock.fast_forward(21_000)
        await expect(status).to_contain_text("No avatar has come.")
        there = await server_api.room.list_rooms(api.ListRoomsRequest(names=rooms))
        assert [room.name for room in there.rooms] == rooms[-1:]


async def test_an_agent_that_comes_to_the_second_room_is_talked_to_there(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, _, _ = await open_page(browser, url, clock=True)
        await expect(page.get_by_role("status")).to_have_text("Getting ready …", timeout=15_000)
        async with page.expect_response("**/demo/token") as response:
            await page.clock.fast_forward(8_500)
        room = (await (await response.value).json())["room"]
        async with stand_in(livekit_server, room) as agent:
            await agent.is_in_state("listening")
            await expect(page.locator(".stage.live")).to_be_visible(timeout=15_000)
            await page.get_by_label("Your message").fill("here?")
            await page.keyboard.press("Enter")
            assert await asyncio.wait_for(agent.heard.get(), 15.0) == "here?"
            await expect(page.get_by_role("status")).to_have_text("Listening")


async def test_an_avatar_that_does_not_follow_its_agent_is_said_in_a_sentence(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, room, _ = await open_page(browser, url, clock=True)
        async with stand_in(livekit_server, room, avatar=False):
            await expect(page.get_by_label("Your message")).to_be_enabled(timeout=15_000)
            await page.clock.fast_forward(21_000)
            await expect(page.get_by_role("status")).to_contain_text("No avatar has come.")


async def test_leaving_the_page_closes_the_room_at_once(
    livekit_server: LiveKitServer, browser: Browser
) -> None:
    async with served(livekit_server) as url:
        page, room, _ = await open_page(browser, url)
        async with stand_in(livekit_server, room) as agent:
            await expect(page.get_by_label("Your message")).to_be_enabled(timeout=15_000)
            closed = asyncio.Event()
            agent.agent.on("disconnected", lambda reason: closed.set())
            await page.goto("about:blank")
            await asyncio.wait_for(closed.wait(), 15.0)
