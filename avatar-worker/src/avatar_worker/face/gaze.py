"""Where the eyes look: at the viewer, now and then elsewhere, never perfectly still."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from .curves import log_normal
from .manner import Manner

_CV: Final = 0.6
_TREMOR_DEG: Final = 0.4
_TREMOR_EVERY_S: Final = (0.3, 1.5)
_THINKING_DWELL_S: Final = (1.0, 3.5)
_REACTION_S: Final = (0.08, 0.2)


class Gaze:
    """One pair of eyes; degrees in the room, x to image right, y down, (0, 0) at the viewer."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._target = (0.0, 0.0)
        self._tremor = (0.0, 0.0)
        self._tremor_until = 0.0
        self._until = -math.inf
        self._from = (0.0, 0.0)
        self._moved_at = -math.inf
        self._moving_s = 0.025
        self.side = 1.0
        self.at_viewer = True
        self.shift = 0.0

    def manner_changes(self, now: float) -> None:
        """Look for a new place soon: a change of state is seen in the eyes first."""
        self._until = now + float(self._noise.uniform(*_REACTION_S))
        self.side = float(self._noise.choice((-1.0, 1.0)))

    def look(self, now: float, place: tuple[float, float], dwell: float) -> None:
        """Look at a place, in degrees, for `dwell` seconds, whatever the state would have."""
        self.at_viewer = place == (0.0, 0.0)
        self._until = now + dwell
        self._jump(now, place, self._draw_tremor(now))

    def step(self, now: float, manner: Manner) -> tuple[float, float]:
        """Return where the eyes look now; `shift` is how far a look that began now will go."""
        self.shift = 0.0
        if now >= self._until:
            self._choose(now, manner)
        elif now >= self._tremor_until:
            self._tremble(now)
        return self._at(now)

    def _choose(self, now: float, manner: Manner) -> None:
        noise = self._noise
        if manner.away_up:
            self.at_viewer = False
            dwell = float(noise.uniform(*_THINKING_DWELL_S))
            angle = float(noise.uniform(0.25, 0.7))  # radians above the horizon
            reach = float(noise.uniform(*manner.away_deg))
            place = (self.side * reach * math.cos(angle), -reach * math.sin(angle))
        elif self.at_viewer and math.isfinite(self._moved_at):
            self.at_viewer = False
            dwell = log_normal(noise, manner.away_s, _CV)
            side = float(noise.choice((-1.0, 1.0)))
            angle = float(noise.normal(0.15, 0.45))  # mostly sideways, a little more often down
            reach = float(noise.uniform(*manner.away_deg))
            place = (side * reach * math.cos(angle), reach * math.sin(angle))
        else:
            self.at_viewer = True
            dwell = log_normal(noise, manner.at_viewer_s, _CV)
            place = (0.0, 0.0)
        self.shift = math.dist(place, self._target)
        self._until = now + dwell
        self._jump(now, place, self._draw_tremor(now))

    def _tremble(self, now: float) -> None:
        self._jump(now, self._target, self._draw_tremor(now))

    def _draw_tremor(self, now: float) -> tuple[float, float]:
        noise = self._noise
        self._tremor_until = now + float(noise.uniform(*_TREMOR_EVERY_S))
        x, y = noise.normal(0, _TREMOR_DEG, 2)
        return float(x), float(y) * 0.6

    def _jump(self, now: float, place: tuple[float, float], tremor: tuple[float, float]) -> None:
        self._from = self._at(now)
        self._target, self._tremor, self._moved_at = place, tremor, now
        end = (place[0] + tremor[0], place[1] + tremor[1])
        self._moving_s = 0.025 + 0.0024 * math.dist(self._from, end)

    def _at(self, now: float) -> tuple[float, float]:
        done = min(1.0, (now - self._moved_at) / self._moving_s)
        x = self._target[0] + self._tremor[0]
        y = self._target[1] + self._tremor[1]
        return self._from[0] + done * (x - self._from[0]), self._from[1] + done * (
            y - self._from[1]
        )
