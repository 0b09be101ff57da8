"""Bring a photo onto the canvas: scale and shift, nothing else.

The face's centre goes to (W/2, .42 H), or beside it as far as the photo would end before the canvas
does. Where it ends all the same, it goes on mirrored and blurred. One `u` is the inter-ocular
distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Canvas

from .landmarks import Face

FACE_X: Final = 0.5
FACE_Y: Final = 0.42
SIDEWAYS: Final = (0.44, 0.56)
UPWARDS: Final = (0.34, 0.52)
"""So far the face may leave its place, in shares of the canvas, for the photo to cover the canvas."""

FACE_WIDTH: Final = 0.42
"""The face takes this share of the canvas's width unless hair or shoulders need more room."""

MIN_FACE_WIDTH: Final = 0.30
"""... but never less than this, or the lips get too few pixels."""

LARGE_FACE_WIDTH: Final = 0.50
"""Where the photo ends soon below the chin, the face may grow to this to hide the end."""

MAX_FACE_WIDTH: Final = 0.56
"""... and to this where the photo, fitted to the face, would be smaller than the canvas."""

HAIR_ABOVE_FACE_U: Final = 0.75
"""How far hair usually rises over the topmost landmark, which lies at the hairline."""

AIR_U: Final = 0.35
BODY_U: Final = 1.2

MIRRORED_U: Final = 0.15
"""What lies so far inside the photo's edge is mirrored beyond it; more would bring back the neck."""

MAX_GRAIN: Final = 2.5


@dataclass(frozen=True, slots=True)
class CroppedPortrait:
    """A photo on its canvas.

    Attributes:
        rgb: The canvas. uint8, (H, W, 3).
        scale: Canvas pixels per photo pixel.
        shift: Where the photo's top left corner lies on the canvas (x, y), pixels.
        valid: 255 where the canvas shows the photo, 0 where its border was continued.
            uint8, (H, W).
        air_u: From the highest hair we expect to the canvas's top, in `u`, photo only.
        body_u: From the chin to the canvas's bottom, in `u`, photo only.
        missing: Share of the canvas's height below the photo's end, [0, 1].
    """

    rgb: npt.NDArray[np.uint8]
    scale: float
    shift: tuple[float, float]
    valid: npt.NDArray[np.uint8]
    air_u: float
    body_u: float
    missing: float

    def to_canvas(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map photo points to the canvas. float32, (n, 2) or (n, 3) with z in pixels."""
        moved = points * np.float32(self.scale)
        # Scale and shift are about pixel edges, points about pixel centres.
        moved[:, :2] += np.asarray(self.shift, np.float32) + 0.5 * self.scale - 0.5
        return moved.astype(np.float32)


def crop_to_canvas(rgb: npt.NDArray[np.uint8], face: Face, canvas: Canvas) -> CroppedPortrait:
    """Scale and shift `rgb` so that the face stands where the rig wants it.

    Keeps .35 u of air above the hair and 1.2 u of body below the chin when the photo has them.
    Run the landmarks again on the result: all geometry lives there.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in the photo.
        canvas: The size to fill.
    """
    height, width = rgb.shape[:2]
    x, y = face.centre
    scale = _scale(face, (width, height), canvas)
    hair = y - float(face.landmarks[:468, 1].min()) + HAIR_ABOVE_FACE_U * face.iod
    wished = max(FACE_Y, scale * (hair + AIR_U * face.iod) / canvas.height)
    # A cut head must not go on above the photo; of what is behind a whole one more may be made up.
    share_y = _shifted(scale, y, height, canvas.height, wished, UPWARDS, low_first=y > hair)
    share_x = _shifted(scale, x, width, canvas.width, FACE_X, SIDEWAYS)
    shift = (share_x * canvas.width - scale * x, share_y * canvas.height - scale * y)
    placed, valid = _place(rgb, scale, shift, canvas)
    top = float(face.landmarks[:468, 1].min())
    chin = float(face.landmarks[152, 1])
    upper = max(0.0, -shift[1] / scale)  # the canvas's rows that the photo has, in photo pixels
    lower = min(float(height), (canvas.height - shift[1]) / scale)
    depth = max(4.0, MIRRORED_U * scale * face.iod)
    return CroppedPortrait(
        rgb=_continue_border(placed, valid, depth),
        scale=scale,
        shift=shift,
        valid=valid,
        air_u=(top - upper) / face.iod - HAIR_ABOVE_FACE_U,
        body_u=(lower - chin) / face.iod,
        missing=max(0.0, 1 - (shift[1] + scale * height) / canvas.height),
    )


def _scale(face: Face, photo: tuple[int, int], canvas: Canvas) -> float:
    """The largest scale that leaves room above the hair, below the chin and at the sides."""
    _, y = face.centre
    hair = y - float(face.landmarks[:468, 1].min()) + HAIR_ABOVE_FACE_U * face.iod
    below = float(face.landmarks[152, 1]) - y + BODY_U * face.iod
    per_width = canvas.width / face.width
    highest = FACE_Y * canvas.height / (hair + AIR_U * face.iod)
    scale = min(FACE_WIDTH * per_width, highest, (1 - FACE_Y) * canvas.height / below)
    # A photo that ends above the canvas's lower edge is enlarged towards it, as far as it may.
    reach = (1 - FACE_Y) * canvas.height / max(1.0, photo[1] - y)
    to_the_end = min(reach, LARGE_FACE_WIDTH * per_width, highest)
    covers = max(canvas.width / photo[0], canvas.height / photo[1])
    to_the_size = min(covers, MAX_FACE_WIDTH * per_width)
    return max(scale, to_the_end, to_the_size, MIN_FACE_WIDTH * per_width)


def _shifted(
    scale: float,
    centre: float,
    photo: int,
    canvas: int,
    wished: float,
    most: tuple[float, float],
    *,
    low_first: bool | None = None,
) -> float:
    """Where the face's centre goes, as a share of the canvas: near `wished`, photo behind all of it.

    Args:
        scale: Canvas pixels per photo pixel.
        centre: The face's in the photo, pixels.
        photo: The photo's width or height.
        canvas: The canvas's.
        wished: The share that looks best.
        most: The least and the largest share.
        low_first: If the photo is too small: whether its lower (right) end is to be hidden rather
            than its upper (left) one; `None` for both alike.
    """
    least = 1 - scale * (photo - centre) / canvas
    largest = scale * centre / canvas
    if least <= largest:
        share = min(max(wished, least), largest)
    elif low_first is None:
        share = (least + largest) / 2
    else:
        share = least if low_first else largest
    return min(max(share, most[0]), most[1])


def _place(
    rgb: npt.NDArray[np.uint8], scale: float, shift: tuple[float, float], canvas: Canvas
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The photo on the canvas, borders replicated, and where it is valid."""
    size = (canvas.width, canvas.height)
    # Area averaging first, by a whole resize; the warp that follows never shrinks.
    if scale < 1:
        h, w = rgb.shape[:2]
        small = (max(1, round(w * scale)), max(1, round(h * scale)))
        rgb = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
        step_x, step_y = scale * w / small[0], scale * h / small[1]
        how = cv2.INTER_CUBIC
    else:
        step_x = step_y = scale
        how = cv2.INTER_LANCZOS4
    # Pixel centres lie at .5 in both planes; OpenCV counts them from 0.
    warp = np.array(
        [
            [step_x, 0, shift[0] + 0.5 * step_x - 0.5],
            [0, step_y, shift[1] + 0.5 * step_y - 0.5],
        ]
    )
    placed = cv2.warpAffine(rgb, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    inside = np.full(rgb.shape[:2], 255, np.uint8)
    valid = cv2.warpAffine(inside, warp, size, flags=cv2.INTER_NEAREST)
    return np.asarray(placed, np.uint8), np.asarray(valid, np.uint8)


def _continue_border(
    placed: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8], depth: float
) -> npt.NDArray[np.uint8]:
    """Go on where the photo ends: mirrored, soon blurred, with the photo's own grain.

    Args:
        placed: The canvas. uint8, (H, W, 3).
        valid: 255 where it shows the photo. uint8, (H, W).
        depth: So many pixels inside the photo's edge are mirrored, to and fro.
    """
    if valid.all():
        return placed
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    y = _mirrored(placed.shape[0], int(rows[0]), int(rows[-1]), depth)
    x = _mirrored(placed.shape[1], int(columns[0]), int(columns[-1]), depth)
    result = placed[np.ix_(y, x)].astype(np.float32)
    grain = _grain(result, valid)
    distance = cv2.distanceTransform(255 - valid, cv2.DIST_L2, 5)
    sharp = result
    for sigma in (1.5, 3.0, 6.0, 12.0, 24.0, 40.0):
        soft = cv2.GaussianBlur(sharp, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        share = np.clip(distance / (1.8 * sigma) - 0.4, 0, 1)[..., None]
        result = np.asarray(result * (1 - share) + soft * share, np.float32)
    result += grain * np.clip(distance / 4, 0, 1)[..., None]
    result[valid > 0] = placed[valid > 0]
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _mirrored(size: int, first: int, last: int, depth: float) -> npt.NDArray[np.intp]:
    """Which row (or column) of the photo each of the canvas shows: a strip, to and fro. (size,)."""
    at = np.arange(size)
    reach = max(1, min(round(depth), last - first))
    beyond = np.maximum(first - at, 0) + np.maximum(at - last, 0)
    back = reach - np.abs(beyond % (2 * reach) - reach)
    inside = np.clip(at, first, last)
    return np.asarray(np.where(at > last, last - back, np.where(at < first, first + back, inside)))


def _grain(
    picture: npt.NDArray[np.float32], valid: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Noise as strong as the photo's own, the same each time. (H, W, 1)."""
    fine = picture.mean(-1) - cv2.GaussianBlur(picture.mean(-1), (0, 0), 1.0)
    strength = float(np.clip(1.48 * np.median(np.abs(fine[valid > 0])), 0.0, MAX_GRAIN))
    noise = np.random.default_rng(0).normal(0, strength, picture.shape[:2])
    return noise.astype(np.float32)[..., None]
