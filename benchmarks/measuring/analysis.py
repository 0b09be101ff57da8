"""From recordings to events: edges, pairs, positions, percentiles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .recording import Recorded
from .stimulus import LEVEL, NOTCH_EVERY

Floats = npt.NDArray[np.float64]

HALF: Final = LEVEL / np.sqrt(2) / 2
"""Half the RMS of the tone: the -6 dB point."""
NEAR: Final = 0.4
"""Seconds within which a picture and a sound may be one event; gaps are at least 0.8."""
NEARLY_A_STEP: Final = 80
"""Loud milliseconds from which a silence is the ruler's notch, and not a hole."""
RUN: Final = 0.15
"""Seconds of silence that end a sound: more than a burst, which a receiver may stretch into two."""


def sound_onsets(of: Recorded) -> Floats:
    """When each burst of sound began, by its -6 dB point."""
    loud = of.times[of.envelope >= HALF]
    first = np.diff(loud, prepend=-np.inf) > RUN
    onsets: Floats = loud[first]
    return onsets


def picture_onsets(of: Recorded) -> Floats:
    """When each run of loud pictures began."""
    before = np.concatenate([[False], of.loud[:-1]])
    onsets: Floats = of.picture_times[of.loud & ~before]
    return onsets


def pair(pictures: Floats, sounds: Floats) -> tuple[Floats, Floats]:
    """Give each sound the nearest picture, one to one.

    Returns:
        The times of the paired sounds, and picture minus sound for each, in seconds.
    """
    if not len(pictures) or not len(sounds):
        return np.empty(0), np.empty(0)
    nearest = np.abs(pictures[None, :] - sounds[:, None]).argmin(axis=1)
    skew = pictures[nearest] - sounds
    back = np.abs(sounds[None, :] - pictures[nearest][:, None]).argmin(axis=1)
    good = (np.abs(skew) <= NEAR) & (back == np.arange(len(sounds)))
    return sounds[good], skew[good]


def agreement(skew: Floats, events: int) -> float:
    """Share of all events whose skew is within 60 ms of the median: near 1 if they belong."""
    if not len(skew):
        return 0.0
    return float(np.sum(np.abs(skew - np.median(skew)) <= 0.06)) / events


def drift_ms(times: Floats, skew: Floats, over: float) -> float | None:
    """How much the skew grows in `over` seconds, by a line that outliers do not bend."""
    if len(times) < 4:
        return None
    half = len(times) // 2
    slopes = (skew[-half:] - skew[:half]) / (times[-half:] - times[:half])
    return round(float(1000 * over * np.median(slopes)), 1)


def last_loud(of: Recorded, begin: float, end: float) -> float | None:
    """When the last loud millisecond between two times ended."""
    inside = (of.times >= begin) & (of.times < end) & (of.envelope >= HALF)
    return float(of.times[inside][-1]) + 0.001 if inside.any() else None


def first_after(times: Floats, begin: float, within: float) -> float | None:
    """The first of `times` at or after `begin`, if it comes within `within` seconds."""
    index = int(np.searchsorted(times, begin))
    if index == len(times) or times[index] - begin > within:
        return None
    return float(times[index])


def ruler_position(of: Recorded, begin: float, end: float) -> float | None:
    """How much of the ruler was heard between two times, in seconds.

    Whole steps are counted and only the last one is measured, so sound that the receiver stretched
    or shortened before does not matter, nor do short holes.
    """
    inside = (of.times >= begin) & (of.times < end) & (of.envelope >= HALF)
    loud = np.flatnonzero(inside)
    if not len(loud):
        return None
    steps, part = 0, 0
    for run in np.split(loud, np.flatnonzero(np.diff(loud) > 3) + 1):
        if part >= NEARLY_A_STEP:
            steps, part = steps + 1, 0
        part += len(run)
    return NOTCH_EVERY * steps + part / 1000


def spread(values: Sequence[float], name: str) -> dict[str, float | None]:
    """Name p50, p95, p99 and max of values in seconds, as milliseconds."""
    if not len(values):
        return {f"{name}_{key}": None for key in ("p50", "p95", "p99", "max")}
    p50, p95, p99 = (1000 * float(np.percentile(values, p)) for p in (50, 95, 99))
    return {
        f"{name}_p50": round(p50, 1),
        f"{name}_p95": round(p95, 1),
        f"{name}_p99": round(p99, 1),
        f"{name}_max": round(1000 * float(max(values)), 1),
    }
