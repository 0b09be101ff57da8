"""Does the face rest? Eyes that are shut or hidden, a mouth that is open or pulls a face.

Eyes are judged by their lids, because the score for a blink also grows with narrow eyes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_worker.errors import AvatarRefusedError

from .landmarks import Face

EYES: Final = (
    ((33, 133), (160, 159, 158), (144, 145, 153), 468),
    ((362, 263), (385, 386, 387), (380, 374, 373), 473),
)
"""Corners, upper lid, lower lid, iris: image left, image right."""

SHUT: Final = 0.15
"""An eye is open by this share of its width, or it is shut. Open ones have .17 to .39."""

HALF_SHUT: Final = 0.21
"""Below, both eyes look sleepy, unless the person has narrow eyes."""

BLINK: Final = 0.55
IRIS_OFF: Final = 0.60
"""An iris farther from its eye's middle, in widths of the eye, was not seen but guessed."""

JAW_OPEN: Final = 0.25
LIP_GAP_U: Final = 0.05
SMILE: Final = 0.55
ASIDE: Final = 0.40
SHRUG: Final = 0.60


def eye_openings(face: Face) -> tuple[float, float]:
    """How far the lids are apart, as a share of the eye's width: image left, image right."""
    points = face.landmarks[:, :2].astype(np.float64)
    found = []
    for (start, end), upper, lower, _ in EYES:
        gaps = np.linalg.norm(points[list(upper)] - points[list(lower)], axis=1)
        width = float(np.linalg.norm(points[end] - points[start]))
        found.append(float(gaps.mean()) / max(width, 1e-6))
    return found[0], found[1]


def lip_gap_u(face: Face) -> float:
    """Height of the gap between the inner lips at their middle, in inter-ocular distances."""
    gap = face.landmarks[14, :2] - face.landmarks[13, :2]
    return float(np.linalg.norm(gap) / max(face.iod, 1e-6))


def smile(face: Face) -> float:
    """The score of a smile, both sides' mean, [0, 1]."""
    return (face.blendshapes["mouthSmileLeft"] + face.blendshapes["mouthSmileRight"]) / 2


def blink(face: Face) -> float:
    """The score of a blink of both eyes, [0, 1]."""
    return min(face.blendshapes["eyeBlinkLeft"], face.blendshapes["eyeBlinkRight"])


def check_expression(face: Face) -> list[str]:
    """Refuse what hides eyes or mouth; return sentences about what only looks worse.

    Raises:
        AvatarRefusedError: `eyes_hidden`, `eyes_closed` or `mouth_open`.
    """
    if _irises_off(face):
        raise AvatarRefusedError(
            "eyes_hidden",
            "The eyes cannot be made out. Use a clear photo in which nothing covers them.",
        )
    if max(eye_openings(face)) < SHUT or blink(face) > BLINK:
        raise AvatarRefusedError(
            "eyes_closed", "The eyes are closed, or nearly. Use a photo with open eyes."
        )
    if face.blendshapes["jawOpen"] > JAW_OPEN:
        raise AvatarRefusedError(
            "mouth_open", "The mouth is wide open. Use a photo with closed or nearly closed lips."
        )
    return [*_about_eyes(face), *_about_mouth(face)]


def _irises_off(face: Face) -> bool:
    points = face.landmarks[:, :2].astype(np.float64)
    for (start, end), _, _, iris in EYES:
        width = float(np.linalg.norm(points[end] - points[start]))
        away = float(np.linalg.norm(points[iris] - (points[start] + points[end]) / 2))
        if away > IRIS_OFF * max(width, 1e-6):
            return True
    return False


def _about_eyes(face: Face) -> list[str]:
    opened = eye_openings(face)
    if min(opened) < SHUT:
        return [
            "One eye is closed, or nearly, and stays so. A photo with both eyes open looks better."
        ]
    if sum(opened) / 2 < HALF_SHUT:
        return [
            "The eyes are half closed, and so the avatar will look. If the person does not usually "
            "look like that, use a photo with open eyes."
        ]
    return []


def _about_mouth(face: Face) -> list[str]:
    scores = face.blendshapes
    told = []
    if lip_gap_u(face) > LIP_GAP_U:
        told.append(
            "The lips are parted; they are closed by calculation. "
            "A photo with closed lips speaks more naturally."
        )
    if smile(face) > SMILE:
        told.append("The person smiles; a neutral mouth moves more naturally.")
    aside = max(scores["mouthLeft"], scores["mouthRight"], scores["jawLeft"], scores["jawRight"])
    if aside > ASIDE or scores["mouthShrugLower"] > SHRUG:
        told.append("The mouth is drawn; a neutral mouth moves more naturally.")
    return told
