"""Synthesisers that tell when each sound began, one module each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Protocol

from training.phones import Segment
from training.units import FloatArray

HELD_OUT_LANGUAGES: Final = ("pt", "it")
"""Never trained on, by any engine: what the net does there it does in a language it never heard."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine.

    Attributes:
        name: By which the engine knows it.
        language: ISO 639-1.
    """

    name: str
    language: str


class Engine(Protocol):
    """What every synthesiser here can do."""

    name: str
    voices: list[Voice]

    def speak(
        self, voice: Voice, text: str, pick: random.Random
    ) -> tuple[FloatArray, list[Segment]]:
        """Say a text.

        Args:
            voice: One of `voices`.
            text: In its language.
            pick: Chooses speed and the like.

        Returns:
            Sound at 16 kHz, float32 (n,), and its units with the known lateness removed.

        Raises:
            ValueError: If this text cannot be said, which is no reason to stop.
        """
        ...
