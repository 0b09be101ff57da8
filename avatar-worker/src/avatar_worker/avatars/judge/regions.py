"""Where the face, the background and the body lie on an avatar's canvas."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Avatar, Mesh

from .stage import Bytes, Floats

Flags = npt.NDArray[np.bool_]

LUMA: Final = np.array([0.299, 0.587, 0.114])
MATTE_MARGIN_PX: Final = 30


def luma(picture: Bytes) -> Floats:
    """Return brightness, 0..255. (H, W)."""
    return np.asarray(picture.astype(np.float64) @ LUMA)


def layer_plane(avatar: Avatar, role: str, channel: int) -> Floats:
    """One channel of a layer on the whole canvas, 0..255; 0 beyond the layer. (H, W)."""
    plane = np.zeros((avatar.canvas.height, avatar.canvas.width))
    layer = avatar.layers.get(role)
    if layer is None:
        return plane
    (x, y), pixels = layer.origin, layer.pixels[..., channel]
    left, top = max(x, 0), max(y, 0)
    part = pixels[top - y :, left - x :][: plane.shape[0] - top, : plane.shape[1] - left]
    plane[top : top + part.shape[0], left : left + part.shape[1]] = part
    return plane


def hull(avatar: Avatar, grow_u: float = 0.0) -> Flags:
    """The face: the convex hull of the landmarks, widened. (H, W)."""
    drawn = np.zeros((avatar.canvas.height, avatar.canvas.width), np.uint8)
    points = np.rint(avatar.rig.landmarks[:468, :2]).astype(np.int32)
    cv2.fillConvexPoly(drawn, cv2.convexHull(points), 1)
    return widened(drawn > 0, grow_u * avatar.subject.iod_px)


def upper_face(avatar: Avatar) -> Flags:
    """The face above the mouth's reach. (H, W)."""
    points = avatar.rig.landmarks
    limit = float(points[[78, 308], 1].mean()) - 0.55 * avatar.subject.iod_px
    return hull(avatar) & (np.arange(avatar.canvas.height) < limit)[:, None]


def slit_area(avatar: Avatar, name: str, grow_u: float = 0.0) -> Flags:
    """The inside of a slit's outline, widened. (H, W)."""
    slit = next(s for s in avatar.rig.slits if s.name == name)
    drawn = np.zeros((avatar.canvas.height, avatar.canvas.width), np.uint8)
    cv2.fillPoly(drawn, [np.rint(slit.contour).astype(np.int32)], 1)
    return widened(drawn > 0, grow_u * avatar.subject.iod_px)


def background(avatar: Avatar, further_px: float = 0.0) -> Flags:
    """What lies farther from the person than the matte may be wrong, and still further. (H, W)."""
    skin = avatar.layers["skin"].pixels
    if skin.shape[2] < 4:
        return np.zeros(skin.shape[:2], bool)
    person = (skin[..., 3] <= 5).astype(np.uint8)
    distance = cv2.distanceTransform(person, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance > MATTE_MARGIN_PX + further_px)


def widened(area: Flags, pixels: float) -> Flags:
    """Grow an area by so many pixels all round."""
    if pixels < 1:
        return area
    side = 2 * round(pixels) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(area.astype(np.uint8), kernel) > 0)


def carried(mesh: Mesh, xy: Floats, points: Floats) -> Floats:
    """Where points (n, 2) of the texture lie once the mesh's vertices are at `xy`. (n, 2)."""
    columns = round((float(mesh.xy[:, 0].max()) - mesh.origin[0]) / mesh.cell_px) + 1
    rows = len(mesh.xy) // columns
    cell = (points - np.array(mesh.origin)) / mesh.cell_px
    column = np.clip(np.floor(cell[:, 0]).astype(int), 0, columns - 2)
    row = np.clip(np.floor(cell[:, 1]).astype(int), 0, rows - 2)
    fx, fy = (cell - np.stack([column, row], -1)).T[..., None]
    a = row * columns + column
    upper = xy[a] * (1 - fx) + xy[a + 1] * fx
    a = a + columns
    lower = xy[a] * (1 - fx) + xy[a + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)
