"""Is this photo good enough? Refusals for what cannot work, warnings for what looks worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.errors import AvatarRefusedError

from .covered import lips_score
from .crop import AIR_U, BODY_U, CroppedPortrait
from .glasses import WEARS, glasses_score
from .landmarks import Face

MAX_YAW_DEG: Final = 12.0
MAX_ROLL_DEG: Final = 20.0
MAX_PITCH_DEG: Final = 15.0
"""Wider than for yaw: forehead and chin differ from face to face by a few degrees."""

NEUTRAL_SLOPE_DEG: Final = 8.0
"""The line from hairline to chin leans by this much on a face that looks straight ahead."""

MIN_FACE_PX: Final = 80.0
GOOD_FACE_PX: Final = 200.0
OTHER_FACE: Final = 0.35
"""A second face counts from this share of the first one's width; smaller ones are background."""

MIN_SHARPNESS: Final = 4.0
MIN_LUMA, MAX_LUMA = 25.0, 235.0
LIP_GAP_U: Final = 0.05
SMILE: Final = 0.55
ROUNDING_U: Final = 0.01
BLINK: Final = 0.55
JAW_OPEN: Final = 0.25
STRAIGHT_DEG: Final = 6.0
"""A head turned by less looks straight into the camera."""

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


def sharpness(rgb: npt.NDArray[np.uint8], face: Face) -> float:
    """Fine detail in the face at a common scale: spread of the Laplacian, in luma steps.

    The face is scaled to 200 px first, so a large photo does not pass for a blurred one.
    """
    low, high = face.landmarks[:468, :2].min(0), face.landmarks[:468, :2].max(0)
    height, width = rgb.shape[:2]
    left, top = np.clip(low, 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(np.ceil(high), [left + 2, top + 2], [width, height]).astype(int)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    scale = GOOD_FACE_PX / (right - left)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F).std())


def check_photo(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    """Judge the photo around `face`; return warnings as sentences.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.

    Raises:
        AvatarRefusedError: `not_upright`, `not_frontal`, `too_small`, `blurred`, `lighting`, `cut_off`,
            `eyes_closed` or `mouth_open`, with a sentence that says what to change.
    """
    _refuse_pose(face)
    if face.width < MIN_FACE_PX:
        raise AvatarRefusedError(
            "too_small",
            f"The face is only {face.width:.0f} pixels wide; {GOOD_FACE_PX:.0f} are needed "
            "for clean lips. Use a larger photo or one taken from nearer.",
        )
    height, width = rgb.shape[:2]
    oval = face.landmarks[:468, :2]
    beyond = ((oval < 0) | (oval > [width, height])).any(1).mean()
    if beyond > 0.02:
        raise AvatarRefusedError(
            "cut_off", "The face is cut off by the photo's edge. Use a photo with the whole head."
        )
    luma = _face_luma(rgb, face)
    if not MIN_LUMA <= luma <= MAX_LUMA:
        fault = "dark" if luma < MIN_LUMA else "bright"
        raise AvatarRefusedError(
            "lighting", f"The face is too {fault} to see its features. Use even, frontal light."
        )
    detail = sharpness(rgb, face)
    if detail < MIN_SHARPNESS:
        raise AvatarRefusedError(
            "blurred", "The face is blurred. Use a photo that is in focus and not enlarged."
        )
    return [
        *_refuse_expression(face),
        *_warn_about_size(face),
        *_warn_about_glasses(rgb, face),
        *_warn_about_cover(rgb, face),
    ]


def scores(rgb: npt.NDArray[np.uint8], face: Face) -> dict[str, float]:
    """Return what the photo was judged by: angles in degrees, lengths in pixels or `u`.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.
    """
    yaw, pitch, roll = head_pose_deg(face)
    shapes = face.blendshapes
    return {
        "face_px": face.width,
        "sharpness": sharpness(rgb, face),
        "luma": _face_luma(rgb, face),
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "roll_deg": roll,
        "lip_gap_u": lip_gap_u(face),
        "jaw_open": shapes["jawOpen"],
        "smile": (shapes["mouthSmileLeft"] + shapes["mouthSmileRight"]) / 2,
        "blink": min(shapes["eyeBlinkLeft"], shapes["eyeBlinkRight"]),
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
        f"Its detail is {score['sharpness']:.1f}; below {MIN_SHARPNESS:.0f} it is blurred.",
        f"Its brightness is {score['luma']:.0f} of 255; {MIN_LUMA:.0f} to {MAX_LUMA:.0f} will do.",
        f"It is turned {abs(score['yaw_deg']):.0f}, bowed or raised {abs(score['pitch_deg']):.0f} "
        f"and tilted {abs(score['roll_deg']):.0f} degrees; "
        + ("straight enough." if abs(pose) < STRAIGHT_DEG else "0 would be best."),
        f"The lips are {100 * max(0.0, score['lip_gap_u']):.0f} percent of the eyes' distance "
        f"apart; {100 * LIP_GAP_U:.0f} or less count as closed.",
        f"The smile is {100 * score['smile']:.0f} of 100; up to {100 * SMILE:.0f} counts as neutral.",
        f"Glasses {glasses} ({score['glasses']:.2f}; {WEARS:.2f} and more count).",
        f"The lips show with {score['lips']:.1f}; below {LIPS_SEEN:.0f} something may cover them. "
        "What only touches them is not noticed: look at the preview.",
    ]


def check_crop(portrait: CroppedPortrait) -> list[str]:
    """Return warnings about what the canvas lacks."""
    warnings = []
    if portrait.air_u < AIR_U - ROUNDING_U:
        warnings.append(
            "There is little or no space above the hair; a nod may show the top edge. "
            "A photo with more background above the head looks better."
        )
    if portrait.body_u < BODY_U - ROUNDING_U:
        warnings.append(
            "The shoulders are cut off close to the chin, so breathing will not show. "
            "A photo with neck and shoulders looks better."
        )
    return warnings


def lip_gap_u(face: Face) -> float:
    """Height of the gap between the inner lips at their middle, in inter-ocular distances."""
    gap = face.landmarks[14, :2] - face.landmarks[13, :2]
    return float(np.linalg.norm(gap) / max(face.iod, 1e-6))


def _refuse_pose(face: Face) -> None:
    yaw, pitch, roll = head_pose_deg(face)
    if abs(roll) > MAX_ROLL_DEG:
        how = "stands on its head" if abs(roll) > 135 else f"is tilted by {abs(roll):.0f} degrees"
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
            f"The head is {way} by {abs(pitch):.0f} degrees; at most {MAX_PITCH_DEG:.0f} work. "
            "Use a photo taken at eye level.",
        )


def _refuse_expression(face: Face) -> list[str]:
    """Refuse what hides eyes or mouth; warn about what only looks worse."""
    scores = face.blendshapes
    if min(scores["eyeBlinkLeft"], scores["eyeBlinkRight"]) > BLINK:
        raise AvatarRefusedError("eyes_closed", "The eyes are closed. Use a photo with open eyes.")
    if scores["jawOpen"] > JAW_OPEN:
        raise AvatarRefusedError(
            "mouth_open", "The mouth is wide open. Use a photo with closed or nearly closed lips."
        )
    warnings = []
    if lip_gap_u(face) > LIP_GAP_U:
        warnings.append(
            "The lips are parted; they are closed by calculation. "
            "A photo with closed lips speaks more naturally."
        )
    if (scores["mouthSmileLeft"] + scores["mouthSmileRight"]) / 2 > SMILE:
        warnings.append("The person smiles; a neutral mouth moves more naturally.")
    return warnings


def _warn_about_size(face: Face) -> list[str]:
    if face.width >= GOOD_FACE_PX:
        return []
    return [
        f"The face is {face.width:.0f} pixels wide; below {GOOD_FACE_PX:.0f} it is enlarged and "
        "looks soft."
    ]


def _warn_about_glasses(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    if glasses_score(rgb, face) < WEARS:
        return []
    return [
        "The person seems to wear glasses; their frame would bend with the brows, so the brows move "
        "less. A photo without glasses looks livelier."
    ]


def _warn_about_cover(rgb: npt.NDArray[np.uint8], face: Face) -> list[str]:
    if lips_score(rgb, face) >= LIPS_SEEN:
        return []
    return [
        "The lips are hard to see; a hand, a microphone or a beard may cover them and would be "
        "torn when the avatar speaks. A photo with a free mouth looks better."
    ]


def _face_luma(rgb: npt.NDArray[np.uint8], face: Face) -> float:
    hull = cv2.convexHull(np.rint(face.landmarks[:468, :2]).astype(np.int32))
    inside = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, hull, 255)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float(cv2.mean(grey, inside)[0])
