"""A second viewer: headless Chromium, which tells what a person would see and hear, and when.

Pictures count when the browser means to display them, sounds when its output plays them; both are
`performance.now()`, so only their difference leaves this module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from playwright.async_api import Page, async_playwright

from avatar_worker.demo import chromium
from avatar_worker.demo.livekit_server import LiveKitServer

from .analysis import RUN

FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--disable-features=LocalNetworkAccessChecks",  # the page comes from nowhere
    "--autoplay-policy=no-user-gesture-required",
]
ADDRESS: Final = "http://127.0.0.1/"
"""Never asked over the network; only pages of this origin may use worklets."""

EAR: Final = """
registerProcessor("ear", class extends AudioWorkletProcessor {
  process([input]) {
    const samples = input[0] || [];
    let energy = 0;
    for (const x of samples) energy += x * x;
    if (samples.length && Math.sqrt(energy / samples.length) > 0.18) {
      this.port.postMessage(currentTime);
    }
    return true;
  }
});
"""

WATCH: Final = """async ({url, token, ear}) => {
  const room = new LivekitClient.Room();
  const seen = window.seen = {pictures: [], sounds: [], tracks: []};
  const audio = new AudioContext({latencyHint: "interactive"});
  await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([ear],
    {type: "text/javascript"})));
  room.on("trackSubscribed", (track) => {
    const element = track.attach();
    document.body.append(element);
    seen.tracks.push(track);
    if (track.kind === "audio") {
      const node = new AudioWorkletNode(audio, "ear");
      node.port.onmessage = ({data}) => {
        const {contextTime, performanceTime} = audio.getOutputTimestamp();
        seen.sounds.push(performanceTime + 1000 * (data - contextTime));
      };
      audio.createMediaStreamSource(element.srcObject).connect(node);
      return;
    }
    const canvas = new OffscreenCanvas(8, 8);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    const look = (now, {expectedDisplayTime, width, height}) => {
      const [w, h] = [element.videoWidth, element.videoHeight];
      context.drawImage(element, 0.45 * w, 0.45 * h, 0.1 * w, 0.1 * h, 0, 0, 8, 8);
      seen.pictures.push([expectedDisplayTime, context.getImageData(4, 4, 1, 1).data[0] > 125]);
      element.requestVideoFrameCallback(look);
    };
    element.requestVideoFrameCallback(look);
  });
  await room.connect(url, token);
}"""

NOTES: Final = """async () => {
  const delays = {};
  for (const track of seen.tracks) {
    for (const report of (await track.receiver.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      delays[report.kind + "_jitter_buffer_ms"] =
        1000 * report.jitterBufferDelay / Math.max(1, report.jitterBufferEmittedCount);
    }
  }
  return {pictures: seen.pictures, sounds: seen.sounds, delays};
}"""


class BrowserViewer:
    """A page that has joined a room."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def onsets(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], dict[str, float]]:
        """When white pictures and loud sounds began, in seconds, and the jitter buffers."""
        notes: dict[str, Any] = await self._page.evaluate(NOTES)
        at = np.array([time for time, _ in notes["pictures"]], np.float64) / 1000
        white = np.array([white for _, white in notes["pictures"]], np.bool_)
        began = white & ~np.concatenate([[False], white[:-1]])
        loud = np.array(notes["sounds"], np.float64) / 1000
        first = np.diff(loud, prepend=-np.inf) > RUN
        return at[began], loud[first], notes["delays"]


@asynccontextmanager
async def browse(server: LiveKitServer, token: str) -> AsyncIterator[BrowserViewer]:
    """Join a room with Chromium until the end of the block."""
    client = files("avatar_worker.demo") / "page" / "vendor" / "livekit-client.umd.js"
    async with async_playwright() as playwright:
        binary = chromium.find_or_install()
        browser = await playwright.chromium.launch(executable_path=binary, args=FLAGS)
        try:
            page = await browser.new_page()
            await page.route(
                ADDRESS, lambda route: route.fulfill(content_type="text/html", body="<p>viewer")
            )
            await page.goto(ADDRESS)
            with as_file(client) as path:
                await page.add_script_tag(path=path)
            await page.evaluate(WATCH, {"url": server.url, "token": token, "ear": EAR})
            yield BrowserViewer(page)
        finally:
            await browser.close()
