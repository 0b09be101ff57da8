"""What the CPU renderer prepares once per avatar: flat packed textures and triangles worth drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar

from .colour import coefficients
from .planes import Opening, Pixels, openings_of, planes_of
from .shape_weights import Driver
from .vertices import Floats, Sheet, VertexField

Packed = npt.NDArray[np.uint32]
Triangles = npt.NDArray[np.int32]

_MARGIN: Final = 2
"""A triangle's texture is judged with this many pixels around it."""


@dataclass(frozen=True, slots=True)
class ReadySlit:
    """A slit, ready to draw.

    Attributes:
        opening: Its interior and shade.
        upper: The upper skin's triangles that something may show through, among all vertices.
        corners: The vertices that these use.
        lower: All triangles of the lower skin, among all vertices.
        inner: The same of what only follows the head.
        parts: The interior's textures, packed, flat, one after the other.
        table: Base, width, height, fixed-point x and y of every part. int64, (parts, 5).
        solid: Whether the person hides the plate wherever the slit's skin comes from.
    """

    opening: Opening
    upper: Triangles
    corners: npt.NDArray[np.intp]
    lower: Triangles
    inner: Triangles
    parts: Packed
    table: npt.NDArray[np.int64]
    solid: bool


class Prepared:
    """What all sessions of an avatar share. Immutable.

    Triangles of the body that lie wholly under a slit's own skin, or are clear, are left out. The
    slits' upper skin is drawn with the body where nothing can show through it.
    """

    def __init__(self, avatar: Avatar) -> None:
        """Prepare everything; tens of milliseconds."""
        planes = planes_of(avatar)
        self.driver = Driver(avatar)
        self.field = VertexField(avatar)
        self.width, self.height = avatar.canvas.width, avatar.canvas.height
        self.colour = coefficients(avatar.canvas.matrix, avatar.canvas.range)
        self.plate = packed(np.dstack([planes.plate, np.full_like(planes.plate[..., 0], 255)]))
        self.skin = flat(packed(planes.skin))
        self.lids = tuple(planes.lids.values())
        self.mask_upper = flat(planes.mask_upper)
        self.mask_lower = flat(planes.mask_lower)
        self.uv: Floats = np.concatenate([s.mesh.xy for s in self.field.sheets]).astype(np.float32)

        sheets = {(s.mesh.name, s.layer): s for s in self.field.sheets}
        openings = openings_of(avatar)
        uppers = [sheets[o.slit.mesh, "upper"] for o in openings]
        visible, sheer = _Sums(planes.skin[..., 3] > 0), _Sums(planes.skin[..., 3] < 255)
        cut = _Sums(planes.mask_upper < 255)
        body = next(s for s in self.field.sheets if s.layer == "skin")
        whole = [_body_triangles(body, visible, uppers)]
        slits = []
        for opening, upper in zip(openings, uppers, strict=True):
            parted = cut.any_in(upper.mesh.xy, upper.mesh.tri)
            whole.append(upper.mesh.tri[~parted] + upper.start)
            lower, inner = (sheets[opening.slit.mesh, layer] for layer in ("lower", "inner"))
            solid = not bool(sheer.any_in(upper.mesh.xy, upper.mesh.tri[parted]).any())
            slits.append(_slit(opening, upper, parted, lower, inner, solid))
        self.whole: Triangles = np.concatenate(whole).astype(np.int32)
        self.slits = tuple(slits)


class _Sums:
    """Answers quickly whether a flag is set anywhere around a triangle."""

    def __init__(self, flags: npt.NDArray[np.bool_]) -> None:
        height, width = flags.shape
        self._sum = np.zeros((height + 1, width + 1), np.int64)
        self._sum[1:, 1:] = np.cumsum(np.cumsum(flags, axis=0), axis=1)

    def any_in(self, xy: Floats, tri: Triangles) -> npt.NDArray[np.bool_]:
        """Whether the flag is set in each triangle's bounding box and its margin. (T,)."""
        height, width = self._sum.shape
        corners = xy[tri]
        low = np.floor(corners.min(axis=1)).astype(int) - _MARGIN
        high = np.ceil(corners.max(axis=1)).astype(int) + _MARGIN + 1
        # What lies beyond the plane repeats its outermost pixels.
        x0, x1 = np.clip(low[:, 0], 0, width - 2), np.clip(high[:, 0], 1, width - 1)
        y0, y1 = np.clip(low[:, 1], 0, height - 2), np.clip(high[:, 1], 1, height - 1)
        count = self._sum[y1, x1] - self._sum[y0, x1] - self._sum[y1, x0] + self._sum[y0, x0]
        return np.asarray(count > 0)


def _body_triangles(body: Sheet, visible: _Sums, uppers: list[Sheet]) -> Triangles:
    mesh = body.mesh
    corners = mesh.xy[mesh.tri]
    low, high = corners.min(axis=1), corners.max(axis=1)
    hidden = np.zeros(len(mesh.tri), np.bool_)
    for sheet in uppers:
        first, last = sheet.mesh.xy.min(axis=0), sheet.mesh.xy.max(axis=0)
        within = (low >= first + mesh.cell_px) & (high <= last - mesh.cell_px)
        hidden |= within.all(axis=1)
    return np.asarray(mesh.tri[visible.any_in(mesh.xy, mesh.tri) & ~hidden] + body.start)


def _slit(
    opening: Opening,
    upper: Sheet,
    parted: npt.NDArray[np.bool_],
    lower: Sheet,
    inner: Sheet,
    solid: bool,
) -> ReadySlit:
    """Lay the interior's textures one after the other."""
    textures, table, base = [np.zeros(0, np.uint32)], [], 0
    for part in opening.parts:
        texture = flat(packed(part.pixels))
        height, width = part.pixels.shape[:2]
        table.append((base, width, height, part.origin[0] << 16, part.origin[1] << 16))
        textures.append(texture)
        base += len(texture)
    tri = (upper.mesh.tri[parted] + upper.start).astype(np.int32)
    return ReadySlit(
        opening=opening,
        upper=tri,
        corners=np.unique(tri),
        lower=(lower.mesh.tri + lower.start).astype(np.int32),
        inner=(inner.mesh.tri + inner.start).astype(np.int32),
        parts=np.concatenate(textures),
        table=np.array(table, np.int64).reshape(-1, 5),
        solid=solid,
    )


def packed(rgba: Pixels) -> Packed:
    """Four channels in one little-endian word. (h, w, 4) to (h, w)."""
    return np.ascontiguousarray(rgba).view("<u4")[..., 0]


def flat(texture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat the last column and row, so that a sample's neighbour always exists; flatten."""
    return np.ascontiguousarray(np.pad(texture, ((0, 1), (0, 1)), mode="edge")).ravel()
