"""The mouth between two things to say: from the last word to rest, and at rest."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, Features

from .controls import seal, spell
from .curves import Drift, Gesture, smoothstep

EASE_S: Final = 0.12
"""From the last word to rest: three pictures at 25 per second."""

_SWALLOW_S: Final = (40.0, 90.0)
_CORNERS_GIVE_WAY: Final = 0.4
"""How much of a mood the corners of the mouth lose on p, b and m. They part no lips, and corners
that dropped all of a smile for two pictures would twitch."""

_PARTING: Final = (
    "jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthShrugUpper",
    "noseSneer", "tongueOut",
)  # fmt: skip


def _are(*starts: str) -> npt.NDArray[np.float64]:
    """Return 1 for the controls whose names begin so, else 0. (54,)."""
    return np.array([float(name.startswith(starts)) for name in CONTROL_NAMES])


_CORNERS: Final = _are("mouthSmile", "mouthFrown", "mouthDimple")
_AT_REST: Final = _are("mouth", "jaw") * (1 - _are(*_PARTING))
_IN_SPEECH: Final = _are("mouth", "jaw", *_PARTING) * (1 - _are("mouthPress", "mouthClose"))
"""Pressed lips would swallow every vowel."""
_CLOSE = CONTROL_INDEX["mouthClose"]
_PRESS = [CONTROL_INDEX["mouthPressLeft"], CONTROL_INDEX["mouthPressRight"]]
_SMILE = [CONTROL_INDEX["mouthSmileLeft"], CONTROL_INDEX["mouthSmileRight"]]


class Mouth:
    """One mouth.

    Args:
        noise: What makes it differ from others.
        open_scale: Factor on everything that parts the lips.
    """

    def __init__(self, noise: np.random.Generator, *, open_scale: float) -> None:
        self._noise = noise
        self._open_scale = open_scale
        self._life = [Drift(child) for child in noise.spawn(3)]
        self._swallow = Gesture()
        self._next_swallow = float(noise.uniform(*_SWALLOW_S))
        self._said = np.zeros(len(CONTROL_NAMES), np.float32)
        self._silent_since = -math.inf
        self._speaking = False
        self._lean = float(noise.uniform(-0.06, 0.06))

    def step(
        self,
        before: float,
        now: float,
        features: Features | None,
        *,
        smile: float,
        press: float,
        mood: npt.NDArray[np.float64] | None = None,
        liveliness: float = 1.0,
    ) -> npt.NDArray[np.float32]:
        """Return the weights of the mouth, others 0. float32, (54,).

        What is said comes before what is felt: a mood never changes `mouthClose`, and where the
        lips are sealed, what parts them is taken from it.

        Args:
            before: Time of the last picture, seconds.
            now: Time of this one.
            features: What the voice says; None while nobody speaks. Followed at once.
            smile: At rest.
            press: At rest.
            mood: Added to the lips, in `CONTROL_NAMES` order. (54,). None adds nothing.
            liveliness: Factor on how far the lips part in speech.
        """
        rest = self._rest(before, now, smile, press)
        smiling = rest[_SMILE]
        if mood is not None:
            rest += np.asarray(mood * _AT_REST, np.float32)
        if features is not None:
            self._speaking = True
            said = spell(features, open_scale=self._open_scale * liveliness)
            sealed = seal(float(said[_CLOSE]))
            said[_SMILE] = np.maximum(said[_SMILE], smiling * (1 - sealed))
            if mood is not None:
                left = _IN_SPEECH * (1 - sealed + (1 - _CORNERS_GIVE_WAY) * sealed * _CORNERS)
                said += np.asarray(mood * left, np.float32)
            self._said = said
            return said.copy()
        if self._speaking:
            self._speaking = False
            # The last word was shown at the last picture: rest comes EASE_S after that.
            self._silent_since = before
        done = smoothstep(0, EASE_S, now - self._silent_since)
        # Three steps of 40 ms end exactly at EASE_S; adding up seconds must not miss it.
        if now - self._silent_since >= EASE_S - 1e-6:
            return rest
        blended: npt.NDArray[np.float32] = (self._said + (rest - self._said) * done).astype(
            np.float32
        )
        return blended

    def _rest(
        self, before: float, now: float, smile: float, press: float
    ) -> npt.NDArray[np.float32]:
        """Closed lips of a living person."""
        dt = now - before
        tension, corners, jaw = (drift.step(dt, 0.1) for drift in self._life)
        if now >= self._next_swallow:
            self._next_swallow = now + float(self._noise.uniform(*_SWALLOW_S))
            self._swallow.begin(now, 0.35, rise=0.35, fall=0.4)
        swallow = self._swallow.at(now)
        weights = np.zeros(len(CONTROL_NAMES), np.float32)
        # Above the seal at any moment: at rest the lips touch.
        weights[_CLOSE] = 0.9 + 0.06 * math.tanh(jaw)
        weights[_PRESS] = press + swallow + 0.02 * (1 + math.tanh(tension))
        lift = smile * (1 + 0.35 * math.tanh(corners))
        weights[_SMILE[0]] = lift * (1 + self._lean)
        weights[_SMILE[1]] = lift * (1 - self._lean)
        return weights
