"""Teeth that differ from person to person: sizes, arch and hue, chosen by the face's own measures.

Where the photo shows teeth, `own_teeth` takes them from there; these are for closed lips. The
spread is that of adults; whose teeth they are nobody can know, but not everybody has the same.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from .measures import Measures

UPPER_TEETH: Final = ((8.4, 9.8), (6.6, 9.0), (7.4, 9.6), (6.9, 8.4), (6.8, 7.8), (8.5, 7.2))
LOWER_TEETH: Final = ((5.3, 8.2), (5.8, 8.4), (6.7, 8.8), (6.9, 8.0), (6.8, 7.6), (9.0, 7.0))
"""Width and height in mm from the middle outwards, of an average adult."""

UPPER_ARCH_MM, LOWER_ARCH_MM = 26.0, 23.0
ENAMEL: Final = (222.0, 210.0, 194.0)
WHITENESS: Final = ((1.02, 1.03, 1.05), (0.97, 0.955, 0.91))
"""Factors of the whitest and of the yellowest enamel."""

USUAL_MOUTH_U: Final = 0.80
SPREAD: Final = 0.05
OWN_SPREAD: Final = 0.03
"""Relative deviation of one tooth's size: of both sides alike, and of one side alone."""

SHADES: Final = (1.0, 0.985, 0.94, 0.96, 0.94, 0.92)
SHADE_SPREAD: Final = 0.022
"""Light of a tooth from the middle outwards, of the front tooth's, and its deviation. Canines have the
thickest dentine behind their enamel and are the darkest of those that a smile shows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of teeth.

    Attributes:
        teeth: Width and height in mm, from the middle outwards; the left half, then the right.
        arch_mm: Radius of the arch.
        shades: Light of every tooth, of the front teeth's; in the order of `teeth`.
    """

    teeth: tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]
    arch_mm: float
    shades: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Dentition:
    """Both rows and the enamel's colour, RGB under white light."""

    upper: Row
    lower: Row
    enamel: tuple[float, float, float]


def dentition(m: Measures) -> Dentition:
    """Choose a person's teeth. The same face always gets the same ones.

    Args:
        m: The face.
    """
    shape = (m.points[:468, :2] - m.mouth.centre) / m.u
    chance = np.random.default_rng(zlib.crc32(np.rint(200 * shape).astype("<i4").tobytes()))
    # Wide mouths have wide arches, but less so.
    width = float(np.clip((2 * m.mouth.half_width / (USUAL_MOUTH_U * m.u)) ** 0.5, 0.92, 1.08))
    whitest, yellowest = (np.array(factors) for factors in WHITENESS)
    tone = np.array(ENAMEL) * (whitest + chance.uniform() * (yellowest - whitest))
    red, green, blue = (float(v) for v in tone)
    return Dentition(
        upper=_row(UPPER_TEETH, UPPER_ARCH_MM, width, chance),
        lower=_row(LOWER_TEETH, LOWER_ARCH_MM, width, chance),
        enamel=(red, green, blue),
    )


def _row(
    teeth: tuple[tuple[float, float], ...], arch: float, width: float, chance: np.random.Generator
) -> Row:
    # Both halves share most of their deviation, as in a mouth.
    common = chance.normal(0, SPREAD, (len(teeth), 2))
    halves, shades = [], []
    for _ in range(2):
        own = common + chance.normal(0, OWN_SPREAD, (len(teeth), 2))
        factor = np.clip(1 + own, 0.88, 1.12)
        halves.append(
            tuple(
                (float(w * width * fw), float(h * fh))
                for (w, h), (fw, fh) in zip(teeth, factor, strict=True)
            )
        )
        light = SHADES + chance.normal(0, SHADE_SPREAD, len(teeth))
        shades.append(tuple(float(v) for v in np.clip(light, 0.85, 1.03)))
    radius = arch * width * float(np.clip(1 + chance.normal(0, 0.03), 0.94, 1.06))
    return Row((halves[0], halves[1]), radius, (shades[0], shades[1]))
