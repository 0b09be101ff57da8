"""An avatar on a stage: the CPU renderer's pictures, and the slits' masks as it would sample them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar, Mesh
from avatar_worker.avatars.judge.regions import slit_area
from avatar_worker.frames import FaceControls
from avatar_worker.render.choose import make_renderer
from avatar_worker.render.planes import planes_of
from avatar_worker.render.shape_weights import Driver
from avatar_worker.render.vertices import VertexField

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

OTHERS_REACH_U: Final = 0.15


class RenderStage:
    """Draws with the renderer that a setting names; knows the masks behind its pictures."""

    def __init__(self, avatar: Avatar, renderer: str = "cpu") -> None:
        """Open a slot.

        Raises:
            ValueError: If there is no such renderer.
        """
        self._avatar = avatar
        self._renderer = make_renderer(renderer)
        self._slot = self._renderer.open(avatar)
        self._driver = Driver(avatar)
        self._field = VertexField(avatar)
        planes = planes_of(avatar)
        self._masks = {"upper": planes.mask_upper, "lower": planes.mask_lower}
        self._meshes = {slit.name: slit.mesh for slit in avatar.rig.slits}
        # The masks hold every slit's cut; a mesh may reach over another slit, which is drawn later.
        self._others = {slit.name: _elsewhere(avatar, slit.name) for slit in avatar.rig.slits}

    @property
    def avatar(self) -> Avatar:
        """The avatar."""
        return self._avatar

    def picture(self, face: FaceControls) -> Bytes:
        """Return the picture as a viewer decodes it, RGB. uint8, (H, W, 3)."""
        (frame,) = self._renderer.render([(self._slot, face)])
        canvas = self._avatar.canvas
        return rgb_of(frame.data, (canvas.width, canvas.height), canvas.matrix, canvas.range)

    def opened(self, slit: str, face: FaceControls) -> Floats:
        """Return the share of a slit's inside that shows in every pixel, [0, 1]. (H, W)."""
        placed = self.placed(face)
        shape = (self._avatar.canvas.height, self._avatar.canvas.width)
        shows = np.ones(shape)
        for mesh in self._avatar.rig.meshes:
            if mesh.name != self._meshes[slit]:
                continue
            for layer in mesh.layers:
                where = texture_map(mesh, placed[mesh.name, layer], shape)
                cover = np.maximum(
                    between(self._masks[layer], where), between(self._others[slit], where)
                ) / 255  # fmt: skip
                # Where one of the skins is missing nothing shows through.
                shows *= np.where(np.isnan(where[..., 0]), 0.0, 1 - cover)
        return shows

    def placed(self, face: FaceControls) -> Mapping[tuple[str, str], Floats]:
        """Return where the vertices lie, canvas pixels: (V, 2) for each mesh and layer of skin."""
        drive = self._driver.drive(face)
        xy = self._field.place(drive.weights, drive.head)
        return {
            (sheet.mesh.name, sheet.layer): self._field.of(xy, sheet).astype(np.float64)
            for sheet in self._field.sheets
            if sheet.layer != "inner"
        }

    def gaze(self, face: FaceControls) -> Mapping[str, tuple[float, float]]:
        """Return how far both irises, `l` and `r`, are told to move (x, y), canvas pixels."""
        shifts = self._driver.drive(face).shifts
        return {side: shifts[f"iris_{side}"] for side in ("l", "r")}

    def close(self) -> None:
        """Give the slot back. Idempotent."""
        self._renderer.close(self._slot)


def _elsewhere(avatar: Avatar, slit: str) -> Bytes:
    """255 around every other slit, on the texture plane. uint8, (H, W)."""
    drawn = np.zeros((avatar.canvas.height, avatar.canvas.width), bool)
    for other in avatar.rig.slits:
        if other.name != slit:
            drawn |= slit_area(avatar, other.name, OTHERS_REACH_U)
    return np.where(drawn, 255, 0).astype(np.uint8)


def texture_map(mesh: Mesh, xy: Floats, shape: tuple[int, int]) -> Floats:
    """Say for every pixel which texture coordinate lies there, as the reference renderer does.

    All triangles at once. Triangles that show their back are left out; later ones cover earlier.

    Args:
        mesh: Its rest positions are the texture coordinates.
        xy: Screen positions of its vertices, (V, 2).
        shape: Height and width.

    Returns:
        (H, W, 2), NaN where the mesh does not lie.
    """
    found = np.full((*shape, 2), np.nan)
    corners = xy[mesh.tri]
    a, b, c = np.moveaxis(corners, 1, 0)
    area = _cross(b - a, c - a)
    low = np.ceil(corners.min(1) - 1e-4).astype(int)
    high = np.floor(corners.max(1) + 1e-4).astype(int)
    seen = np.flatnonzero((area > 1e-6) & (high >= low).all(1))
    if not len(seen):
        return found
    size = (high - low)[seen].max(0) + 1
    source = mesh.xy[mesh.tri].astype(np.float64)
    # In bunches, so that one stretched triangle does not cost memory for all.
    for bunch in np.array_split(seen, max(1, len(seen) * int(size.prod()) // 2_000_000)):
        columns, rows = (high - low)[bunch].max(0) + 1
        y, x = np.mgrid[0:rows, 0:columns]
        point = low[bunch][:, None, None] + np.stack([x, y], -1)
        offset = point - a[bunch][:, None, None]
        side_b, side_c = (b - a)[bunch][:, None, None], (c - a)[bunch][:, None, None]
        whole = area[bunch][:, None, None]
        of_b, of_c = _cross(offset, side_c) / whole, _cross(side_b, offset) / whole
        extent = np.ptp(corners[bunch], axis=1).max(1)[:, None, None]
        slack = 1e-4 * extent / whole
        inside = (of_b >= -slack) & (of_c >= -slack) & (of_b + of_c <= 1 + slack)
        inside &= ((point >= 0) & (point < np.array(shape[::-1]))).all(-1)
        ta, tb, tc = (source[bunch][:, None, None, i] for i in range(3))
        value = ta + of_b[..., None] * (tb - ta) + of_c[..., None] * (tc - ta)
        at = point[inside]
        found[at[:, 1], at[:, 0]] = value[inside]
    return found


def between(texture: Bytes, where: Floats) -> Floats:
    """Look a texture of one channel up between its pixels; 0 where `where` is NaN. (H, W)."""
    height, width = texture.shape
    missing = np.isnan(where[..., 0])
    x = np.clip(np.where(missing, 0, where[..., 0]), 0, width - 1)
    y = np.clip(np.where(missing, 0, where[..., 1]), 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = x - left, y - top
    upper = texture[top, left] * (1 - fx) + texture[top, right] * fx
    lower = texture[bottom, left] * (1 - fx) + texture[bottom, right] * fx
    return np.where(missing, 0.0, upper * (1 - fy) + lower * fy)


def rgb_of(data: Bytes, size: tuple[int, int], matrix: str, value_range: str) -> Bytes:
    """Decode I420 as a viewer does. uint8, (H, W, 3).

    Args:
        data: The Y plane, then U, then V. uint8, (W * H * 3 // 2,).
        size: Width and height.
        matrix: `bt601` or `bt709`.
        value_range: `limited` or `full`.
    """
    width, height = size
    count = width * height
    luma = data[:count].reshape(height, width).astype(np.float32)
    chroma = [
        cv2.resize(plane.reshape(height // 2, width // 2), size, interpolation=cv2.INTER_LINEAR)
        for plane in np.split(data[count:], 2)
    ]
    u, v = (plane.astype(np.float32) - 128 for plane in chroma)
    if value_range == "limited":
        luma, u, v = (luma - 16) * (255 / 219), u * (255 / 224), v * (255 / 224)
    red, blue = (0.299, 0.114) if matrix == "bt601" else (0.2126, 0.0722)
    green = 1 - red - blue
    r, b = luma + 2 * (1 - red) * v, luma + 2 * (1 - blue) * u
    g = (luma - red * r - blue * b) / green
    return np.asarray(np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255), np.uint8)


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
