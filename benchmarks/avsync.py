"""How far pictures are from their sound: as sent, and as a viewer decodes them.

Skew is picture minus sound of one event; positive means that the picture is late. As sent, it is
between the picture's way into the SDK and the sound's way out of the SDK's queue. At the viewer it
contains the difference of two jitter buffers that a Python viewer does not align. Run from the
repository: `python -m benchmarks.avsync [--json] [--short]`.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

import numpy as np
from benchmarks.measuring import analysis
from benchmarks.measuring.recording import Recorded
from benchmarks.measuring.run import Outcome, main
from benchmarks.measuring.scene import Scene
from benchmarks.measuring.stimulus import bursts, ruler

EVENTS: Final = 120
SHORT_EVENTS: Final = 2
STALLS: Final = 3
STALL: Final = 0.25
INTERRUPTIONS: Final = 50
RECONNECT_EVENTS: Final = 40
INJECTED: Final = 0.08
HALF_HOUR: Final = 1800.0

Span = tuple[float, float]


class Skew:
    """The skew of all events of one recording, by the time of their sound."""

    def __init__(self, of: Recorded) -> None:
        self._sounds = analysis.sound_onsets(of)
        self._pictures = analysis.picture_onsets(of)
        self.times, self.skew = analysis.pair(self._pictures, self._sounds)

    def within(self, span: Span) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The skews of the events in a span of time."""
        return self.skew[(self.times >= span[0]) & (self.times < span[1])]

    def median(self, *spans: Span) -> float | None:
        """The median over spans, in ms; None if no event was found."""
        skew = np.concatenate([self.within(span) for span in spans])
        return 1000 * float(np.median(skew)) if len(skew) else None

    def sound_since(self, sent: Skew, *spans: Span) -> float:
        """How long sound took from another's recording to this one over spans, median in ms."""
        there, way = analysis.pair(self._sounds, sent._sounds)
        inside = np.zeros(len(there), np.bool_)
        for begin, end in spans:
            inside |= (there >= begin) & (there < end)
        return 1000 * float(np.median(way[inside])) if inside.any() else 0.0

    def step(self, spans: list[Span], since: Span) -> float | None:
        """How much the median of these spans differs from an earlier one's, in ms."""
        before, after = self.median(since), self.median(*spans)
        return None if before is None or after is None else round(after - before, 1)

    def summary(self, span: Span, name: str) -> dict[str, float | None]:
        """Mean and spread in a span."""
        skew = 1000 * self.within(span)
        if not len(skew):
            return {f"{name}_mean": None}
        return {
            f"{name}_mean": round(float(skew.mean()), 1),
            f"{name}_sd": round(float(skew.std()), 1),
            f"{name}_p99_abs": round(float(np.percentile(np.abs(skew), 99)), 1),
            f"{name}_p99_from_median": round(
                float(np.percentile(np.abs(skew - np.median(skew)), 99)), 1
            ),
        }

    def drift(self, span: Span) -> float | None:
        """Growth in a span, in ms in half an hour."""
        inside = (self.times >= span[0]) & (self.times < span[1])
        return analysis.drift_ms(self.times[inside], self.skew[inside], HALF_HOUR)

    def agreement(self, span: Span, mirrored: bool = False) -> float:
        """Share of sounds with a picture at the usual distance; mirrored: of another's sounds."""
        sounds = self._sounds[(self._sounds >= span[0]) & (self._sounds < span[1])]
        events = len(sounds)
        if mirrored:
            sounds = (sounds[0] + sounds[-1] - sounds)[::-1] + 0.3
        return analysis.agreement(analysis.pair(self._pictures, sounds)[1], events)


async def measure(there: Scene, short: bool) -> Outcome:
    """Measure one path."""
    events = SHORT_EVENTS if short else EVENTS
    steady = await there.say_all(bursts(events, seed=1)[0])
    stalled, interrupted = ([], []) if short else (await stalls(there), [await clears(there)])
    reconnected = [] if short else [await after_reconnect(there)]
    plain = [] if short else [await there.say_all(bursts(12, seed=5)[0])]
    await there.avatar.tell("delay", INJECTED)
    delayed = await there.say_all(bursts(1 if short else 12, seed=4)[0])
    await there.avatar.tell("delay", 0.0)
    if not short:
        plain.append(await there.say_all(bursts(12, seed=5)[0]))
    avatar, viewer = await there.recordings()
    sent, seen = Skew(avatar), Skew(viewer)
    metrics: dict[str, Any] = {}
    after = (("stall", stalled), ("interruptions", interrupted), ("reconnect", reconnected))
    for kind, skew in (("sent", sent), ("received", seen)):
        metrics |= skew.summary(steady, f"{kind}_skew_ms")
        metrics[f"{kind}_skew_ms_drift_30min"] = skew.drift(steady)
        for name, spans in after:
            if spans:
                metrics[f"{kind}_step_after_{name}_ms"] = skew.step(spans, steady)
        for span in reconnected:
            metrics |= skew.summary(span, f"{kind}_skew_after_reconnect_ms")
    # Compared with speech just before and just after, and without what the receiver's sound buffer
    # grew meanwhile: it changes in seconds.
    plain = plain or [steady]
    plainly, late = seen.median(*plain), seen.median(delayed)
    grown = seen.sound_since(sent, delayed) - seen.sound_since(sent, *plain)
    injected = None if plainly is None or late is None else late - plainly + grown
    metrics["injected_ms"] = None if injected is None else round(injected, 1)
    metrics["sound_way_ms"] = round(seen.sound_since(sent, steady), 1)
    metrics["sound_way_grew_with_injection_ms"] = round(grown, 1)
    gaps = np.diff(viewer.picture_times) * 1000
    metrics["picture_gap_ms_p99"] = round(float(np.percentile(gaps, 99)), 1)
    metrics |= {name: round(float(value), 1) for name, value in viewer.delays.items()}
    controls = {
        "events_are_found": seen.agreement(steady) >= 0.9,
        "injected_80_ms_reads_80": (injected is not None and abs(injected - 1000 * INJECTED) <= 10),
    }
    if not short:
        metrics["foreign_sound_agreement"] = round(seen.agreement(steady, mirrored=True), 2)
        controls["foreign_sound_is_not_found"] = metrics["foreign_sound_agreement"] <= 0.3
    return Outcome(metrics, controls, events)


async def stalls(there: Scene) -> list[Span]:
    """Stall the renderer in mid-speech; the spans of the speech after each stall."""
    spans = []
    for number in range(STALLS):
        begun = len(there.agent.finished)
        await there.agent.say(bursts(8, seed=10 + number)[0])
        await asyncio.sleep(1.0)
        await there.avatar.tell("stall", STALL)
        await asyncio.sleep(1.0)
        since = asyncio.get_running_loop().time()
        await there.agent.until("finished", begun + 1, 30)
        await asyncio.sleep(0.5)
        spans.append((since, asyncio.get_running_loop().time()))
    return spans


async def clears(there: Scene) -> Span:
    """Interrupt many times, then speak; the span of that speech."""
    draw = random.Random(2)
    for _ in range(INTERRUPTIONS):
        begun = len(there.agent.finished)
        await there.agent.say(ruler(3.0))
        await asyncio.sleep(draw.uniform(0.2, 0.6))
        await there.agent.clear()
        await there.agent.until("finished", begun + 1, 3)
        await asyncio.sleep(0.2)
    await asyncio.sleep(1.0)
    return await there.say_all(bursts(12, seed=3)[0])


async def after_reconnect(there: Scene) -> Span:
    """Let the avatar lose its connection and join again, then speak; the span of that speech."""
    await there.avatar.tell("reconnect")
    await there.wait_flowing()
    return await there.say_all(bursts(RECONNECT_EVENTS, seed=6)[0])


if __name__ == "__main__":
    main("avsync", __doc__ or "", measure)
