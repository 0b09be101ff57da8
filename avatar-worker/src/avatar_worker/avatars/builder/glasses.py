"""Does the person wear glasses? Level bars on the nose's bridge and on both cheeks say so.

Measured on the face turned upright at a common scale, with a hand-made filter: there is no net to
ask. Good for a remark and gentler brows, not for a refusal.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .landmarks import Face

Floats = npt.NDArray[np.float64]

UNIT_PX: Final = 64
"""Inter-ocular distance of the upright face."""

SIZE: Final = (192, 256)
EYES_AT: Final = (96.0, 88.0)
BAR_PX: Final = 3
BRIDGE: Final = (slice(66, 106), slice(88, 105))
RIMS: Final = ((slice(98, 132), slice(56, 73)), (slice(98, 132), slice(120, 137)))
"""Rows and columns: between the eyes; on the cheeks, where a frame's lower rim runs."""

ELSEWHERE: Final = (
    (slice(30, 62), slice(88, 105)), (slice(104, 134), slice(88, 105)),
    (slice(140, 170), slice(56, 73)), (slice(140, 170), slice(120, 137)),
)  # fmt: skip
"""Forehead, nose and lower cheeks: how strong bars are on this skin anyway."""

PLAIN: Final = 0.02
WEARS: Final = 1.05
"""Scores of bare faces end at 1.0, dark rims begin at 1.6; thin metal rims lie between."""


def upright(rgb: npt.NDArray[np.uint8], face: Face) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Turn and scale a face: eyes level, 64 px apart.

    Returns:
        The picture, uint8 (256, 192, 3), and the landmarks in it, (478, 2).
    """
    left, right = face.landmarks[468, :2].astype(float), face.landmarks[473, :2].astype(float)
    across = right - left
    scale = UNIT_PX / max(float(np.hypot(*across)), 1.0)
    angle = np.arctan2(across[1], across[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array(EYES_AT) - turn @ ((left + right) / 2)
    source = rgb
    if scale < 0.5:
        # The warp looks at four pixels; what shrinks more is averaged first.
        source = np.asarray(cv2.blur(rgb, (max(1, round(0.7 / scale)),) * 2), np.uint8)
    warped = cv2.warpAffine(
        source, np.column_stack([turn, shift]), SIZE, flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    points = face.landmarks[:, :2].astype(np.float64) @ turn.T + shift
    return np.asarray(warped, np.uint8), points


def glasses_score(rgb: npt.NDArray[np.uint8], face: Face) -> float:
    """How much stronger level bars are where a frame would run than elsewhere on the skin.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.
    """
    picture, _ = upright(rgb, face)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    skin = max(20.0, float(np.median(grey[100:140, 50:142])))
    bridge, *rims = (_bar(grey[place] / skin) for place in (BRIDGE, *RIMS))
    usual = float(np.median([_bar(grey[place] / skin) for place in ELSEWHERE]))
    return min(bridge, sum(rims) / 2) / (usual + PLAIN)


def _bar(part: Floats) -> float:
    """Contrast of the strongest thin level bar in a part of the face."""
    profile = np.asarray(cv2.GaussianBlur(part.mean(1)[:, None], (1, 3), 0))[:, 0]
    middle = profile[BAR_PX:-BAR_PX]
    beside = (profile[: -2 * BAR_PX] + profile[2 * BAR_PX :]) / 2
    return float(np.abs(middle - beside).max())
