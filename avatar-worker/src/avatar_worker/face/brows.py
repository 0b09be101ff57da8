"""The brows: a little life at rest, raises with accents and with attention."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from .curves import Drift, Gesture, log_normal
from .state import Activity

_ACCENT_SHARE: Final = 0.3
_RARE_S: Final = 20.0


class Brows:
    """One pair. Returns inner and outer raise, 0 to about .5."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._drift = Drift(noise.spawn(1)[0])
        self._raise = Gesture()
        self._next_rare = log_normal(noise, _RARE_S, 0.5)
        self._lean = (float(noise.uniform(0.94, 1)), float(noise.uniform(0.94, 1)))

    def accent(self, now: float, strength: float, *, liveliness: float = 1.0) -> None:
        """Maybe raise the brows with a stressed word, .15 to .4 times liveliness."""
        if self._noise.uniform() < _ACCENT_SHARE and not self._raise.busy(now):
            height = liveliness * (0.15 + 0.25 * strength)
            self._raise.begin(now, height, rise=0.25, fall=0.4)

    def attend(self, now: float) -> None:
        """Raise them slightly: the other begins to speak."""
        if not self._raise.busy(now):
            self._raise.begin(now, 0.1, rise=0.3, fall=0.9)

    def manner_changes(self, now: float, activity: Activity) -> None:
        """Begin another state; who begins to listen raises them slightly."""
        if activity is Activity.LISTENING:
            self.attend(now)
        self._next_rare = now + log_normal(self._noise, _RARE_S, 0.5)

    def step(self, now: float, dt: float, activity: Activity, rest: float) -> tuple[float, ...]:
        """Return inner, outer left and outer right raise; `rest` is the inner raise at rest."""
        if now >= self._next_rare:
            self._next_rare = now + log_normal(self._noise, _RARE_S, 0.5)
            if activity is Activity.LISTENING and not self._raise.busy(now):
                self._raise.begin(now, 0.25, rise=0.3, fall=0.7)
        life = 0.02 * (1 + math.tanh(self._drift.step(dt, 0.12)))
        raised = self._raise.at(now) + life
        left, right = self._lean
        return rest + raised, raised * left, raised * right
