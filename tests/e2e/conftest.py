from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM_FLAGS = [
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
]
SOUND_WITHOUT_CLICK = "--autoplay-policy=no-user-gesture-required"


@pytest.fixture
async def browser(chromium_binary: Path) -> AsyncIterator[Browser]:
    """A headless Chromium with an empty profile that plays sound at once."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_binary, args=[*CHROMIUM_FLAGS, SOUND_WITHOUT_CLICK]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def strict_browser(chromium_binary: Path) -> AsyncIterator[Browser]:
    """As `browser`, but sound waits for a click, as it does for most people."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_binary,
            args=[*CHROMIUM_FLAGS, "--autoplay-policy=document-user-activation-required"],
        )
        yield browser
        await browser.close()
