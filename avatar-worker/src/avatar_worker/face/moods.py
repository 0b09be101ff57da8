"""Moods: what they add to a face, and the way from one to the next.

A mood comes from somebody who knows it, by name. It is never guessed from the voice: prosody
tells how lively somebody is and hardly whether that is joy or anger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES

from .curves import Eased

Floats = npt.NDArray[np.float64]

_CONTROLS: Final = len(CONTROL_NAMES)


@dataclass(frozen=True, slots=True)
class Look:
    """One mood at full intensity.

    Attributes:
        weights: Added to the face by ARKit name; `Both` at the end stands for left and right.
            A negative one takes away.
        lean_deg: Added to the head: yaw, pitch (positive bows), roll.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    lean_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)


MOODS: Final[Mapping[str, Look]] = {
    "neutral": Look(),
    "happy": Look(
        {
            # Closed lips are stretched thin over the teeth, or a wide smile looks put on.
            "mouthSmileBoth": 0.85,
            "mouthPressBoth": 0.35,
            "mouthDimpleBoth": 0.35,
            "cheekSquintBoth": 0.8,
            "eyeSquintBoth": 0.12,
            "browInnerUp": 0.08,
            "browOuterUpBoth": 0.12,
        },
        (0.0, -0.6, 0.0),
    ),
    "sad": Look(
        {
            "mouthSmileBoth": -0.10,
            "mouthFrownBoth": 0.85,
            "browInnerUp": 0.75,
            "browDownBoth": 0.12,
            "eyeSquintBoth": 0.15,
        },
        (0.0, 2.2, 0.0),
    ),
    "surprised": Look(
        {"browInnerUp": 0.8, "browOuterUpBoth": 0.8, "eyeWideBoth": 0.9},
        (0.0, -1.2, 0.0),
    ),
    "serious": Look(
        {
            "mouthSmileBoth": -0.10,
            "mouthPressBoth": 0.25,
            "mouthFrownBoth": 0.1,
            "browDownBoth": 0.4,
            "eyeSquintBoth": 0.15,
        },
        (0.0, 0.6, 0.0),
    ),
    "thoughtful": Look(
        {
            "mouthSmileBoth": -0.05,
            "mouthPressBoth": 0.3,
            "mouthLeft": 0.2,
            "browInnerUp": 0.2,
            "browOuterUpLeft": 0.35,
            "browDownRight": 0.35,
            "eyeSquintBoth": 0.15,
        },
        (0.0, -0.6, 1.5),
    ),
    "concerned": Look(
        {
            "mouthSmileBoth": -0.10,
            "mouthFrownBoth": 0.3,
            "browInnerUp": 0.75,
            "browDownBoth": 0.35,
            "eyeSquintBoth": 0.12,
        },
        (0.0, 0.6, 1.5),
    ),
    "sorry": Look(
        {
            "mouthSmileBoth": -0.05,
            "mouthFrownBoth": 0.35,
            "mouthPressBoth": 0.45,
            "browInnerUp": 0.65,
            "browOuterUpBoth": 0.1,
        },
        (0.0, 2.6, 1.2),
    ),
    "angry": Look(
        {
            "mouthSmileBoth": -0.10,
            "mouthFrownBoth": 0.3,
            "mouthPressBoth": 0.45,
            "noseSneerBoth": 0.4,
            "browDownBoth": 0.9,
            "eyeSquintBoth": 0.3,
        },
        (0.0, 1.2, 0.0),
    ),
}


NO_WEIGHTS: Final = np.zeros(_CONTROLS)
NO_LEAN: Final = np.zeros(3)
"""What is added by nothing; callers may look for these very objects."""


class Moods:
    """One face's mood. Fades from wherever it is, and starts neutral."""

    def __init__(self) -> None:
        self._mood = Eased((0.0,) * (_CONTROLS + 3), 1.0)
        self._neutral_from = -math.inf

    def set(self, name: str, intensity: float, fade_s: float, now: float) -> None:
        """Set out for a mood of `MOODS`; `intensity` 0 to 1, `fade_s` seconds."""
        target = intensity * _LOOKS[name]
        self._mood.towards(tuple(target), now, seconds=fade_s)
        self._neutral_from = math.inf if target.any() else now + fade_s

    def at(self, now: float) -> tuple[Floats, Floats]:
        """Return what is added now: weights in `CONTROL_NAMES` order (54,), degrees (3,)."""
        if now > self._neutral_from:
            return NO_WEIGHTS, NO_LEAN
        values = self._mood.at(now)
        return values[:_CONTROLS], values[_CONTROLS:]


def named_weights(weights: Mapping[str, float]) -> Floats:
    """Return weights by name as a vector; `...Both` sets both sides. float64, (54,)."""
    vector = np.zeros(_CONTROLS)
    for name, weight in weights.items():
        stem = name.removesuffix("Both")
        names = (name,) if stem == name else (f"{stem}Left", f"{stem}Right")
        for one in names:
            vector[CONTROL_INDEX[one]] = weight
    return vector


_LOOKS: Final = {
    name: np.concatenate([named_weights(look.weights), look.lean_deg])
    for name, look in MOODS.items()
}
