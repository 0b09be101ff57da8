"""Half an hour of conversation: do pictures and sound drift apart?

Utterances of bursts with pauses between them, every fourth interrupted, as in `bench avsync`: skew
is picture minus sound of one burst, at a viewer without lip-sync and as sent. Run from the
repository: `python -m benchmarks.drift [--json] [--short] [--path ours]`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import numpy as np
from benchmarks.avsync import HALF_HOUR, Skew
from benchmarks.measuring.run import Outcome, main
from benchmarks.measuring.scene import Scene
from benchmarks.measuring.stimulus import bursts

UTTERANCE: Final = 12
CUT_AFTER: Final = 4.0
CUT_EVERY: Final = 4
END: Final = 300.0
"""Seconds at either end whose medians are compared."""


async def measure(there: Scene, short: bool) -> Outcome:
    """Measure one path."""
    clock = asyncio.get_running_loop().time
    began = clock()
    utterances = 0
    while not utterances or (clock() - began < HALF_HOUR and not short):
        utterances += 1
        sound, _ = bursts(2 if short else UTTERANCE, seed=utterances)
        if utterances % CUT_EVERY:
            await there.say_all(sound)
        else:
            await interrupted(there, sound)
    ended = clock()
    avatar, viewer = await there.recordings()
    metrics: dict[str, Any] = {"minutes": round((ended - began) / 60, 1), "utterances": utterances}
    seen = Skew(viewer)
    for kind, skew in (("sent", Skew(avatar)), ("received", seen)):
        metrics |= skew.summary((began, ended), f"{kind}_skew_ms")
        metrics[f"{kind}_drift_ms_30min"] = skew.drift((began, ended))
        metrics[f"{kind}_step_first_to_last_minutes_ms"] = skew.step(
            [(ended - END, ended)], (began, began + END)
        )
    gaps = np.diff(viewer.picture_times) * 1000
    metrics["picture_gap_ms_p99"] = round(float(np.percentile(gaps, 99)), 1)
    return Outcome(
        metrics,
        {"events_are_found": seen.agreement((began, ended)) >= 0.9},
        len(seen.within((began, ended))),
    )


async def interrupted(there: Scene, sound: np.ndarray[Any, np.dtype[np.int16]]) -> None:
    """Say a segment and cut it off."""
    begun = len(there.agent.finished)
    await there.agent.say(sound)
    await asyncio.sleep(CUT_AFTER)
    await there.agent.clear()
    await there.agent.until("finished", begun + 1, 5)
    await asyncio.sleep(1.0)


if __name__ == "__main__":
    main("drift", __doc__ or "", measure)
