"""The head: a slow sway that never repeats, nods, and a limit on how fast it all may go."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_worker.frames import HeadPose

from .curves import Drift, Gesture

LIMIT_DEG: Final = (8.0, 6.0, 4.0)  # yaw, pitch, roll
LIMIT_DEG_PER_S: Final = 35.0
_SHIFT_U: Final = (0.010, 0.006)  # 1 px on a face of 100 px between the eyes
_SHIFT_HZ: Final = 0.15
_BACKCHANNEL_HZ: Final = 1.2
_BACKCHANNEL_APART_S: Final = 4.0


class Head:
    """One head. Its axes are free processes; only nods are caused by something."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._sway = [Drift(child) for child in noise.spawn(3)]
        self._shift = [Drift(child) for child in noise.spawn(2)]
        self._emphasis = Gesture()
        self._assent = (-math.inf, 0.0, 0)  # start, height, cycles
        self._pose: list[float] | None = None

    def nod_with_accent(self, start: float, strength: float) -> None:
        """Bow the head 1.5 to 4 degrees with a stressed word, unless a nod is under way.

        The head is lowest .2 s after `start`.
        """
        if not self._emphasis.busy(start):
            self._emphasis.begin(start, 1.5 + 2.5 * strength, rise=0.2, fall=0.45)

    def nod_in_assent(self, start: float) -> None:
        """Nod once or twice, small, as a listener does; not again within 4 s."""
        if start - self._assent[0] >= _BACKCHANNEL_APART_S:
            height = float(self._noise.uniform(1.5, 2.5))
            self._assent = (start, height, int(self._noise.integers(1, 3)))

    def nod_begins(self, now: float, within: float) -> bool:
        """Tell whether a nod begins at most `within` seconds from `now`, before or after."""
        starts = (self._emphasis.start, self._assent[0])
        return any(abs(now - start) <= within for start in starts)

    def step(
        self,
        now: float,
        dt: float,
        *,
        sway_deg: tuple[float, float, float],
        sway_hz: float,
        lean_deg: tuple[float, float, float],
        beat_deg: float,
    ) -> HeadPose:
        """Go on by `dt` seconds to `now` and return the pose.

        Args:
            now: Seconds.
            dt: Seconds since the last step.
            sway_deg: Standard deviation of yaw, pitch, roll.
            sway_hz: Corner frequency of the sway.
            lean_deg: Yaw, pitch and roll to sway about; gestures are part of it.
            beat_deg: What the voice adds to the pitch.
        """
        yaw, pitch, roll = (
            sigma * drift.step(dt, sway_hz)
            for sigma, drift in zip(sway_deg, self._sway, strict=True)
        )
        nods = self._emphasis.at(now) + self._assenting(now)
        wanted = (yaw + lean_deg[0], pitch + lean_deg[1] + beat_deg + nods, roll + lean_deg[2])
        inside = [_soft_limit(w, limit) for w, limit in zip(wanted, LIMIT_DEG, strict=True)]
        if self._pose is None:
            self._pose = inside
        most = LIMIT_DEG_PER_S * dt
        self._pose = [
            old + min(most, max(-most, new - old))
            for old, new in zip(self._pose, inside, strict=True)
        ]
        scale = min(1.0, sum(sway_deg))  # a head that is held still does not wander either
        x, y = (
            scale * size * drift.step(dt, _SHIFT_HZ)
            for size, drift in zip(_SHIFT_U, self._shift, strict=True)
        )
        yaw, pitch, roll = self._pose
        return HeadPose(yaw, pitch, roll, x, y)

    def _assenting(self, now: float) -> float:
        start, height, cycles = self._assent
        turn = (now - start) * _BACKCHANNEL_HZ
        if not 0 <= turn < cycles:
            return 0.0
        return height * (1 - math.cos(2 * math.pi * turn)) / 2 * 0.6 ** int(turn)


def _soft_limit(value: float, limit: float) -> float:
    """Pass small angles unchanged and approach the limit smoothly from half of it on."""
    half = limit / 2
    if abs(value) <= half:
        return value
    return math.copysign(half + half * math.tanh((abs(value) - half) / half), value)
