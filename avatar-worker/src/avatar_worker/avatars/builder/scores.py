"""What a photo scored, in numbers and in sentences for the person who chose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from .clarity import clarity
from .covered import lips_score
from .expression import HALF_SHUT, LIP_GAP_U, SMILE, blink, eye_openings, lip_gap_u, smile
from .glasses import WEARS, glasses_score
from .landmarks import Face
from .quality import (
    GOOD_FACE_PX,
    LIPS_SEEN,
    MAX_LUMA,
    MIN_LUMA,
    SOFT_DETAIL,
    head_pose_deg,
)

STRAIGHT_DEG: Final = 6.0
"""A head turned by less looks straight into the camera."""


def scores(rgb: npt.NDArray[np.uint8], face: Face) -> dict[str, float]:
    """Return what the photo was judged by: angles in degrees, lengths in pixels or `u`.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.
    """
    yaw, pitch, roll = head_pose_deg(face)
    seen = clarity(rgb, face)
    return {
        "face_px": face.width,
        "detail": seen.detail,
        "luma": seen.luma,
        "burnt": seen.burnt,
        "grain": seen.grain,
        "blocks": seen.blocks,
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "roll_deg": roll,
        "lip_gap_u": lip_gap_u(face),
        "jaw_open": face.blendshapes["jawOpen"],
        "smile": smile(face),
        "blink": blink(face),
        "eyes": sum(eye_openings(face)) / 2,
        "glasses": glasses_score(rgb, face),
        "lips": lips_score(rgb, face),
    }


def described(score: Mapping[str, float]) -> list[str]:
    """Return what `scores` found in sentences, each with the value that would be good.

    Args:
        score: From `scores`.
    """
    pose = max(score["yaw_deg"], score["pitch_deg"], score["roll_deg"], key=abs)
    glasses = "seem to be worn" if score["glasses"] >= WEARS else "are not seen"
    return [
        f"The face is {score['face_px']:.0f} pixels wide; from {GOOD_FACE_PX:.0f} on it is crisp.",
        f"Its detail is {score['detail']:.1f}; below {SOFT_DETAIL:.1f} it is soft.",
        f"Its brightness is {score['luma']:.0f} of 255; {MIN_LUMA:.0f} to {MAX_LUMA:.0f} will do.",
        f"It is turned {abs(score['yaw_deg']):.0f}, bowed or raised {abs(score['pitch_deg']):.0f} "
        f"and tilted {abs(score['roll_deg']):.0f} degrees; "
        + ("straight enough." if abs(pose) < STRAIGHT_DEG else "0 would be best."),
        f"The eyes are open by {100 * score['eyes']:.0f} percent of their width; below "
        f"{100 * HALF_SHUT:.0f} they look sleepy.",
        f"The lips are {100 * max(0.0, score['lip_gap_u']):.0f} percent of the eyes' distance "
        f"apart; {100 * LIP_GAP_U:.0f} or less count as closed.",
        f"The smile is {100 * score['smile']:.0f} of 100; up to {100 * SMILE:.0f} counts as neutral.",
        f"Glasses {glasses} ({score['glasses']:.2f}; {WEARS:.2f} and more count).",
        f"The lips show with {score['lips']:.1f}; below {LIPS_SEEN:.0f} something may cover them. "
        "What only touches them is not noticed: look at the preview.",
    ]
