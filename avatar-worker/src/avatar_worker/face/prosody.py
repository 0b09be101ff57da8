"""What the moving mouth tells about the voice: how strong, where the accents and the pauses are.

The voice's pitch is not known here. Loudness and jaw go together well enough for accents; only
pitch of the head and the brows follow them, and weakly: yaw and roll do not follow the voice in
people either.
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
_ACCENT_APART_S: Final = 0.6
_PAUSE_S: Final = 0.12


def aperture(features: Features) -> float:
    """Return how far the lips are apart, roughly 0 to 1.5."""
    m = features.mouth
    lips = m[_JAW] + 0.25 * m[_LOWER] + 0.2 * m[_UPPER] + 0.15 * m[_FUNNEL]
    narrowed = (1 - 0.55 * m[_PUCKER]) * (1 - 0.6 * m[_ROLL]) * (1 - m[_CLOSE])
    return float(lips * narrowed)


class Prosody:
    """One voice. After each step: `accent`, `pause` and `beat` describe this moment.

    Attributes:
        accent: Strength of an accent that begins now, 0 to 1; 0 for none.
        pause: A phrase has just ended.
        beat: The 1-2 Hz part of the loudness, about -0.3 to 0.3.
    """

    def __init__(self) -> None:
        self.accent = 0.0
        self.pause = False
        self.beat = 0.0
        self._fast = self._slow = 0.0
        self._mean, self._spread = 0.25, 0.15
        self._above = False
        self._accent_at = -math.inf
        self._quiet_s = 0.0
        self._voiced_s = 0.0

    def step(self, now: float, dt: float, features: Features | None) -> None:
        """Listen to one picture's features; None is silence."""
        level = aperture(features) if features else 0.0
        quiet = features is None or float(features.visemes[_SILENT]) > 0.6
        self._fast += (level - self._fast) * -math.expm1(-dt / 0.08)
        self._slow += (level - self._slow) * -math.expm1(-dt / 0.35)
        self.beat = self._fast - self._slow

        self.accent = 0.0
        if not quiet:
            slowly = -math.expm1(-dt / 3.0)
            self._mean += (level - self._mean) * slowly
            self._spread += (abs(level - self._mean) - self._spread) * slowly
        above = self._fast > self._mean + self._spread
        if above and not self._above and now - self._accent_at >= _ACCENT_APART_S:
            self._accent_at = now
            excess = (level - self._mean) / (3 * self._spread + 1e-3)
            self.accent = min(1.0, max(0.2, excess))
        self._above = above

        self.pause = False
        if quiet:
            before, self._quiet_s = self._quiet_s, self._quiet_s + dt
            if before < _PAUSE_S <= self._quiet_s and self._voiced_s > 0.3:
                self.pause = True
                self._voiced_s = 0.0
        else:
            self._quiet_s = 0.0
            self._voiced_s += dt
