"""When and how the eyes close."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from .curves import log_normal

_CV: Final = 0.65
_DOWN_S: Final = 0.07
_UP_S: Final = 0.14
_HOLD_S: Final = 0.04
_REFRACTORY_S: Final = 0.35
_PARTIAL_SHARE: Final = 0.3


def lid_closure(age: float, hold: float) -> float:
    """Return how far the lid is down, 0 to 1, `age` seconds into a blink.

    It falls faster than it rises and slows down at the end, as coil recordings show.
    """
    if age <= 0:
        return 0.0
    if age < _DOWN_S:
        return (1 - math.cos(math.pi * age / _DOWN_S)) / 2
    if age <= _DOWN_S + hold:
        return 1.0
    rest = 1 - (age - _DOWN_S - hold) / _UP_S
    return rest * rest * (3 - 2 * rest) if rest > 0 else 0.0


class Blinks:
    """One pair of eyes. Intervals are log-normal; their mean may change at any time."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._due = log_normal(noise, 1.0, _CV) * float(noise.uniform())
        self._start = -math.inf
        self._hold = 0.0
        self._depth = (0.0, 0.0)

    def started_at(self) -> float:
        """Return when the last blink began; minus infinity if there was none."""
        return self._start

    def force(self, now: float) -> None:
        """Blink now, unless a blink has only just begun."""
        if now - self._start >= _REFRACTORY_S:
            self._begin(now)

    def step(self, before: float, now: float, mean: float) -> tuple[float, float]:
        """Go on to `now`.

        Args:
            before: Time of the last step, seconds.
            now: Time of this step.
            mean: Mean interval at this moment, seconds; infinite for no blinks.

        Returns:
            Closure of the left and the right eye, 0 to 1. A peak that falls between two steps
            is shown at the second, or slow pictures would lose whole blinks.
        """
        self._due -= (now - before) / mean
        wanted = self._due <= 0 and math.isfinite(mean)
        if wanted and now - self._start >= _REFRACTORY_S:
            self._begin(now)
        age = now - self._start
        closed = lid_closure(age, self._hold)
        if before - self._start < _DOWN_S <= age:
            closed = 1.0
        return closed * self._depth[0], closed * self._depth[1]

    def _begin(self, now: float) -> None:
        noise = self._noise
        self._start = now
        self._hold = float(noise.uniform(0, _HOLD_S))
        self._due = log_normal(noise, 1.0, _CV)
        if noise.uniform() < _PARTIAL_SHARE:
            depth = float(noise.uniform(0.5, 0.8))
            lean = float(noise.uniform(-0.05, 0.05)) * depth
            self._depth = (depth + lean, depth - lean)
        else:
            # A full blink reaches .98 in both eyes: an eye left a slit open looks asleep.
            self._depth = (float(noise.uniform(0.985, 1)), float(noise.uniform(0.985, 1)))
