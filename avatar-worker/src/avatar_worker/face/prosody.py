"""What the moving mouth tells about the voice: its beat, and where its phrases end.

Accents come from the voice's melody (`intonation`); this is what is seen, at the time it is seen.
"""

from __future__ import annotations

import math
from typing import Final

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES, Features

_JAW, _CLOSE, _FUNNEL, _PUCKER, _LOWER, _UPPER, _ROLL = (
    MOUTH_NAMES.index(name)
    for name in (
        "jawOpen", "lipClose", "mouthFunnel", "mouthPucker", "lowerLipDown", "upperLipUp",
        "rollLower",
    )
)  # fmt: skip
_SILENT: Final = VISEME_NAMES.index("sil")
_PAUSE_S: Final = 0.12


def aperture(features: Features) -> float:
    """Return how far the lips are apart, roughly 0 to 1.5."""
    m = features.mouth
    lips = m[_JAW] + 0.25 * m[_LOWER] + 0.2 * m[_UPPER] + 0.15 * m[_FUNNEL]
    narrowed = (1 - 0.55 * m[_PUCKER]) * (1 - 0.6 * m[_ROLL]) * (1 - m[_CLOSE])
    return float(lips * narrowed)


class Prosody:
    """One voice. After each step: `pause` and `beat` describe this moment.

    Attributes:
        pause: A phrase has just ended.
        beat: The 1-2 Hz part of the loudness, about -0.3 to 0.3.
    """

    def __init__(self) -> None:
        self.pause = False
        self.beat = 0.0
        self._fast = self._slow = 0.0
        self._quiet_s = 0.0
        self._voiced_s = 0.0

    def step(self, dt: float, features: Features | None) -> None:
        """Listen to one picture's features; None is silence."""
        level = aperture(features) if features else 0.0
        quiet = features is None or float(features.visemes[_SILENT]) > 0.6
        self._fast += (level - self._fast) * -math.expm1(-dt / 0.08)
        self._slow += (level - self._slow) * -math.expm1(-dt / 0.35)
        self.beat = self._fast - self._slow

        self.pause = False
        if quiet:
            before, self._quiet_s = self._quiet_s, self._quiet_s + dt
            if before < _PAUSE_S <= self._quiet_s and self._voiced_s > 0.3:
                self.pause = True
                self._voiced_s = 0.0
        else:
            self._quiet_s = 0.0
            self._voiced_s += dt
