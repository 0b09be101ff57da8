"""From timed units to the mouth that a viewer expects: dominance, as Cohen and Massaro use it.

Each segment pulls every control towards its own target, most within its core and less with
distance; the controls are the mean of the targets, weighted by that pull. Closed lips are not a
mean: they are shut for the whole occlusion, whatever the neighbours want.

Times are seconds; the maths runs at 100 frames a second, pictures are sampled from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import ANALYSIS_RATE, MOUTH_NAMES, VISEME_NAMES

from .phones import Segment
from .units import UNITS, VOWELS, FloatArray, Kind, Unit

GRID: Final = 0.01
PICTURE: Final = 0.04
POOL: Final = 2  # grid steps; pictures are so far apart that short closures fall between them

_JAW, _CLOSE, _FUNNEL, _PUCKER, _STRETCH = range(5)
_UPPER, _ROLL, _UP, _OUT = (MOUTH_NAMES.index(n) for n in ("upperLipUp", "rollLower", "tongueUp", "tongueOut"))  # fmt: skip
_ROUNDING: Final = slice(_FUNNEL, _PUCKER + 1)
_TONGUE: Final = slice(_UP, _OUT + 1)

_WIDTH: Final = 0.045
_REACH: Final = 0.5  # beyond it a pull is below 1e-4
_RISE, _FALL = 0.028, 0.022  # seconds; flanks of a closure
_SHORT_VOWEL: Final = 0.06


def pictures(length: float) -> FloatArray:
    """Return the times of the pictures in `length` seconds. (int(25 length),)."""
    return np.arange(int(np.floor(length / PICTURE + 1e-9))) * PICTURE


def loudness(pcm: FloatArray, segs: Sequence[Segment]) -> list[float]:
    """Return how loud each vowel is, in dB above the 70th percentile of them; 0 for other units.

    Args:
        pcm: The speech, 16 kHz. float32, (n,).
        segs: Its units.
    """
    levels: list[float | None] = []
    for s in segs:
        part = pcm[int(s.start * ANALYSIS_RATE) : int(s.end * ANALYSIS_RATE)]
        heard = s.unit in VOWELS and len(part) > 10
        levels.append(10 * np.log10(float(np.mean(part**2)) + 1e-9) if heard else None)
    known = [level for level in levels if level is not None]
    usual = float(np.percentile(known, 70)) if known else 0.0
    return [0.0 if level is None else level - usual for level in levels]


def _pull(
    unit: Unit, start: float, end: float
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """Return strength (12,), width of what comes before the core (12,), and the core."""
    strength = np.ones(len(MOUTH_NAMES), np.float32)
    ahead = np.full(len(MOUTH_NAMES), _WIDTH, np.float32)
    core = (start, end)
    match unit.kind:
        case Kind.VOWEL:
            edge = 0.22 * (end - start)
            core = (start + edge, end - edge)
            ahead[_ROUNDING] = 0.075
            strength[_ROUNDING] = 1.3 if unit.mouth[_ROUNDING].max() > 0.3 else 0.8
        case Kind.BILABIAL:
            core = (start, start + (end - start) * unit.occlusion)
            strength[:] = 0.5
            strength[_JAW], strength[_CLOSE] = 1.6, 0.0
        case Kind.LABIODENTAL:
            strength[_JAW], strength[_ROLL], strength[_UPPER] = 1.6, 5.0, 2.0
            strength[_ROUNDING] = 0.3
        case Kind.ROUND:
            strength[_ROUNDING], ahead[_ROUNDING] = 3.0, 0.08
        case Kind.FIRM:
            strength[_JAW] = 2.2 if unit.viseme == "SS" else 1.2
            strength[_ROUNDING] = {"CH": 2.5, "RR": 1.2}.get(unit.viseme or "", 0.5)
            strength[_STRETCH] = 0.6 if unit.viseme == "SS" else 1.0
            strength[_TONGUE] = 2.0
        case Kind.WEAK:
            strength[:] = 0.35
        case Kind.NONE:
            strength[:] = 0.05
        case Kind.SILENCE:
            strength[:], ahead[:] = 1.2, 0.05
            core = (start + 0.03, max(start + 0.031, end - 0.03))
    return strength, ahead, core


def mouths(
    segs: Sequence[Segment],
    times: FloatArray,
    *,
    loud: Sequence[float] | None = None,
    units: Mapping[str, Unit] = UNITS,
    slower: float = 1.0,
) -> FloatArray:
    """Return the mouth at each time.

    Args:
        segs: Units in order, without gaps.
        times: Seconds, rising, not negative. (n,).
        loud: What `loudness` says of the segments; louder vowels open the jaw further.
        units: The table of targets.
        slower: How many times farther than usual a unit bends its neighbours.

    Returns:
        Weights in [0, 1]. float32, (n, 12).
    """
    length = max(float(times[-1]) + 0.06, 0.1) if len(times) else 0.1
    grid = np.arange(0, length, GRID)
    total = np.zeros((len(grid), len(MOUTH_NAMES)))
    weight = np.full_like(total, 1e-6)
    shut = np.zeros(len(grid))
    for i, (start, end, name) in enumerate(segs):
        low, high = np.searchsorted(grid, [start - _REACH, end + _REACH])
        if low == high:
            continue
        unit, near = units[name], grid[low:high]
        wanted = unit.mouth.copy()
        if unit.kind is Kind.VOWEL:
            wanted[_JAW] *= np.clip(1 + 0.045 * (loud[i] if loud else 0.0), 0.55, 1.25)
            wanted[_JAW] *= 0.8 if end - start < _SHORT_VOWEL else 1.0
        strength, ahead, (first, last) = _pull(unit, start, end)
        behind = ahead if unit.kind is Kind.SILENCE else np.full_like(ahead, _WIDTH)
        before, after = np.maximum(first - near, 0), np.maximum(near - last, 0)
        after[before > 0] = 0
        distance = (before[:, None] / ahead + after[:, None] / behind) / slower
        pull = strength * np.exp(-(distance**1.3))
        total[low:high] += pull * wanted
        weight[low:high] += pull
        if unit.mouth[_CLOSE] > 0:
            flank = np.exp(-((before / _RISE) ** 2) - (after / _FALL) ** 2)
            shut[low:high] = np.maximum(shut[low:high], unit.mouth[_CLOSE] * flank)

    mouth = total / weight
    padded = np.pad(mouth, ((1, 1), (0, 0)), mode="edge")
    mouth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    mouth[:, _CLOSE] = shut
    at = np.clip(np.rint(times / GRID).astype(int), 0, len(grid) - 1)
    sampled: FloatArray = mouth[at].astype(np.float32)
    around = np.clip(at[:, None] + np.arange(-POOL, POOL + 1), 0, len(grid) - 1)
    for control in (_CLOSE, _ROLL, _OUT):
        sampled[:, control] = mouth[around, control].max(axis=1)
    return sampled


def visemes(segs: Sequence[Segment], times: FloatArray) -> npt.NDArray[np.int64]:
    """Return the index in `VISEME_NAMES` that sounds at each time. (n,); silence outside."""
    starts = np.array([s.start for s in segs])
    which = np.searchsorted(starts, times, side="right") - 1
    said = np.zeros(len(times), np.int64)
    for row, (i, time) in enumerate(zip(which, times, strict=True)):
        if i < 0 or time >= segs[i].end:
            continue
        viseme = UNITS[segs[i].unit].viseme
        if viseme is None:  # h is spoken with the mouth of what follows
            viseme = (UNITS[segs[i + 1].unit].viseme or "aa") if i + 1 < len(segs) else "sil"
        said[row] = VISEME_NAMES.index(viseme)
    return said
