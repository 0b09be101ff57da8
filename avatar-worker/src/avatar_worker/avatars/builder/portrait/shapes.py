"""All shapes of the rig at the vertices of a mesh."""

from __future__ import annotations

from typing import Final

import numpy as np

from .eye_shapes import eye_fields
from .measures import Measures
from .mouth_shapes import Pair, mouth_fields
from .slit import Array, smoothstep

SHAPES: Final = (
    "close", "narrow", "jawOpen", "smileL", "smileR", "frownL", "frownR", "stretch", "pucker",
    "funnel", "press", "upperUp", "lowerDown", "lowerIn", "blinkL", "blinkR", "squintL",
    "squintR", "browUpL", "browUpR", "browDownL", "browDownR", "breath",
    "seal", "rollUpper", "mouthL", "mouthR", "cheekPuff", "eyeWideL", "eyeWideR", "browInnerUp",
)  # fmt: skip
"""In the file's order. `close` always has weight 1; sides are the subject's."""

_EYE_SHAPES: Final = ("blink", "squint", "eyeWide")


def displacements(m: Measures, xy: Array, opening: str | None, height: int) -> Array:
    """Return what every shape does to canvas points at weight 1.

    Args:
        m: The face.
        xy: Points. (n, 2).
        opening: Whose two skins are wanted: `mouth`, `eye_l`, `eye_r`; `None` for the body,
            which has one skin. Away from its own opening a point belongs to the upper skin.
        height: The canvas's.

    Returns:
        Canvas pixels, (1 or 2, K, n, 2).
    """
    fields = mouth_fields(m, xy) | eye_fields(m, xy)
    breath = _breath(m, xy, height)
    fields["breath"] = (breath, breath)
    upper = np.stack([fields[name][0] for name in SHAPES])
    if opening is None:
        return upper[None]
    lower = np.stack([fields[name][_lower_side(name, opening)] for name in SHAPES])
    return np.stack([upper, lower])


def _lower_side(name: str, opening: str) -> int:
    """Which of a pair the lower skin of `opening` takes: its own lower one, else the upper."""
    if name.startswith(_EYE_SHAPES):
        return int(opening == f"eye_{name[-1].lower()}")
    return int(opening == "mouth")


def _breath(m: Measures, xy: Array, height: int) -> Array:
    """The chest widens and rises; the picture's lower edge stays where it is."""
    x, y = xy[..., 0], xy[..., 1]
    top = float(m.chin[1]) + 0.45 * m.u
    share = smoothstep(top, top + 1.55 * m.u, y)
    share = share * (1 - smoothstep(height - 0.35 * m.u, float(height), y))
    middle = float(m.mouth.centre[0])
    return np.stack([(x - middle) * 0.010 * share, -0.035 * m.u * share], -1)


__all__ = ["SHAPES", "Pair", "displacements"]
