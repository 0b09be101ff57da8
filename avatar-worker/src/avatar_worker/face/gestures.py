"""Gestures: short movements that are asked for by name, added to whatever the face does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from .curves import smoothstep
from .moods import NO_LEAN, NO_WEIGHTS, named_weights

Floats = npt.NDArray[np.float64]

MOST_AT_ONCE: Final = 4
"""Further gestures are dropped: a face has only so many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One gesture.

    Attributes:
        seconds: How long it lasts.
        head_deg: Yaw, pitch (positive bows), roll at its height.
        weights: Face weights at its height; `...Both` is left and right.
        cycles: Full swings of the head within it; 0 goes there, stays and comes back.
        to_and_fro: A swing goes to both sides, as a shake does; else out and back, as a nod.
        rise: Share of the time to go there, and to come back, for what does not swing.
        either_side: Mirrored at random.
        looks_at_deg: Where the eyes go meanwhile, x and y downwards; None leaves them free.
    """

    seconds: float
    head_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    weights: Mapping[str, float] = field(default_factory=dict)
    cycles: int = 0
    to_and_fro: bool = False
    rise: float = 0.3
    either_side: bool = False
    looks_at_deg: tuple[float, float] | None = None


GESTURES: Final[Mapping[str, Movement]] = {
    "nod": Movement(seconds=1.0, head_deg=(0.0, 4.8, 0.0), cycles=2),
    "shake": Movement(seconds=1.7, head_deg=(4.2, 0.0, 0.0), cycles=2, to_and_fro=True),
    "tilt": Movement(seconds=1.8, head_deg=(0.0, 0.3, 3.8), either_side=True),
    "bow": Movement(seconds=1.6, head_deg=(0.0, 4.8, 0.0)),
    "smile": Movement(
        seconds=2.2,
        weights={"mouthSmileBoth": 0.9, "cheekSquintBoth": 0.45, "eyeSquintBoth": 0.1},
        rise=0.2,
    ),
    "wink": Movement(
        seconds=0.44,
        weights={"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.5, "mouthSmileLeft": 0.3},
        rise=0.3,
    ),
    "raise_brows": Movement(
        seconds=1.0, weights={"browInnerUp": 0.7, "browOuterUpBoth": 0.7}, rise=0.25
    ),
    "frown": Movement(seconds=1.4, weights={"browDownBoth": 0.75, "eyeSquintBoth": 0.2}),
    "look_away": Movement(
        seconds=1.5, head_deg=(1.5, 0.0, 0.0), either_side=True, looks_at_deg=(7.0, 1.5)
    ),
    "look_at": Movement(seconds=3.0, looks_at_deg=(0.0, 0.0)),
}


class Gestures:
    """One face's gestures. They add up; one that is under way is not begun again."""

    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise
        self._active: dict[str, tuple[float, float, float]] = {}  # start, seconds, side

    def begin(self, name: str, start: float) -> tuple[float, float, float] | None:
        """Begin a gesture of `GESTURES` at `start`.

        Returns:
            Where the eyes should go and for how long: x, y in degrees and seconds; None if they
            are free, or the gesture is not begun.
        """
        if name in self._active or len(self._active) >= MOST_AT_ONCE:
            return None
        movement = GESTURES[name]
        side = float(self._noise.choice((-1.0, 1.0))) if movement.either_side else 1.0
        seconds = movement.seconds * float(self._noise.uniform(0.92, 1.08))
        self._active[name] = (start, seconds, side)
        if movement.looks_at_deg is None:
            return None
        x, y = movement.looks_at_deg
        return side * x, y, seconds

    def at(self, now: float) -> tuple[Floats, Floats]:
        """Return what is added now: weights in `CONTROL_NAMES` order (54,), degrees (3,)."""
        for name in [n for n, (start, long, _) in self._active.items() if now >= start + long]:
            del self._active[name]
        if not self._active:
            return NO_WEIGHTS, NO_LEAN
        weights, head = np.zeros_like(NO_WEIGHTS), np.zeros_like(NO_LEAN)
        for name, (start, long, side) in self._active.items():
            movement, done = GESTURES[name], max(0.0, (now - start) / long)
            hold = _there_and_back(done, movement.rise)
            weights += hold * _WEIGHTS[name]
            swing = _swing(done, movement) if movement.cycles else hold
            head += swing * side * _HEADS[name]
        return weights, head


def _there_and_back(done: float, rise: float) -> float:
    return smoothstep(0, rise, done) * smoothstep(0, rise, 1 - done)


def _swing(done: float, movement: Movement) -> float:
    """Return the swing of a nod or a shake, each weaker than the one before."""
    turn = done * movement.cycles
    decay = 0.65 ** int(turn)
    if not movement.to_and_fro:
        return decay * (1 - math.cos(2 * math.pi * turn)) / 2
    # A shake gathers way and dies down; between its swings it must not kink.
    return _there_and_back(done, 0.35) * math.sin(2 * math.pi * turn)


_WEIGHTS: Final = {name: named_weights(m.weights) for name, m in GESTURES.items()}
_HEADS: Final = {name: np.array(m.head_deg) for name, m in GESTURES.items()}
