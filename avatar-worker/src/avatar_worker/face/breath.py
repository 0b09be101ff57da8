"""Breathing: in quickly, out slowly, no two breaths alike."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

_CYCLE_S: Final = 60 / 14
_JITTER: Final = 0.1
_IN_SHARE: Final = 0.4  # in : out = 1 : 1.5
_IN_SPEAKING_S: Final = 0.5
_DEPTH: Final = (0.3, 0.4)


class Breath:
    """One chest. -1 is empty and 1 is full, scaled by a depth of .3 to .4."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._depth = float(noise.uniform(*_DEPTH))
        self._age = 0.0
        self._from = -1.0
        self._in_s, self._out_s = self._draw(speaking=False)
        self._age = float(noise.uniform(0, self._in_s + self._out_s))

    def step(self, dt: float, *, rate: float, speaking: bool, pause: bool) -> float:
        """Go on by `dt` seconds.

        Args:
            dt: Seconds.
            rate: Factor on 14 breaths a minute; 0 holds still.
            speaking: Breathe in quickly and use it up slowly.
            pause: A phrase has just ended: breathe in now if half of the air is used.

        Returns:
            Fullness, -.4 to .4.
        """
        if rate <= 0:
            return 0.0
        self._age += dt * rate
        used_half = self._age > self._in_s and self._level() < 0
        over = self._age >= self._in_s + self._out_s
        if over or (pause and used_half):
            self._begin(speaking)
        return self._depth * self._level()

    def _begin(self, speaking: bool) -> None:
        self._from = self._level()
        self._age = 0.0
        self._in_s, self._out_s = self._draw(speaking=speaking)
        self._depth += (float(self._noise.uniform(*_DEPTH)) - self._depth) * 0.5

    def _draw(self, *, speaking: bool) -> tuple[float, float]:
        cycle = _CYCLE_S * min(1.25, max(0.75, float(self._noise.normal(1, _JITTER))))
        inwards = _IN_SPEAKING_S if speaking else cycle * _IN_SHARE
        return inwards, cycle - inwards

    def _level(self) -> float:
        """Return fullness, -1 to 1; continuous also when a breath is cut short."""
        if self._age < self._in_s:
            part = (1 - math.cos(math.pi * self._age / self._in_s)) / 2
            return self._from + (1 - self._from) * part
        part = min(1.0, (self._age - self._in_s) / self._out_s)
        return math.cos(math.pi * part)
