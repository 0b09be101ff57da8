"""From the first byte of a segment to its first picture and sound.

The clock starts when the SDK hands the avatar's process the first byte. A segment begins with a
burst, so its first picture is a white one. `encoded` is when that picture is handed to the SDK,
`pixel` when a viewer in another process has it decoded; `sent` and `heard` are the same for the
sound. Run from the repository: `python -m benchmarks.latency [--json] [--short]`.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from benchmarks.measuring import analysis
from benchmarks.measuring.run import Outcome, main
from benchmarks.measuring.scene import Scene
from benchmarks.measuring.stimulus import one_burst

EVENTS: Final = 110
SHORT_EVENTS: Final = 4
LIVE_EVENTS: Final = 30
SHORT_LIVE_EVENTS: Final = 0
SEGMENT: Final = 0.4
LIVE_PACE: Final = 0.02
WITHIN: Final = 0.75
"""Seconds within which a picture may be the segment's."""

Floats = npt.NDArray[np.float64]


async def speak(there: Scene, events: int, pace: float) -> None:
    """Say many segments, one after the other."""
    draw = random.Random(5)
    for _ in range(events):
        begun = len(there.agent.finished)
        await there.agent.say(one_burst(SEGMENT), pace=pace, speed=1.0)
        await there.agent.until("finished", begun + 1, 3)
        await asyncio.sleep(draw.uniform(0.25, 0.45))


def waits(begun: Floats, onsets: Floats) -> list[float]:
    """From each beginning to the first onset after it, in seconds."""
    found = (analysis.first_after(onsets, at, WITHIN) for at in begun)
    return [at - begin for at, begin in zip(found, begun, strict=True) if at is not None]


async def measure(there: Scene, short: bool) -> Outcome:
    """Measure one path."""
    events = SHORT_EVENTS if short else EVENTS
    live = SHORT_LIVE_EVENTS if short else LIVE_EVENTS
    await speak(there, events, 0.0)
    await speak(there, live, LIVE_PACE)
    await asyncio.sleep(0.3)
    avatar, viewer = await there.recordings()
    metrics: dict[str, Any] = {}
    found = 0
    for name, begun in (("byte", avatar.streams[:events]), ("live_byte", avatar.streams[events:])):
        if not len(begun):
            continue
        encoded = waits(begun, analysis.picture_onsets(avatar))
        pixel = waits(begun, analysis.picture_onsets(viewer))
        metrics |= analysis.spread(encoded, f"{name}_to_encoded_ms")
        metrics |= analysis.spread(pixel, f"{name}_to_pixel_ms")
        metrics |= analysis.spread(
            waits(begun, analysis.sound_onsets(avatar)), f"{name}_to_sent_ms"
        )
        metrics |= analysis.spread(
            waits(begun, analysis.sound_onsets(viewer)), f"{name}_to_heard_ms"
        )
        found += min(len(encoded), len(pixel))
    metrics |= {name: round(float(value), 1) for name, value in viewer.delays.items()}
    controls = {
        "every_segment_came": len(avatar.streams) == events + live,
        "nearly_every_picture_was_found": found >= 0.95 * (events + live),
    }
    return Outcome(metrics, controls, events)


if __name__ == "__main__":
    main("latency", __doc__ or "", measure)
