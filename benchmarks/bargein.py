"""What an interruption takes: until silence, until the mouth closes, and which position is told.

The clock starts when the agent makes the call `lk.clear_buffer`. `silence_sent` is when the last
old sound left the SDK's queue in the avatar's process, `silence_heard` when a viewer had the last
of it decoded. The position that the avatar reports is compared with the ruler that the viewer
heard. Run from the repository: `python -m benchmarks.bargein [--json] [--short]`.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.measuring import analysis
from benchmarks.measuring.recording import Recorded
from benchmarks.measuring.run import Outcome, main
from benchmarks.measuring.scene import Scene
from benchmarks.measuring.stimulus import NOTCH, NOTCH_EVERY, ruler

EVENTS: Final = 110
SHORT_EVENTS: Final = 2
SPEECH: Final = 4.0
AFTER: Final = 0.8
"""Seconds after a clear in which old sound may still come."""


@dataclass(frozen=True)
class Event:
    """One interruption: times, and what was reported for it."""

    said: float
    cleared: float
    acknowledged: float
    over: float
    positions: tuple[float, ...]


async def interrupt(there: Scene, draw: random.Random) -> Event:
    """Speak, interrupt, wait."""
    agent = there.agent
    started, finished = len(agent.started), len(agent.finished)
    said = await agent.say(ruler(SPEECH))
    await agent.until("started", started + 1, 3)
    await asyncio.sleep(draw.uniform(0.5, 1.0))
    cleared = await agent.clear()
    acknowledged = time.monotonic()
    await asyncio.sleep(AFTER)
    positions = tuple(payload["playback_position"] for _, payload in agent.finished[finished:])
    return Event(said, cleared, acknowledged, time.monotonic(), positions)


def silence(of: Recorded, event: Event) -> float:
    """Seconds from the clear to the last old sound; 0 if there was none after it."""
    last = analysis.last_loud(of, event.cleared, event.over)
    return 0.0 if last is None else last - event.cleared


def closing(of: Recorded, event: Event) -> float | None:
    """Seconds from the clear to the first picture of a mouth that no longer speaks."""
    quiet = of.picture_times[~of.speaking]
    at = analysis.first_after(quiet, event.cleared, AFTER)
    return None if at is None else at - event.cleared


def position_error(of: Recorded, event: Event) -> float | None:
    """Reported position minus the one that was heard, in seconds; None if it cannot be told."""
    if len(event.positions) != 1:
        return None
    heard = analysis.ruler_position(of, event.said, event.over)
    reported = event.positions[0]
    if heard is None or reported % NOTCH_EVERY >= NOTCH_EVERY - NOTCH - 0.002:
        return None  # the cut fell into a notch, where nothing can be heard
    return reported - heard


async def measure(there: Scene, short: bool) -> Outcome:
    """Measure one path."""
    events = SHORT_EVENTS if short else EVENTS
    draw = random.Random(6)
    done = [await interrupt(there, draw) for _ in range(events)]
    avatar, viewer = await there.recordings()
    mouths = [t for e in done if (t := closing(avatar, e)) is not None]
    seen = [t for e in done if (t := closing(viewer, e)) is not None]
    sent = [t for e in done if (t := position_error(avatar, e)) is not None]
    heard = [t for e in done if (t := position_error(viewer, e)) is not None]
    reports = [len(e.positions) for e in done]
    metrics: dict[str, Any] = {}
    for name, values in (
        ("rpc_ack_ms", [e.acknowledged - e.cleared for e in done]),
        ("silence_sent_ms", [silence(avatar, e) for e in done]),
        ("silence_heard_ms", [silence(viewer, e) for e in done]),
        ("mouth_closing_sent_ms", mouths),
        ("mouth_closing_seen_ms", seen),
        ("position_error_abs_vs_sent_ms", [abs(t) for t in sent]),
        ("position_error_abs_vs_heard_ms", [abs(t) for t in heard]),
        ("position_error_vs_heard_ms", heard),
    ):
        metrics |= analysis.spread(values, name)
    metrics["positions_compared"] = len(heard)
    metrics["finished_per_segment_min"] = min(reports)
    metrics["finished_per_segment_max"] = max(reports)
    controls = {
        "speech_was_heard_before": all(
            analysis.last_loud(viewer, e.said, e.cleared) is not None for e in done
        ),
        "mouths_were_seen": len(mouths) >= 0.95 * events,
    }
    return Outcome(metrics, controls, events)


if __name__ == "__main__":
    main("bargein", __doc__ or "", measure)
