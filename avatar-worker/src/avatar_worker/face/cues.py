"""What others may ask of the face: moods, gestures, and news of the user's turn.

Names and numbers come from outside: from a call in the room or a file beside a recording. Both
are read here, strictly, so that they mean the same and are refused with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from avatar_worker.errors import CueError

from .gestures import GESTURES
from .moods import MOODS

USUAL_FADE_S: Final = 0.4
LONGEST_FADE_S: Final = 10.0


class Turn(StrEnum):
    """News of the user's turn, which a listener's face answers."""

    BEGAN = "began"
    """The user begins to speak: brows may rise a little."""
    PAUSED = "paused"
    """The user has stopped for now: time for a small nod, perhaps."""
    INVITES = "invites"
    """The user's voice has dropped for a moment: a nod would be welcome."""


@dataclass(frozen=True, slots=True)
class Mood:
    """How the face should look beside all that it does.

    Attributes:
        name: One of `MOODS`.
        intensity: 0 to 1.
        fade_s: How long the way there takes, seconds, 0 to 10.
    """

    name: str
    intensity: float = 1.0
    fade_s: float = USUAL_FADE_S


@dataclass(frozen=True, slots=True)
class Gesture:
    """Something done once, at once. `name` is one of `GESTURES`."""

    name: str


Cue = Mood | Gesture | Turn


def read_mood(given: Mapping[str, Any]) -> Mood:
    """Read `{"mood": name, "intensity": 0..1, "fade": 0..10}`; the numbers may be left out.

    Raises:
        CueError: If the name is unknown, a number is out of range, or there is anything else.
    """
    _only(given, "mood", "intensity", "fade")
    return Mood(
        _name(given, "mood", tuple(MOODS)),
        _number(given, "intensity", usual=1.0, most=1.0),
        _number(given, "fade", usual=USUAL_FADE_S, most=LONGEST_FADE_S),
    )


def read_gesture(given: Mapping[str, Any]) -> Gesture:
    """Read `{"gesture": name}`.

    Raises:
        CueError: If the name is unknown, or there is anything else.
    """
    _only(given, "gesture")
    return Gesture(_name(given, "gesture", tuple(GESTURES)))


def _only(given: Mapping[str, Any], *keys: str) -> None:
    for key in given:
        if key not in keys:
            allowed = ", ".join(keys)
            raise CueError("BAD_CUE", f"there is no {key[:40]!r} here; known are {allowed}", keys)


def _name(given: Mapping[str, Any], what: str, known: tuple[str, ...]) -> str:
    name = given.get(what)
    if not isinstance(name, str):
        raise CueError("BAD_CUE", f"{what} must be one of {', '.join(known)}", known)
    if name not in known:
        raise CueError.unknown(what, name, known)
    return name


def _number(given: Mapping[str, Any], what: str, *, usual: float, most: float) -> float:
    value = given.get(what, usual)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= most:  # false for NaN
        raise CueError("BAD_CUE", f"{what} must be a number from 0 to {most:g}")
    return float(value)
