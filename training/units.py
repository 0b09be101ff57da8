"""What a mouth does for each sound: about forty articulatory units with their mouth targets.

Speech of any language is first written in these units. A unit belongs to one viseme, wants a
mouth (weights of `MOUTH_NAMES`), and bends its neighbours according to its kind. The targets
are phonetics by rule, not measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

FloatArray = npt.NDArray[Any]  # floating; docstrings say which


class Kind(Enum):
    """How strongly a unit holds its mouth against its neighbours."""

    VOWEL = "vowel"
    BILABIAL = "bilabial"  # the lips must meet
    LABIODENTAL = "labiodental"
    ROUND = "round"
    FIRM = "firm"  # consonants with a place of their own
    WEAK = "weak"  # made behind the lips: the neighbours decide
    NONE = "none"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Unit:
    """One articulatory unit.

    Attributes:
        viseme: Its viseme; None takes the one that follows.
        kind: How it dominates.
        mouth: Target weights in [0, 1], in `MOUTH_NAMES` order. float32, (12,).
        occlusion: Share of its length during which a bilabial's lips are shut.
    """

    viseme: str | None
    kind: Kind
    mouth: FloatArray
    occlusion: float = 1.0


_SHORT: Final = {
    "jaw": "jawOpen", "close": "lipClose", "funnel": "mouthFunnel", "pucker": "mouthPucker",
    "stretch": "mouthStretch", "smile": "mouthSmile", "press": "mouthPress",
    "lower": "lowerLipDown", "upper": "upperLipUp", "roll": "rollLower",
    "up": "tongueUp", "out": "tongueOut",
}  # fmt: skip

# unit, viseme (- for the next one's), kind, targets in hundredths
_TABLE: Final = """
sil sil silence
a   aa  vowel  jaw 75 stretch 10 upper 25 lower 40
A   aa  vowel  jaw 80 upper 20 lower 40
ae  aa  vowel  jaw 70 stretch 35 upper 30 lower 40
V   aa  vowel  jaw 55 upper 20 lower 30
6   aa  vowel  jaw 50 upper 20 lower 30
Q   O   vowel  jaw 65 funnel 35 pucker 10 lower 30
O   O   vowel  jaw 55 funnel 50 pucker 20 lower 25
o   O   vowel  jaw 42 funnel 50 pucker 45 lower 15
U   U   vowel  jaw 25 funnel 35 pucker 50
u   U   vowel  jaw 18 funnel 30 pucker 85
y   U   vowel  jaw 15 funnel 25 pucker 80
Y   U   vowel  jaw 22 funnel 30 pucker 55
2   O   vowel  jaw 35 funnel 35 pucker 55
9   O   vowel  jaw 48 funnel 45 pucker 35
i   I   vowel  jaw 16 stretch 60 smile 35 upper 20 lower 25
I   I   vowel  jaw 25 stretch 40 smile 20 upper 18 lower 20
e   E   vowel  jaw 35 stretch 50 smile 25 upper 20 lower 25
E   E   vowel  jaw 50 stretch 35 smile 15 upper 25 lower 30
@   E   vowel  jaw 30 stretch 10 upper 12 lower 15
3   RR  vowel  jaw 33 funnel 30 pucker 15 upper 12
M   I   vowel  jaw 20 stretch 20
1   I   vowel  jaw 22 stretch 25
p   PP  bilabial close 100 press 35 jaw 6
b   PP  bilabial close 100 press 30 jaw 6
m   PP  bilabial close 100 press 20 jaw 6
f   FF  labiodental roll 100 jaw 8 upper 35
v   FF  labiodental roll 90 jaw 10 upper 30
B   FF  labiodental close 55 jaw 12 funnel 15
T   TH  firm   out 70 up 60 jaw 18 upper 15 lower 20
D   TH  firm   out 60 up 60 jaw 18 upper 12 lower 20
t   DD  firm   up 85 jaw 13 stretch 15 lower 20 upper 10
d   DD  firm   up 85 jaw 15 stretch 12 lower 20 upper 10
n   nn  firm   up 85 jaw 18 lower 15 upper 10
l   nn  firm   up 90 jaw 25 lower 20 upper 12
k   kk  weak   jaw 24 lower 12
N   kk  weak   jaw 22 lower 10
h   -   none   jaw 30
S   CH  firm   funnel 60 pucker 30 jaw 10 upper 20 lower 20
s   SS  firm   stretch 35 jaw 5 lower 35 upper 15 up 30
r   RR  firm   funnel 38 pucker 25 jaw 18
R   kk  weak   jaw 25
rr  RR  firm   jaw 20 up 80 stretch 5
w   U   round  pucker 90 funnel 30 jaw 10
j   I   firm   stretch 50 smile 25 jaw 14 lower 15
"""

_OCCLUSION: Final = {"p": 0.62, "b": 0.85, "m": 0.95}


def _mouth(words: list[str]) -> FloatArray:
    """Read pairs of a short name and hundredths. float32, (12,)."""
    mouth = np.zeros(len(MOUTH_NAMES), np.float32)
    for name, hundredths in zip(words[::2], words[1::2], strict=True):
        mouth[MOUTH_NAMES.index(_SHORT[name])] = int(hundredths) / 100
    return mouth


def _units() -> dict[str, Unit]:
    """Read the table."""
    units = {}
    for line in _TABLE.split("\n"):
        if not (words := line.split()):
            continue
        viseme = None if words[1] == "-" else words[1]
        if viseme not in (*VISEME_NAMES, None):
            raise ValueError(f"unit {words[0]}: there is no viseme {viseme}")
        occlusion = _OCCLUSION.get(words[0], 1.0)
        units[words[0]] = Unit(viseme, Kind(words[2]), _mouth(words[3:]), occlusion)
    return units


UNITS: Final = _units()
"""Every unit by name."""

VOWELS: Final = frozenset(name for name, unit in UNITS.items() if unit.kind is Kind.VOWEL)
BILABIALS: Final = ("p", "b", "m")
OPEN_VOWELS: Final = ("a", "A", "ae", "Q")

_WEIGHTS: Final = {"lowerLipDown": 0.25, "upperLipUp": 0.2, "mouthFunnel": 0.15}


def aperture(mouth: FloatArray) -> FloatArray:
    """Return how far the lips are apart. (..., 12) weights to (...), 0 is shut, about 1 is wide."""
    by_name = {name: mouth[..., i] for i, name in enumerate(MOUTH_NAMES)}
    parting = by_name["jawOpen"] + sum(w * by_name[name] for name, w in _WEIGHTS.items())
    rounding = (1 - 0.55 * by_name["mouthPucker"]) * (1 - 0.6 * by_name["rollLower"])
    opening: FloatArray = np.clip(parting * rounding * (1 - by_name["lipClose"]), 0, None)
    return opening
