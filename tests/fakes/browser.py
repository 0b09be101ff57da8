"""What a person in front of the demo page would notice, read from a real browser."""

from __future__ import annotations

from playwright.async_api import Page

VIDEO_HASH = """() => {
  const video = document.getElementById("video");
  const canvas = document.createElement("canvas");
  canvas.width = 64; canvas.height = 80;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 64, 80);
  return Array.from(context.getImageData(0, 0, 64, 80).data).reduce((a, b) => (a * 31 + b) | 0, 7);
}"""
"""A number that changes when the picture changes."""

LOUDNESS = """async (milliseconds) => {
  const audio = document.querySelector("#audio audio");
  if (!audio || !audio.srcObject) return 0;
  window.meter = window.meter || new AudioContext();
  await window.meter.resume();
  const source = window.meter.createMediaStreamSource(audio.srcObject);
  const analyser = window.meter.createAnalyser();
  analyser.fftSize = 2048;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const until = performance.now() + milliseconds;
  let loudest = 0;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    analyser.getFloatTimeDomainData(samples);
    const energy = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    loudest = Math.max(loudest, Math.sqrt(energy));
  }
  source.disconnect();
  return loudest;
}"""
"""The loudest RMS, 0 to 1, of what the page plays within so many milliseconds."""


def complaints(page: Page) -> list[str]:
    """Collects what the page writes to its console as errors or warnings, and what it throws."""
    lines: list[str] = []
    page.on(
        "console",
        lambda message: (
            lines.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: lines.append(f"thrown: {error}"))
    return lines
