"""Is this photo good enough? Refusals for what cannot work, warnings for what looks worse."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarRefusedError

from .clarity import Clarity, clarity
from .covered import lips_score
from .crop import AIR_U, BODY_U, CroppedPortrait
from .expression import (
    check_expression,
)
from .glasses import WEARS, glasses_score
from .landmarks import Face

MAX_YAW_DEG: Final = 12.0
MAX_ROLL_DEG: Final = 20.0
MAX_PITCH_DEG: Final = 20.0
GOOD_PITCH_DEG: Final = 13.0
"""Wider than for yaw: forehead and chin differ from face to face by a few degrees."""

NEUTRAL_SLOPE_DEG: Final = 8.0
"""The line from hairline to chin leans by this much on a face that looks straight ahead."""

MIN_FACE_PX: Final = 80.0
GOOD_FACE_PX: Final = 200.0
OTHER_FACE: Final = 0.35
"""A second face counts from this share of the first one's width; smaller ones are background."""

MIN_DETAIL, SOFT_DETAIL = 3.3, 4.5
"""In percent of the face's contrast: below the first it is blurred, below the second soft."""

MIN_LUMA, MAX_LUMA = 28.0, 235.0
DIM_LUMA: Final = 55.0
BURNT, PARTLY_BURNT = 0.25, 0.10
"""Shares of the face: from the first on nothing is left to see, from the second on it is remarked."""

GRAINY: Final = 9.0
BLOCKY: Final = 3.2
ROUNDING_U: Final = 0.01
CUT_AIR_U: Final = -0.35
"""Less between hairline and photo's edge, and hair is missing rather than background."""

MISSING: Final = 0.04
SIDES: Final = 0.08
"""Shares of the canvas's height and width."""
LIPS_SEEN: Final = 1.0


def choose_face(faces: list[Face]) -> Face:
    """Return the one face that the avatar is made of.

    Raises:
        AvatarRefusedError: `no_face`, or `two_faces` if another is nearly as large.
    """
    if not faces:
        raise AvatarRefusedError(
            "no_face", "No face was found. Use a photo of one person who looks into the camera."
        )
    largest, *others = sorted(faces, key=lambda face: -face.width)
    large = [face for face in others if face.width >= OTHER_FACE * largest.width]
    if large:
        count = 1 + len(large)
        raise AvatarRefusedError(
            "two_faces", f"The photo shows {count} faces. Crop it so that one person is left."
        )
    return largest


def head_pose_deg(face: Face) -> tuple[float, float, float]:
    """Yaw (nose to image right), pitch (bowed) and roll (clockwise in the picture) in degrees.

    Yaw and roll come from the lines between the cheeks and between the eye corners, pitch from the
    line from hairline to chin, less the slope that it has on a frontal face. Yaw is good to about
    1 degree, pitch to about 5.
    """
    points = face.landmarks.astype(np.float64)
    across = points[454] - points[234] + points[263] - points[33]
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    yaw = float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))
    down = points[152] - points[10]
    pitch = float(np.degrees(np.arctan2(down[2], np.hypot(down[0], down[1])))) - NEUTRAL_SLOPE_DEG
    return yaw, pitch, roll


def check_photo(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    """Judge the photo around `face`; return warnings as sentences.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.

    Raises:
        AvatarRefusedError: `not_upright`, `not_frontal`, `too_small`, `blurred`, `lighting`, `cut_off`,
            `eyes_hidden`, `eyes_closed` or `mouth_open`, with a sentence that says what to change.
    """
    _refuse_pose(face)
    if face.width < MIN_FACE_PX:
        raise AvatarRefusedError(
            "too_small",
            f"The face is only {face.width:.0f} pixels wide; {MIN_FACE_PX:.0f} are the least, "
            f"{GOOD_FACE_PX:.0f} look crisp. Use a larger photo or one taken from nearer.",
        )
    height, width = rgb.shape[:2]
    oval = face.landmarks[:468, :2]
    beyond = ((oval < 0) | (oval > [width, height])).any(1).mean()
    if beyond > 0.02:
        raise AvatarRefusedError(
            "cut_off", "The face is cut off by the photo's edge. Use a photo with the whole head."
        )
    seen = clarity(rgb, face)
    _refuse_light(seen)
    if seen.detail < MIN_DETAIL:
        raise AvatarRefusedError(
            "blurred", "The face is blurred. Use a photo that is in focus and not enlarged."
        )
    return [
        *_warn_about_pose(face),
        *check_expression(face),
        *_warn_about_size(face),
        *_warn_about_pixels(seen),
        *_warn_about_glasses(rgb, face),
        *_warn_about_cover(rgb, face),
    ]


def check_crop(portrait: CroppedPortrait) -> list[str]:
    """Return warnings about what the canvas lacks."""
    warnings = []
    if portrait.air_u < CUT_AIR_U:
        warnings.append(
            "The photo cuts the head off at the hair, and what is missing is continued blurred. "
            "A photo with the whole head looks better."
        )
    elif portrait.air_u < AIR_U - ROUNDING_U:
        warnings.append(
            "There is little or no space above the hair; a nod may show the top edge. "
            "A photo with more background above the head looks better."
        )
    if portrait.missing > MISSING:
        warnings.append(
            f"The photo ends close below the chin: the lowest {100 * portrait.missing:.0f} percent "
            "of the picture are made up and blurred, and breathing hardly shows. A photo with neck "
            "and shoulders looks better; else try --size 512x512."
        )
    elif portrait.body_u < BODY_U - ROUNDING_U:
        warnings.append(
            "The shoulders are cut off close to the chin, so breathing will not show. "
            "A photo with neck and shoulders looks better."
        )
    if float((portrait.valid.max(0) == 0).mean()) > SIDES:
        warnings.append(
            "The photo ends close beside the head; what is missing is continued blurred. "
            "A wider photo looks better."
        )
    return warnings


def _refuse_pose(face: Face) -> None:
    yaw, pitch, roll = head_pose_deg(face)
    if abs(roll) > MAX_ROLL_DEG:
        how = (
            "stands on its head"
            if abs(roll) > 135
            else f"is tilted by {math.ceil(abs(roll))} degrees"
        )
        raise AvatarRefusedError("not_upright", f"The face {how}. Turn the photo upright.")
    if abs(yaw) > MAX_YAW_DEG:
        raise AvatarRefusedError(
            "not_frontal",
            f"The head is turned by {math.ceil(abs(yaw))} degrees; at most {MAX_YAW_DEG:.0f} work. "
            "Use a photo that looks straight into the camera.",
        )
    if abs(pitch) > MAX_PITCH_DEG:
        way = "bowed" if pitch > 0 else "raised"
        raise AvatarRefusedError(
            "not_frontal",
            f"The head is {way} by {math.ceil(abs(pitch))} degrees; at most {MAX_PITCH_DEG:.0f} work. "
            "Use a photo taken at eye level.",
        )


def _refuse_light(seen: Clarity) -> None:
    if seen.luma < MIN_LUMA:
        raise AvatarRefusedError(
            "lighting", "The face is too dark to see its features. Use even, frontal light."
        )
    if seen.luma > MAX_LUMA or seen.burnt > BURNT:
        raise AvatarRefusedError(
            "lighting",
            "The face is too bright: its light is burnt out. Use a photo with less exposure.",
        )


def _warn_about_pose(face: Face) -> list[str]:
    _, pitch, _ = head_pose_deg(face)
    if abs(pitch) < GOOD_PITCH_DEG:
        return []
    way = "bowed" if pitch > 0 else "raised"
    return [f"The head is {way}, and so it stays. A photo taken at eye level looks better."]


def _warn_about_size(face: Face) -> list[str]:
    if face.width >= GOOD_FACE_PX:
        return []
    return [
        f"The face is {face.width:.0f} pixels wide; below {GOOD_FACE_PX:.0f} it is enlarged and "
        "looks soft."
    ]


def _warn_about_pixels(seen: Clarity) -> list[str]:
    told = []
    if seen.detail < SOFT_DETAIL:
        told.append("The face is a little out of focus, and so the avatar will look.")
    if seen.luma < DIM_LUMA:
        told.append("The face is dark in this photo, and so the avatar will look. Use more light.")
    if seen.burnt > PARTLY_BURNT:
        told.append(
            "Parts of the face are burnt out to white. A photo with less exposure is better."
        )
    if seen.grain > GRAINY:
        told.append("The photo is grainy; its grain moves along with the skin.")
    if seen.blocks > BLOCKY:
        told.append("The photo is strongly compressed; its blocks show. Use the original file.")
    return told


def _warn_about_glasses(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    if glasses_score(rgb, face) < WEARS:
        return []
    return [
        "The person seems to wear glasses; so that their frame stays stiff, the brows hardly move. "
        "A photo without glasses looks livelier."
    ]


def _warn_about_cover(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    if lips_score(rgb, face) >= LIPS_SEEN:
        return []
    return [
        "The lips are hard to see; a hand, a microphone or a beard may cover them and would be "
        "torn when the avatar speaks. A photo with a free mouth looks better."
    ]
